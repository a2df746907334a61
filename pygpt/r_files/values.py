"""An R object as plain data. Nothing of it can run: functions, promises and byte code are only looked at."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pygpt.output.messages import Message

NA_INTEGER = -(2**31)
NUMERIC = ("logical", "integer", "double")


class UnreadableError(Exception):
    """A file of R's that cannot be read; `message` says why, and its caller which file it is."""

    def __init__(self, message: Message) -> None:
        super().__init__(message.template)
        self.message = message


class NeedsRError(UnreadableError):
    """Whole, but in a form that R alone can turn into plain data."""


@dataclass(slots=True, eq=False)
class RValue:
    """One object; R's NULL is None.

    Attributes:
        kind: R's `typeof`.
        data: a numpy array (logical and integer: int32 with NA_INTEGER; double; complex), bytes (raw), texts and None
            (character), values (list, and pairlist, whose tags are its names), values by name (environment), a text
            (symbol), or the values that the object holds on to (all else).
        attributes: by name.
    """

    kind: str
    data: Any
    attributes: "dict[str, RValue | None]" = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """The names of a vector's or list's elements, "" where there is none; of an environment's variables."""
        if self.kind == "environment":
            return list(self.data)
        held = self.attributes.get("names")
        texts = [text or "" for text in held.data] if held is not None and held.kind == "character" else []
        return texts + [""] * (len(self) - len(texts))

    @property
    def classes(self) -> list[str]:
        """The attribute `class`."""
        held = self.attributes.get("class")
        return [text or "" for text in held.data] if held is not None and held.kind == "character" else []

    def __len__(self) -> int:
        return len(self.data) if self.kind in _VECTORS else 0

    def get(self, name: str) -> "RValue | None":
        """The element of a list, or the variable of an environment, by name; None where there is none."""
        return dict(reversed(list(self.items()))).get(name)

    def items(self) -> "Iterator[tuple[str, RValue | None]]":
        """The elements of a list, or the variables of an environment, with their names."""
        if self.kind in ("list", "pairlist"):
            yield from zip(self.names, self.data, strict=False)
        elif self.kind == "environment":
            yield from self.data.items()

    def below(self, place: str) -> "list[tuple[str, RValue | None]]":
        """The same with their places as R writes them, below this one's: `x$name`, `x[[2]]`."""
        places = (f"{place}${name}" if name else f"{place}[[{i}]]" for i, (name, _) in enumerate(self.items(), start=1))
        return list(zip(places, (value for _, value in self.items()), strict=True))


_VECTORS = (*NUMERIC, "complex", "character", "raw", "list", "pairlist", "environment")


def number(value: RValue | None) -> float | None:
    """A single number; None for all else, NA among it."""
    if value is None or value.kind not in NUMERIC or len(value) != 1:
        return None
    only = value.data[0].item()
    return None if only == NA_INTEGER or only != only else only


def texts(value: RValue | None) -> list[str] | None:
    """The texts of a character vector or a factor; None for all else, and where one is NA."""
    if value is None:
        return None
    texts_held: list[str | None] = []
    if value.kind == "character":
        texts_held = value.data
    elif value.kind == "integer" and "factor" in value.classes:
        levels = texts(value.attributes.get("levels")) or []
        texts_held = [levels[i - 1] if 0 < i <= len(levels) else None for i in value.data.tolist()]
    else:
        return None
    return [text for text in texts_held if text is not None] if None not in texts_held else None


def shape(value: RValue) -> tuple[int, ...]:
    """The attribute `dim`, or the length of a plain vector."""
    dim = value.attributes.get("dim")
    if dim is None or dim.kind not in ("integer", "double") or not len(dim):
        return (len(value),)
    return tuple(int(n) if np.isfinite(n) else -1 for n in dim.data.tolist())


def everything(*roots: RValue | None) -> Iterator[RValue]:
    """Every object that these hold, each once, without recursion: environments may hold themselves."""
    seen: set[int] = set()
    open_ = [root for root in reversed(roots) if root is not None]
    while open_:
        value = open_.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        yield value
        held: list[RValue | None] = list(value.attributes.values())
        if isinstance(value.data, dict):
            held += value.data.values()
        elif isinstance(value.data, list) and value.kind != "character":
            held += value.data
        open_ += [part for part in reversed(held) if part is not None]
