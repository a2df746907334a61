"""Where one of R's parameters lies in a submission's: whole or in pieces, with its axes in any order.

R's axes have letters: of the attention's input projection `s h k d` (query, key or value; head; within the head;
input), of its output projection `o h k`, of any other matrix `o d`, of a vector `o`. A submission's parameter is read
in such an order, whatever its shape: `h s k d` is one in which query, key and value lie side by side in each head.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, permutations

from torch import Tensor

from pygpt.settings import ModelSettings

Shape = tuple[int, ...]
# Those along which it takes its input come last.
_AXES = {"in_proj_weight": ("shk", "d"), "in_proj_bias": ("shk", ""), "out_proj.weight": ("o", "hk")}
_TRANSPOSED = ".T"
_SPELT = re.compile(
    r"(?P<name>.*?)(\[(?P<rows>\d+|\d*:\d*)\])?(\[(?P<order>[a-z ]+)\]|(?P<transposed>\.T))?", re.DOTALL
)


@dataclass(frozen=True)
class Piece:
    """One of the submission's parameters, or some of its rows, as a part of one of R's."""

    name: str
    order: str = ""
    """Its axes, by R's letters; empty where nothing says it."""
    at: tuple[tuple[str, int, int], ...] = ()
    """The part of R's parameter that it is: axis, start, length."""
    rows: tuple[int, int] | None = None
    """Which of its own first axis, from and to; None for all of it."""

    def spelt(self, axes: "Axes") -> str:
        """As a `weight_map` says it; R's own order goes without saying."""
        rows = ""
        if self.rows is not None:
            first, last = self.rows
            rows = f"[{first}]" if last == first + 1 else f"[{first}:{last}]"
        as_r = list(self.order) == [axis for axis in axes.letters if axis in self.order]
        return f"{self.name}{rows}" + ("" if as_r else f"[{' '.join(self.order)}]")


Assigned = dict[str, tuple[Piece, ...]]
"""By R's name."""


@dataclass(frozen=True)
class Axes:
    """R's axes of one parameter, and how long they are."""

    rows: str
    columns: str
    sizes: Mapping[str, int]

    @property
    def letters(self) -> str:
        return self.rows + self.columns

    @property
    def shape(self) -> Shape:
        """R's shape of the parameter."""
        both = (self.rows, self.columns) if self.columns else (self.rows,)
        return tuple(math.prod(self.sizes[axis] for axis in axes) for axes in both)

    def of(self, piece: Piece) -> list[int]:
        """The lengths of a piece along R's axes."""
        length = {axis: n for axis, _, n in piece.at}
        return [length.get(axis, self.sizes[axis]) for axis in self.letters]

    def orders(self, piece: Piece, shape: Shape) -> Iterator[str]:
        """The orders in which a piece of this shape can be read; R's own, and those near to it, first."""
        sizes = dict(zip(self.letters, self.of(piece), strict=True))
        long = [axis for axis in self.letters if sizes[axis] > 1]
        for order in permutations(long):
            if _readable(shape, [(sizes[axis], axis in self.columns) for axis in order]):
                yield "".join(order)

    def taken(self, piece: Piece, weight: Tensor, shape: Shape) -> Tensor:
        """The piece of R's parameter, in the shape of the submission's."""
        part = weight.reshape([self.sizes[axis] for axis in self.letters])
        for axis, start, length in piece.at:
            part = part.narrow(self.letters.index(axis), start, length)
        return part.permute(self._places(piece)).reshape(shape)

    def put(self, piece: Piece, own: Tensor, weight: Tensor) -> None:
        """Write the submission's tensor to its place in R's parameter."""
        places, sizes = self._places(piece), self.of(piece)
        part = weight.view([self.sizes[axis] for axis in self.letters])
        for axis, start, length in piece.at:
            part = part.narrow(self.letters.index(axis), start, length)
        part.permute(places).copy_(own.reshape([sizes[place] for place in places]))

    def _places(self, piece: Piece) -> list[int]:
        order = piece.order or self.letters
        return [self.letters.index(axis) for axis in [*order, *(a for a in self.letters if a not in order)]]


