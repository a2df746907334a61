"""The notebook's ladder: its quantities in the order of computation, each beside what it prints, rung by rung."""

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest

from torch import Tensor

from pygpt.attention.notebook import Notebook, Printed, Rung, agrees, climb
from pygpt.output.messages import Message, number, say, tell

_INDENT, _DEEPER, _BETWEEN = "   ", "      ", "    "


@dataclass(frozen=True)
class Quantity:
    """What a rung computes, and what the notebook prints of it; None where it prints no such thing."""

    name: str
    here: Tensor
    printed: Printed | None
    agrees: bool


@dataclass(frozen=True)
class Ladder:
    """Every rung with its quantities; `expected` is how many results the notebook prints."""

    rungs: tuple[tuple[Rung, tuple[Quantity, ...]], ...]
    expected: int

    @classmethod
    def of(cls, notebook: Notebook) -> "Ladder":
        """Climb the notebook. What an earlier rung has is not repeated; torch's generator is left as it was."""
        rungs: list[tuple[Rung, tuple[Quantity, ...]]] = []
        seen: set[str] = set()
        for rung, computed in climb(notebook):
            quantities = []
            for name in [name for name in computed if name not in seen]:
                printed = notebook.printed.get(name)
                quantities.append(Quantity(name, computed[name], printed, printed is None or agrees(printed, computed)))
            seen |= computed.keys()
            rungs.append((rung, tuple(quantities)))
        return cls(tuple(rungs), len(notebook.printed))

    @property
    def agreeing(self) -> int:
        """How many of the notebook's results come out."""
        return sum(q.agrees for q in self._printed())

    def lines(self, width: int, lang: str) -> Iterator[tuple[str, bool]]:
        """The ladder as text for `width` columns (40 or more), piece by piece; False marks what differs."""
        for place, (rung, quantities) in enumerate(self.rungs, start=1):
            yield f"{place}. {rung.title.render(lang)}\n{_wrapped(rung.difference.render(lang), width)}\n", True
            for q in quantities:
                yield _wrapped(_head(q).render(lang), width), q.agrees
                yield _numbers(q, width, lang) + "\n", True
        yield textwrap.fill(self._verdict().render(lang), width), True

    def _verdict(self) -> Message:
        return say(
            "{agreeing} of {expected} results agree with the notebook: {masks} dropout masks as a property "
            "(each value 0 or doubled), the others to their four decimals.",
            agreeing=self.agreeing,
            expected=self.expected,
            masks=sum(q.printed.dropout_of is not None for q in self._printed() if q.printed),
        )

    def _printed(self) -> list[Quantity]:
        return [q for _, quantities in self.rungs for q in quantities if q.printed]


def _head(q: Quantity) -> Message:
    shape = say("shape {shape}", shape=" x ".join(map(str, q.here.shape))) if q.here.dim() else say("one number")
    if q.printed is None:
        return say("{name}: {shape}; not in the notebook", name=q.name, shape=shape)
    cells = say(
        "cell {cells}" if len(q.printed.cells) == 1 else "cells {cells}", cells=", ".join(map(str, q.printed.cells))
    )
    if not q.agrees:
        verdict = say("DIFFERS")
    elif q.printed.dropout_of:
        verdict = say("its property holds (the mask depends on the build)")
    else:
        verdict = say("agrees")
    return say(
        "{name}: {shape}; {code} in {cells}: {verdict}"
        if q.printed.seed is None
        else "{name}: {shape}; {code} in {cells}, seed {seed}: {verdict}",
        name=q.name,
        shape=shape,
        code=q.printed.code,
        cells=cells,
        seed=q.printed.seed,
        verdict=verdict,
    )


def _numbers(q: Quantity, width: int, lang: str) -> str:
    """Ours and the notebook's side by side where `width` allows, else one above the other."""
    spec = ".4f" if q.here.is_floating_point() else ".0f"
    here = _grid(q.here, spec, lang)
    if q.printed is None:
        return "\n".join(_DEEPER + line for line in here)
    here = [tell(lang, "here"), *here]
    there = [tell(lang, "notebook"), *_grid(q.printed.values, spec, lang)]
    left = max(map(len, here))
    if len(_DEEPER) + left + len(_BETWEEN) + max(map(len, there)) > width:
        return "\n".join(_DEEPER + line for line in here + there)
    pairs = zip_longest(here, there, fillvalue="")
    return "\n".join(f"{_DEEPER}{a.ljust(left)}{_BETWEEN}{b}".rstrip() for a, b in pairs)


def _grid(values: Tensor, spec: str, lang: str) -> list[str]:
    """A tensor as lines, a row of its last dimension each."""
    rows = values.reshape(-1, values.shape[-1] if values.dim() else 1).tolist()
    cells = [[number(v, spec, lang) for v in row] for row in rows]
    width = max(len(cell) for row in cells for cell in row)
    return [" ".join(cell.rjust(width) for cell in row) for row in cells]


def _wrapped(words: str, width: int) -> str:
    return textwrap.indent(textwrap.fill(words, width - len(_INDENT)), _INDENT)
