"""Which of a submission's parameters is which of R's: by name, by `weight_map`, else by what fits (`guesses`)."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from pygpt.grading.guesses import Assigned, Piece, Shape, by_numbers, by_order, seen_as
from pygpt.output.messages import Message, say
from pygpt.settings import ModelSettings


@dataclass(frozen=True)
class Carried:
    """Where R's weights go in a submission's model."""

    shapes: Mapping[str, Shape]
    """The submission's parameters."""
    pieces: Mapping[str, tuple[Piece, ...]]
    """For each of R's names that has a counterpart, its pieces."""
    missing: tuple[str, ...] = ()
    """R's names without a counterpart; `tied` ones share another's."""
    extra: tuple[str, ...] = ()
    """The submission's parameters that R does not have."""
    tied: Mapping[str, str] = field(default_factory=dict)
    ndims: Mapping[str, int] = field(default_factory=dict)
    """Dimensions of R's parameters."""
    how: Message = field(default_factory=lambda: say("by R's names"))

    def to_own(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """R's weights under the submission's names; its extra biases become zero."""
        own: dict[str, Tensor] = {}
        for name, pieces in self.pieces.items():
            if name in self.tied:
                continue
            sizes = [seen_as(self.shapes[piece.name], piece, weights[name].ndim)[0] for piece in pieces]
            for piece, part in zip(pieces, torch.split(weights[name], sizes), strict=True):
                shape = self.shapes[piece.name]
                own[piece.name] = (
                    part.reshape(shape[:-2] + shape[:-3:-1]).mT if piece.transposed else part.reshape(shape)
                )
        for name in self.extra:
            if name.endswith("bias"):
                own[name] = torch.zeros(self.shapes[name])
        return own

    def to_r(self, own: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The submission's tensors under R's names, as far as it has them; of tied ones the one that holds both."""
        return {
            name: torch.cat(
                [
                    (own[p.name].mT if p.transposed else own[p.name]).reshape(
                        seen_as(self.shapes[p.name], p, self.ndims[name])
                    )
                    for p in pieces
                ]
            )
            for name, pieces in self.pieces.items()
            if name not in self.tied
        }


class UnclearError(Exception):
    """The parameters cannot be told apart; `message` says what to add."""

    def __init__(self, message: Message, fits: Sequence[Carried] = ()) -> None:
        super().__init__(message.template)
        self.message = message
        self.fits = fits
        """What it may be: who can ask the model can tell."""


def carry(
    r_shapes: Mapping[str, Shape],
    own: Mapping[str, Shape],
    aliases: Mapping[str, str],
    weight_map: Mapping[str, Sequence[str]],
    settings: ModelSettings,
    elsewhere: Callable[[], Mapping[str, Shape]] = dict,
    ones: Callable[[], Collection[str]] = frozenset,
) -> Carried:
    """Find the counterpart of each of R's parameters.

    Args:
        r_shapes: R's parameters in R's order.
        own: the submission's, in the order they were built.
        aliases: further names of shared parameters.
        weight_map: R's name to one or several of the submission's; `{j}` stands for a block's number, `{h}` for each
            head's in turn, a trailing `.T` for the transpose. Dimensions of 1 are left out, and leading ones joined,
            where R has fewer.
        elsewhere: the parameters of the submission's other model: an entry that fits there alone is passed over.
        ones: names of parameters that are all 1 in a new model.

    Raises:
        UnclearError: several assignments fit, or none, or `weight_map` names what is not there.
    """
    assigned: Assigned = {}
    how = say("by R's names")
    for name, named in _mapped(r_shapes, weight_map, settings):
        pieces = tuple(Piece(aliases.get(piece.name, piece.name), piece.transposed) for piece in named)
        # A list for the heads of a larger model is as long as there are heads here.
        fitting = _fitting(pieces, own, r_shapes[name])
        if not fitting and _fitting(named, elsewhere(), r_shapes[name]):
            continue
        pieces = fitting or pieces
        _check_mapped(name, pieces, r_shapes[name], own)
        assigned[name], how = pieces, say("by the submission's weight_map")
    for name, shape in r_shapes.items():
        piece = Piece(aliases.get(name, name))
        if name not in assigned and piece.name in own and seen_as(own[piece.name], piece, len(shape)) == shape:
            assigned[name] = (piece,)
    rest_r = {name: shape for name, shape in r_shapes.items() if name not in assigned}
    used = {piece.name for pieces in assigned.values() for piece in pieces}
    rest_own = {name: shape for name, shape in own.items() if name not in used}
    fits: list[Assigned] = []
    if rest_r and rest_own:
        fits = by_order(rest_r, rest_own, settings)
        if not fits and aliases and "ln_f.weight" in rest_r:
            # Tied weights: the output layer has no parameter of its own.
            fits = by_order({n: s for n, s in rest_r.items() if n != "ln_f.weight"}, rest_own, settings)
            fits = [{**fit, "ln_f.weight": (fit | assigned)["wte.weight"]} for fit in fits]
        if not fits:
            fits = by_numbers(rest_r, rest_own, settings, ones)
        how = say("by shape and building order (no names in common with R, no weight_map)") if fits else how
    carried = [_carried(assigned | fit, r_shapes, own, how) for fit in fits or [{}]]
    if len(fits) > 1:
        raise UnclearError(_several(fits), carried)
    if not fits and rest_r and rest_own and len(assigned) < len(r_shapes) // 2:
        raise UnclearError(
            say(
                "the weights cannot be carried over: names, shapes and building order do not tell which parameter "
                "is R's {name}. Add to your file: {line}",
                name=next(iter(rest_r)),
                line=f'weight_map = {{"{next(iter(rest_r))}": "your.name"}}',
            )
        )
    return carried[0]


def _carried(assigned: Assigned, r_shapes: Mapping[str, Shape], own: Mapping[str, Shape], how: Message) -> Carried:
    used = {piece.name for pieces in assigned.values() for piece in pieces}
    tied = _shared({name: assigned[name] for name in r_shapes if name in assigned})
    return Carried(
        shapes=dict(own),
        pieces=assigned,
        missing=tuple(name for name in r_shapes if name not in assigned or name in tied),
        extra=tuple(name for name in own if name not in used),
        tied=tied,
        ndims={name: len(shape) for name, shape in r_shapes.items()},
        how=how,
    )


def _mapped(
    r_shapes: Mapping[str, Shape], weight_map: Mapping[str, Sequence[str]], settings: ModelSettings
) -> Iterator[tuple[str, tuple[Piece, ...]]]:
    for pattern, own in weight_map.items():
        each = [o.replace("{h}", str(h)) for o in own for h in range(settings.n_head if "{h}" in o else 1)]
        for j in range(settings.n_layer) if "{j}" in pattern else (0,):
            name = pattern.replace("{j}", str(j))
            if name in r_shapes:
                named = [o.replace("{j}", str(j)) for o in each]
                yield name, tuple(Piece(n.removesuffix(".T"), n.endswith(".T")) for n in named)


def _fitting(pieces: tuple[Piece, ...], own: Mapping[str, Shape], shape: Shape) -> tuple[Piece, ...]:
    """Those of the pieces that are there, if together they have R's shape."""
    there = tuple(piece for piece in pieces if piece.name in own)
    return there if there and _stacked(there, own, shape) == shape else ()


def _check_mapped(name: str, pieces: tuple[Piece, ...], shape: Shape, own: Mapping[str, Shape]) -> None:
    absent = [piece.name for piece in pieces if piece.name not in own]
    if absent or not pieces:
        raise UnclearError(
            say("weight_map: there is no parameter {own} (for {name})", own=", ".join(absent), name=name)
        )
    if len({piece.name for piece in pieces}) < len(pieces):
        raise UnclearError(say("weight_map: {name} has one parameter twice", name=name))
    stacked = _stacked(pieces, own, shape)
    if stacked != shape:
        stacked = stacked if len(pieces) > 1 else own[pieces[0].name]
        raise UnclearError(
            say("weight_map: {name} has shape {shape}, yours {own}", name=name, shape=str(shape), own=str(stacked))
        )


def _stacked(pieces: tuple[Piece, ...], own: Mapping[str, Shape], like: Shape) -> Shape:
    """The shape of pieces on top of each other, as far as they have one."""
    shapes = [seen_as(own[piece.name], piece, len(like)) for piece in pieces]
    if not all(shapes) or any(s[1:] != shapes[0][1:] for s in shapes):
        return ()  # a single number cannot be stacked
    return (sum(s[0] for s in shapes), *shapes[0][1:])


def _shared(assigned: Assigned) -> dict[str, str]:
    """Tied weights: a parameter that stands for two of R's is the earlier one's, and the later one shares it."""
    first: dict[str, str] = {}
    tied: dict[str, str] = {}
    for name, pieces in assigned.items():
        for piece in pieces:
            if first.setdefault(piece.name, name) != name:
                tied[name] = first[piece.name]
    return tied


def _several(fits: Sequence[Assigned]) -> Message:
    differ, other = next((name, fit) for fit in fits[1:] for name in fits[0] if fits[0][name] != fit.get(name))
    a, b = fits[0][differ], other[differ]
    if len(a) > 1:
        return say(
            "query, key and value cannot be told apart by their names ({names}). Add to your file: {line}",
            names=", ".join(piece.name for piece in a),
            line=f'weight_map = {{"{differ}": ["query\'s", "key\'s", "value\'s"]}}',
        )
    return say(
        "several assignments of the weights fit: {name} may be {a} or {b}. Add to your file: {line}",
        name=differ,
        a=a[0].name,
        b=b[0].name,
        line=f'weight_map = {{"{differ}": "{a[0].name}"}}',
    )
