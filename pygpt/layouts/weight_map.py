"""Which of a submission's parameters is which of R's: by name, by `weight_map`, else by what fits (`guesses`)."""

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, islice

import torch
from torch import Tensor

from pygpt.layouts.guesses import by_numbers, by_order, readings
from pygpt.layouts.pieces import Assigned, Axes, Piece, Shape, placed, read, shape_of
from pygpt.output.messages import Message, say
from pygpt.settings import ModelSettings

_MOST = 200  # assignments that are tried
_NAMED = 4
_UNCLEAR = (
    "the weights cannot be carried over: names, shapes and building order do not tell which parameters are R's "
    "{names}; yours are {own}. Say it in a weight_map (`grade template` shows one)"
)


@dataclass(frozen=True)
class Carried:
    """Where R's weights go in a submission's model."""

    shapes: Mapping[str, Shape]
    """The submission's parameters."""
    axes: Mapping[str, Axes]
    """Of each of R's parameters."""
    pieces: Assigned
    """For each of R's names that has a counterpart, its pieces."""
    missing: tuple[str, ...] = ()
    """R's names without a counterpart; `tied` ones share another's."""
    extra: tuple[str, ...] = ()
    """The submission's parameters that R does not have."""
    tied: Mapping[str, str] = field(default_factory=dict)
    how: Message = field(default_factory=lambda: say("by R's names"))

    def to_own(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """R's weights under the submission's names; its extra biases become zero."""
        own = {name: torch.zeros(self.shapes[name]) for name in self.extra if name.endswith("bias")}
        for name, piece in self._each():
            shape = self.shapes[piece.name]
            whole = own.setdefault(piece.name, torch.zeros(shape, dtype=weights[name].dtype))
            part = self.axes[name].taken(piece, weights[name], shape_of(piece, self.shapes))
            whole[slice(*piece.rows) if piece.rows else ...] = part
        return own

    def to_r(self, own: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The submission's tensors under R's names, as far as it has them; of tied ones the one that holds both."""
        weights: dict[str, Tensor] = {}
        for name, piece in self._each():
            tensor = own[piece.name]
            sizes = self.axes[name].sizes
            flat = [sizes[axis] for axis in self.axes[name].letters]
            weight = weights.setdefault(name, torch.zeros(flat, dtype=tensor.dtype))
            self.axes[name].put(piece, tensor[slice(*piece.rows)] if piece.rows else tensor, weight)
        return {name: weight.reshape(self.axes[name].shape) for name, weight in weights.items()}

    def line(self) -> str:
        """The `weight_map` that says the same, blocks by `{j}` where their names count them; empty by R's names."""
        lines = {name: _by_head(pieces, self.axes[name]) for name, pieces in self.pieces.items()}
        said = {name: own for name, own in _by_block(lines).items() if own != name}
        return f"weight_map = {json.dumps(said, ensure_ascii=False)}" if said else ""

    def _each(self) -> Iterator[tuple[str, Piece]]:
        return ((name, piece) for name, pieces in self.pieces.items() if name not in self.tied for piece in pieces)


class UnclearError(Exception):
    """The parameters cannot be told apart; `message` says which, and what to do."""

    def __init__(self, message: Message) -> None:
        super().__init__(message.template)
        self.message = message


def carry(
    r: Mapping[str, Axes],
    own: Mapping[str, Shape],
    aliases: Mapping[str, str],
    weight_map: Mapping[str, Sequence[str]],
    settings: ModelSettings,
    elsewhere: Callable[[], Mapping[str, Shape]] = dict,
    ones: Callable[[], Collection[str]] = frozenset,
) -> list[Carried]:
    """What the counterparts of R's parameters may be, the likeliest first; at most 200.

    Args:
        r: R's parameters, in R's order.
        own: the submission's, in the order they were built.
        aliases: further names of shared parameters.
        weight_map: R's name to one or several of the submission's, as `pieces.read` takes them; `{j}` stands for a
            block's number, `{h}` for each head's in turn.
        elsewhere: the parameters of the submission's other model: an entry that fits there alone is passed over.
        ones: names of parameters that are all 1 in a new model.

    Raises:
        UnclearError: nothing fits, or `weight_map` names what is not there.
    """
    assigned: Assigned = {}
    how = say("by R's names")
    for name, spelt, by_head in _mapped(r, weight_map, settings):
        # A parameter may itself be called `p.T`.
        said = [Piece(one) if one in own or one in elsewhere() else read(one) for one in spelt]
        pieces = [replace(piece, name=aliases.get(piece.name, piece.name)) for piece in said]
        # A list for the heads of a larger model is as long as there are heads here.
        there = [piece for piece in pieces if piece.name in own]
        alone = len({(piece.name, piece.rows) for piece in there}) == len(there)
        fitting = placed(there, own, r[name], by_head) if there and alone else ()
        if not fitting:
            others = [piece for piece in pieces if piece.name in elsewhere()]
            if not (others and placed(others, elsewhere(), r[name], by_head)):
                raise UnclearError(_misfit(name, pieces, r[name], own))
            continue
        assigned[name], how = fitting, say("by the submission's weight_map")
    for name, axes in r.items():
        piece = Piece(aliases.get(name, name))
        if name not in assigned and piece.name in own and (fitting := placed([piece], own, axes)):
            assigned[name] = fitting
    rest_r = {name: axes for name, axes in r.items() if name not in assigned}
    used = {piece.name for pieces in assigned.values() for piece in pieces}
    rest_own = {name: shape for name, shape in own.items() if name not in used}
    fits: list[Assigned] = []
    if rest_r and rest_own:
        fits = by_order(rest_r, rest_own, settings)
        if not fits and aliases and "ln_f.weight" in rest_r:
            # Tied weights: the output layer has no parameter of its own.
            fits = by_order({n: axes for n, axes in rest_r.items() if n != "ln_f.weight"}, rest_own, settings)
            fits = [{**fit, "ln_f.weight": (fit | assigned)["wte.weight"]} for fit in fits]
        fits = fits or by_numbers(rest_r, rest_own, settings, ones)
        how = say("by shape and building order (no names in common with R, no weight_map)") if fits else how
        if not fits and len(assigned) < len(r) // 2:
            yours = _some([f"{name} {shape}" for name, shape in rest_own.items()])
            raise UnclearError(say(_UNCLEAR, names=_some(list(rest_r)), own=yours))
    each = [readings(assigned | fit, own, r, rest_r) for fit in fits or [{}]]
    # The likeliest of each first.
    likely = [first for reading in each for first in islice(reading, 1)]
    return [_carried(reading, r, own, how) for reading in islice(chain(likely, *each), _MOST)]


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_NAMED]) + (" …" if len(names) > _NAMED else "")


