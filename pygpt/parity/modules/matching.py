"""Which of a port's parameters is which of R's: by name, by `weight_map`, else by value, shape and order."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, permutations, product

import torch
from torch import Tensor, nn

from pygpt.errors import PygptError
from pygpt.layouts.pieces import Assigned, Axes, Piece, Shape, placed, read, shape_of
from pygpt.layouts.weight_map import Carried
from pygpt.output.messages import say
from pygpt.parity.modules.numbering import paired
from pygpt.parity.modules.recording import ModuleRecording

_Assign = Callable[[str, Sequence[Piece], str], bool]

_MOST = 64  # ways that are tried where several fit
_PIECES = (2, 3, 4)  # parameters that one of R's may be cut into: key and value, query key and value, a LSTM's gates


@dataclass(frozen=True)
class Matched:
    """Where R's state lies in a port's."""

    carried: Carried
    how: Mapping[str, str]
    """For each of R's names how its counterpart was recognized: name, weight_map, value, shape."""
    shapes: Mapping[str, Shape]
    """Of R's."""

    def to_own(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """R's tensors under the port's names."""
        return self._part({n: pieces for n, pieces in self.carried.pieces.items() if n in state}).to_own(state)

    def to_r(self, own: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The port's tensors under R's names, as far as it has all of their pieces."""
        there = {name: pieces for name, pieces in self.carried.pieces.items() if all(p.name in own for p in pieces)}
        return {name: tensor.reshape(self.shapes[name]) for name, tensor in self._part(there).to_r(own).items()}

    def _part(self, pieces: Assigned) -> Carried:
        return Carried(self.carried.shapes, self.carried.axes, pieces)

    def own_names(self, name: str) -> list[str]:
        """The port's names for one of R's."""
        return [piece.spelt(self.carried.axes[name]) for piece in self.carried.pieces.get(name, ())]

    def layers(self, names: Sequence[str], own: Sequence[str]) -> dict[str, str]:
        """R's submodules with the port's: those that hold matched parameters, then those alike in name."""
        both: dict[str, str] = {}
        for name, pieces in self.carried.pieces.items():
            layer, leaf = name.rpartition(".")[::2]
            other, other_leaf = pieces[0].name.rpartition(".")[::2]
            while layer in names and other in own and layer and other and layer not in both and len(pieces) == 1:
                if leaf == other_leaf or layer.count(".") == other.count("."):
                    both[layer] = other
                layer, other = layer.rpartition(".")[0], other.rpartition(".")[0]
        rest = [name for name in names if name and name not in both]
        free = [name for name in own if name and name not in both.values()]
        return both | {a: b for a, b in paired(names, own).items() if a in rest and b in free}


def matchings(recording: ModuleRecording, module: nn.Module, weight_map: Mapping[str, Sequence[str]]) -> list[Matched]:
    """What the counterparts may be, the likeliest first; several only where names and values do not tell.

    Args:
        weight_map: R's name to one or several of the port's, as `pieces.read` takes them; `{j}` stands for a number.

    Raises:
        PygptError: the weight map names what is not there, or nothing at all can be matched.
    """
    own_state = {name: t for name, t in module.state_dict(keep_vars=True).items() if isinstance(t, Tensor)}
    first: dict[int, str] = {}
    for name, tensor in own_state.items():
        first.setdefault(id(tensor), name)
    aliases = {name: first[id(t)] for name, t in own_state.items() if first[id(t)] != name}
    state = {name: t for name, t in own_state.items() if name not in aliases}
    # R's tied weights have one counterpart, unless the port has two where R has one
    untied = {name for name, other in paired(recording.init, own_state).items() if other in state}
    r = {name: t for name, t in recording.init.items() if name not in recording.tied or name in untied}
    own: dict[str, Shape] = {name: tuple(t.shape) for name, t in state.items()}
    axes = {name: axes_of(tuple(t.shape)) for name, t in r.items()}
    assigned: Assigned = {}
    how: dict[str, str] = {}

    def assign(name: str, pieces: Sequence[Piece], by: str) -> bool:
        fitting = placed(pieces, own, axes[name])
        if fitting:
            assigned[name], how[name] = fitting, by
        return bool(fitting)

    for name, spelt in _mapped(r, weight_map):
        pieces = [Piece(one) if one in own_state else read(one) for one in spelt]
        pieces = [Piece(aliases.get(p.name, p.name), p.order, p.at, p.rows) for p in pieces]
        absent = [p.name for p in pieces if p.name not in own]
        if absent or not assign(name, pieces, "weight_map"):
            raise PygptError(
                "weight_map: {name} {shape} cannot be {own}: {why}",
                name=name, shape=tuple(r[name].shape), own=", ".join(spelt),
                why=say("there is no parameter {names}", names=", ".join(absent)) if absent
                else say("yours have the shapes {shapes}", shapes=str([shape_of(p, own) for p in pieces])),
            )  # fmt: skip
    free = [name for name in own if name not in _used(assigned)]
    for name, other in paired([name for name in r if name not in assigned], free).items():
        if _alike(r[name].shape, own[other]):
            assign(name, [Piece(other)], "name")
    _by_value(
        {n: t for n, t in r.items() if n not in assigned},
        {n: state[n] for n in own if n not in _used(assigned)},
        assign,
    )
    rest_r = [name for name in _in_order(recording, r) if name not in assigned]
    rest_own = [name for name in own if name not in _used(assigned)]
    ways = list(islice(_by_shape(rest_r, rest_own, r, own), _MOST)) if rest_r and rest_own else [{}]
    made = []
    for way in ways or [{}]:
        placed_way = {name: placed([Piece(one) for one in pieces], own, axes[name]) for name, pieces in way.items()}
        all_ = assigned | {name: pieces for name, pieces in placed_way.items() if pieces}
        used = _used(all_)
        carried = Carried(
            shapes=own, axes=axes, pieces=all_,
            missing=tuple(name for name in r if name not in all_),
            extra=tuple(name for name in own if name not in used),
        )  # fmt: skip
        shapes = {name: tuple(t.shape) for name, t in r.items()}
        made.append(Matched(carried, how | dict.fromkeys(way, "shape"), shapes))
    return made


def axes_of(shape: Shape) -> Axes:
    """R's axes of any tensor: `o` is the first, which counts outputs; then `d`, or `a b c …` where there are several."""
    rest = "d" if len(shape) == 2 else "abcefg"[: max(0, len(shape) - 1)]
    return Axes("o", rest, dict(zip("o" + rest, shape or (1,), strict=True)))


def _mapped(r: Mapping[str, Tensor], weight_map: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, list[str]]]:
    for pattern, spelt in weight_map.items():
        if "{j}" not in pattern:
            if pattern not in r:
                raise PygptError("weight_map: R's module has no {name}", name=pattern)
            yield pattern, list(spelt)
            continue
        before, after = pattern.split("{j}", 1)
        numbers = [n.removeprefix(before).removesuffix(after) for n in r if n.startswith(before) and n.endswith(after)]
        for number in (n for n in numbers if n.isdigit()):
            yield before + number + after, [one.replace("{j}", number) for one in spelt]


def _used(assigned: Assigned) -> set[str]:
    return {piece.name for pieces in assigned.values() for piece in pieces}


def _alike(a: Sequence[int], b: Sequence[int]) -> bool:
    """The same shape, axes of 1 aside; or transposed."""
    a, b = [n for n in a if n != 1], [n for n in b if n != 1]
    return a == b or (len(a) == 2 and a == b[::-1])


def _by_value(r: Mapping[str, Tensor], own: Mapping[str, Tensor], assign: _Assign) -> None:
    """The same seed gives the same first weights: what is equal to the bit is the same parameter."""
    free = dict(own)
    for name, tensor in r.items():
        if not tensor.is_floating_point() or tensor.numel() < 2 or tensor.unique().numel() < 2:
            continue
        same = [n for n, t in free.items() if t.shape == tensor.shape and torch.equal(t.detach(), tensor)]
        if len(same) == 1 and assign(name, [Piece(same[0])], "value"):
            del free[same[0]]


def _in_order(recording: ModuleRecording, r: Mapping[str, Tensor]) -> list[str]:
    known = [name for name in recording.order if name in r]
    return [*known, *(name for name in r if name not in known)]


def _by_shape(
    rest_r: Sequence[str], rest_own: Sequence[str], r: Mapping[str, Tensor], own: Mapping[str, Shape]
) -> Iterator[dict[str, list[str]]]:
    """Ways in which what is left can fit by shape, in the order of building first; cut parameters too."""
    whole = [name for name in rest_r if any(_alike(r[name].shape, own[other]) for other in rest_own)]
    cut: dict[str, list[str]] = {}
    free = list(rest_own)
    for name in (name for name in rest_r if name not in whole):
        pieces = next(_runs(tuple(r[name].shape), free, own), None)
        if pieces:
            cut[name] = pieces
            free = [other for other in free if other not in pieces]
    groups: list[list[dict[str, list[str]]]] = []
    for shape in dict.fromkeys(_sorted(r[name].shape) for name in whole):
        names = [name for name in whole if _sorted(r[name].shape) == shape]
        others = [other for other in free if _sorted(own[other]) == shape]
        orders = islice(permutations(others, min(len(names), len(others))), _MOST)
        groups.append([{n: [o] for n, o in zip(names, order, strict=False)} for order in orders])
    orders_of_cut = [[{name: list(order)} for order in islice(permutations(p), 24)] for name, p in cut.items()]
    for choice in product(*groups, *orders_of_cut):
        yield {name: pieces for one in choice for name, pieces in one.items()}


def _runs(shape: Shape, free: Sequence[str], own: Mapping[str, Shape]) -> Iterator[list[str]]:
    """Neighbours that make up a parameter's rows together."""
    for count in _PIECES:
        for start in range(len(free) - count + 1):
            for step in (1, 2):  # a weight and a bias by turns
                run = list(free[start : start + count * step : step])
                shapes = [own[name] for name in run]
                rows_fit = shape and all(s and s[1:] == shape[1:] for s in shapes)
                if len(run) == count and rows_fit and sum(s[0] for s in shapes) == shape[0]:
                    yield run


def _sorted(shape: Sequence[int]) -> tuple[int, ...]:
    return tuple(sorted(n for n in shape if n != 1))