def axes_of(r_name: str, shape: Shape, settings: ModelSettings) -> Axes:
    """R's axes of a parameter."""
    plain = ("o", "d" * (len(shape) - 1))
    rows, columns = next((axes for end, axes in _AXES.items() if r_name.endswith(end)), plain)
    d, h = settings.n_embd, settings.n_head
    sizes = {"s": 3, "h": h, "k": d // h, "d": shape[-1], "o": shape[0]}
    return Axes(rows, columns, {axis: sizes[axis] for axis in rows + columns})


def _readable(shape: Shape, axes: Sequence[tuple[int, bool]]) -> bool:
    """Whether a shape, without its axes of 1, joins neighbours of these lengths, all rows or all columns."""
    left = list(axes)
    for n in shape:
        joined, kinds = 1, set[bool]()
        while joined < n and left:
            size, column = left.pop(0)
            joined *= size
            kinds.add(column)
        if joined != n or len(kinds) > 1:
            return False
    return not left


def shape_of(piece: Piece, own: Mapping[str, Shape]) -> Shape:
    """The shape of the piece, of its own parameter's rows."""
    shape = own[piece.name]
    if piece.rows is None or not shape:
        return shape
    return (max(0, min(piece.rows[1], shape[0]) - piece.rows[0]), *shape[1:])


def read(spelt: str) -> Piece:
    """A piece as a `weight_map` says it: `name`, `name.T`, `name[h s k d]`, `name[2]` or `name[0:16]` for some rows."""
    said = _SPELT.fullmatch(spelt)
    assert said is not None
    rows = None
    if said["rows"]:
        first, _, last = said["rows"].partition(":")
        rows = (int(first or 0), int(last or 1 << 30) if ":" in said["rows"] else int(first) + 1)
    return Piece(said["name"], _TRANSPOSED if said["transposed"] else (said["order"] or "").replace(" ", ""), (), rows)


def placed(pieces: Sequence[Piece], own: Mapping[str, Shape], axes: Axes, by_head: bool = False) -> tuple[Piece, ...]:
    """Pieces with their parts of R's parameter and an order; none where they do not make it up.

    They follow each other along R's first axis, or are one for each head, or for each head of query, key and value.

    Args:
        by_head: of three pieces for three heads, each is a head's.
    """
    numbers = [math.prod(shape_of(piece, own)) for piece in pieces]
    first, heads = axes.letters[0], axes.sizes.get("h", 0)
    along = [math.prod(axes.sizes.values()) // axes.sizes[first] * n for n in range(axes.sizes[first] + 1)]
    ends = [sum(numbers[:i]) for i in range(len(numbers) + 1)]
    ways: list[list[tuple[tuple[str, int, int], ...]]] = []
    if len(pieces) == 1:
        ways = [[()]]
    elif {*ends} <= {*along}:
        starts = [along.index(end) for end in ends]
        ways = [[((first, a, b - a),) for a, b in pairwise(starts)]]
    if first == "s" and len(pieces) == 3 * heads:
        ways.append([(("s", i, 1), ("h", j, 1)) for i in range(3) for j in range(heads)])
    if len(pieces) == heads > 1:
        ways.insert(0 if by_head else len(ways), [(("h", j, 1),) for j in range(heads)])
    for way in ways:
        made = [_ordered(replace(piece, at=at), own, axes) for piece, at in zip(pieces, way, strict=True)]
        if all(made) and ends[-1] == math.prod(axes.sizes.values()):
            return tuple(piece for piece in made if piece is not None)
    return ()


def _ordered(piece: Piece, own: Mapping[str, Shape], axes: Axes) -> Piece | None:
    """The piece in the order that it says, `.T` spelt out, if it can be read so."""
    orders = list(axes.orders(piece, shape_of(piece, own)))
    if piece.order == _TRANSPOSED:
        orders = [order for order in orders if order[-1] in axes.rows]
        return replace(piece, order=orders[0]) if orders else None
    sizes = dict(zip(axes.letters, axes.of(piece), strict=True))
    said = "".join(axis for axis in piece.order if sizes.get(axis, 0) > 1)
    return piece if (said in orders if piece.order else orders) else None