def _carried(assigned: Assigned, r: Mapping[str, Axes], own: Mapping[str, Shape], how: Message) -> Carried:
    used = {piece.name for pieces in assigned.values() for piece in pieces}
    tied = _shared({name: assigned[name] for name in r if name in assigned})
    return Carried(
        shapes=dict(own),
        axes=r,
        pieces=assigned,
        missing=tuple(name for name in r if name not in assigned or name in tied),
        extra=tuple(name for name in own if name not in used),
        tied=tied,
        how=how,
    )


def _mapped(
    r: Mapping[str, Axes], weight_map: Mapping[str, Sequence[str]], settings: ModelSettings
) -> Iterator[tuple[str, list[str], bool]]:
    for pattern, own in weight_map.items():
        each = [o.replace("{h}", str(h)) for o in own for h in range(settings.n_head if "{h}" in o else 1)]
        for j in range(settings.n_layer) if "{j}" in pattern else (0,):
            name = pattern.replace("{j}", str(j))
            if name in r:
                yield name, [o.replace("{j}", str(j)) for o in each], len(own) == 1 < len(each)


def _misfit(name: str, pieces: Sequence[Piece], axes: Axes, own: Mapping[str, Shape]) -> Message:
    absent = [piece.name for piece in pieces if piece.name not in own]
    if absent or not pieces:
        return say("weight_map: there is no parameter {own} (for {name})", own=", ".join(absent), name=name)
    if len({(piece.name, piece.rows) for piece in pieces}) < len(pieces):
        return say("weight_map: {name} has one parameter twice", name=name)
    yours = ", ".join(f"{piece.spelt(axes)} {shape_of(piece, own)}" for piece in pieces)
    return say("weight_map: {name} has shape {shape}, yours {own}", name=name, shape=str(axes.shape), own=yours)


def _shared(assigned: Assigned) -> dict[str, str]:
    """Tied weights: a parameter that stands for two of R's is the earlier one's, and the later one shares it."""
    first: dict[tuple[str, object], str] = {}
    tied: dict[str, str] = {}
    for name, pieces in assigned.items():
        for piece in pieces:
            if first.setdefault((piece.name, piece.rows), name) != name:
                tied[name] = first[piece.name, piece.rows]
    return tied


def _by_head(pieces: Sequence[Piece], axes: Axes) -> list[str]:
    """The pieces as they are spelt; those that are alike but for the heads' numbers, joined."""
    groups: dict[object, list[str]] = {}
    for piece in pieces:
        groups.setdefault(tuple(cut for cut in piece.at if cut[0] != "h"), []).append(piece.spelt(axes))
    joined = [_alike(names, "{h}") for names in groups.values()]
    return [name for name in joined if name] if all(joined) else [piece.spelt(axes) for piece in pieces]


def _by_block(lines: Mapping[str, list[str]]) -> dict[str, str | list[str]]:
    """Lines that are alike but for the blocks' numbers, joined."""
    kinds: dict[str, list[str]] = {}
    for name in lines:
        kinds.setdefault(re.sub(r"\.\d+\.", ".{j}.", name, count=1), []).append(name)
    said: dict[str, str | list[str]] = {}
    for kind, names in kinds.items():
        patterns = [_alike(own, "{j}") for own in zip(*(lines[name] for name in names), strict=False)]
        together = {kind: [pattern for pattern in patterns if pattern]}
        for name, own in (together if all(patterns) else {name: lines[name] for name in names}).items():
            said[name] = own if len(own) > 1 else own[0]
    return said


def _alike(names: Sequence[str], letter: str) -> str | None:
    """The name with a letter where the names count from 0; None where they differ otherwise."""
    tokens = list(zip(*(re.split(r"(\d+)", name) for name in names), strict=False))
    counted = tuple(str(i) for i in range(len(names)))
    if any(len({*token}) > 1 and token != counted for token in tokens):
        return None
    return "".join(letter if token == counted and len(names) > 1 else token[0] for token in tokens)
