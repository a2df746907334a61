"""What a setting may be: its kind, from the annotations of its class, and what is said where it is another."""

import math
import types
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin, get_type_hints

from pygpt.errors import PygptError
from pygpt.output.messages import Message
from pygpt.output.spelling import did_you_mean


@dataclass(frozen=True)
class Kind:
    """What a setting may be: a plain type, one of `choices` (texts), and None where `optional`."""

    type: type
    choices: tuple[str, ...]
    optional: bool


def kinds(cls: type[Any]) -> dict[str, Kind]:
    """The kind of each field of a settings class, from its annotations."""
    return {name: _kind(hint) for name, hint in get_type_hints(cls).items()}


def _kind(hint: Any) -> Kind:
    if get_origin(hint) is Literal:
        return Kind(str, get_args(hint), False)
    if get_origin(hint) is types.UnionType:
        (inner,) = (part for part in get_args(hint) if part is not type(None))
        return Kind(inner, (), True)
    return Kind(hint, (), False)


def check_types(settings: Any, other_names: Mapping[str, str]) -> None:
    """Raise PygptError where a field of a frozen settings class holds another kind; whole numbers become floats.

    Args:
        other_names: what users may write instead of a choice, for the hint.
    """
    for name, kind in kinds(type(settings)).items():
        value = getattr(settings, name)
        if value is None and kind.optional:
            continue
        if kind.type is float and isinstance(value, int) and not isinstance(value, bool):
            # No setting is that large, and Python has no float for it.
            object.__setattr__(settings, name, float(value) if abs(value) < 1 << 1000 else math.inf)
            continue
        if not isinstance(value, kind.type) or (kind.type is int and isinstance(value, bool)):
            raise PygptError(_KIND_FAULTS[kind.type], name=name, value=repr(value))
        if kind.choices and value not in kind.choices:
            raise PygptError(
                "{name} = {value} is not one of {choices}.{meant}",
                name=name, value=repr(value), choices=", ".join(kind.choices),
                meant=did_you_mean(str(value), kind.choices, other_names),
            )  # fmt: skip


_KIND_FAULTS: dict[type, str] = {
    int: "{name} = {value} is not a whole number",
    float: "{name} = {value} is not a number",
    str: "{name} = {value} is not a text",
    bool: "{name} = {value} is not true or false",
}


def require(holds: bool, name: str, value: object, allowed: Message) -> None:
    """Raise PygptError where a value is not `allowed`."""
    if not holds:
        # Python refuses to write whole numbers of thousands of digits.
        written = "…" if isinstance(value, int) and value.bit_length() > 1000 else str(value)
        raise PygptError(
            "{name} = {value} is not allowed: it must be {allowed}", name=name, value=written, allowed=allowed
        )
