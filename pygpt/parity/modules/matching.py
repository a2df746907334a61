"""Which of a port's parameters is which of R's: by name, by `weight_map`, else by value, shape and order."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from torch import Tensor, nn

from pygpt.errors import PygptError
from pygpt.layouts.pieces import Assigned, Axes, Piece, Shape, placed, read, shape_of
from pygpt.layouts.weight_map import Carried
from pygpt.output.messages import say
from pygpt.parity.modules.numbering import paired
from pygpt.parity.modules.recording import ModuleRecording
from pygpt.parity.modules.ways import alike, ways


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
    """What the counterparts may be, the likeliest first; several only where names do not tell.

    Args:
        weight_map: R's name to one or several of the port's, as `pieces.read` takes them; `{j}` stands for a number.

    Raises:
        PygptError: the weight map names what is not there.
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
    for name, spelt in _mapped(r, weight_map):
        pieces = [Piece(one) if one in own_state else read(one) for one in spelt]
        assigned[name] = _said(name, [replace(p, name=aliases.get(p.name, p.name)) for p in pieces], own, axes[name])
        how[name] = "weight_map"
    for name, other in paired(
        [n for n in r if n not in assigned], [n for n in own if n not in _used(assigned)]
    ).items():
        pieces_alike = _fitting([Piece(other)], own, axes[name]) if alike(r[name].shape, own[other]) else ()
        if pieces_alike:
            assigned[name], how[name] = pieces_alike, "name"
    rest_r = {name: r[name] for name in _in_order(recording, r) if name not in assigned}
    rest_own = {name: state[name] for name in own if name not in _used(assigned)}
    made = []
    for way, by in ways(rest_r, rest_own) if rest_r and rest_own else [({}, {})]:
        fitting = {name: _fitting([read(one) for one in pieces], own, axes[name]) for name, pieces in way.items()}
        all_ = assigned | {name: pieces for name, pieces in fitting.items() if pieces}
        used = _used(all_)
        carried = Carried(
            shapes=own, axes=axes, pieces=all_,
            missing=tuple(name for name in r if name not in all_ and not _counts(name)),
            extra=tuple(name for name in own if name not in used and not _counts(name)),
        )  # fmt: skip
        made.append(Matched(carried, how | by, {name: tuple(t.shape) for name, t in r.items()}))
    return made


def _counts(name: str) -> bool:
    """Whether a tensor only counts batches: no module computes with it."""
    return name.endswith("num_batches_tracked")


def _fitting(pieces: Sequence[Piece], own: Mapping[str, Shape], axes: Axes) -> tuple[Piece, ...]:
    """The pieces with their places and the order of their axes: R's where nothing says it and it can be read so."""
    return tuple(
        piece if piece.order else replace(piece, order=next(axes.orders(piece, shape_of(piece, own))))
        for piece in placed(pieces, own, axes)
    )


def _said(name: str, pieces: Sequence[Piece], own: Mapping[str, Shape], axes: Axes) -> tuple[Piece, ...]:
    absent = [p.name for p in pieces if p.name not in own]
    fitting = () if absent else _fitting(pieces, own, axes)
    if fitting:
        return fitting
    why = (
        say("there is no parameter {names}", names=", ".join(absent))
        if absent
        else say("yours have the shapes {shapes}", shapes=", ".join(str(shape_of(p, own)) for p in pieces))
    )
    raise PygptError(
        "weight_map: {name} {shape} cannot be {own}: {why}",
        name=name, shape=tuple(axes.sizes[a] for a in axes.letters), own=", ".join(p.name for p in pieces), why=why,
    )  # fmt: skip


def axes_of(shape: Shape) -> Axes:
    """R's axes of any tensor: `o` is the first, which counts outputs; then `d`, or `a b c …` where several follow."""
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


def _in_order(recording: ModuleRecording, r: Mapping[str, Tensor]) -> list[str]:
    known = [name for name in recording.order if name in r]
    return [*known, *(name for name in r if name not in known)]
