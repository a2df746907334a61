"""Which of a submission's parameters is which of R's: by name, by `weight_map`, else by shape and building order."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import permutations

import torch
from torch import Tensor

from pygpt.output.messages import Message, say
from pygpt.settings import ModelSettings

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Piece:
    """One of the submission's parameters, as part of one of R's: pieces are stacked along the first dimension."""

    name: str
    transposed: bool = False


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
    how: Message = field(default_factory=lambda: say("by R's names"))

    def to_own(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """R's weights under the submission's names; its extra biases become zero."""
        own: dict[str, Tensor] = {}
        for name, pieces in self.pieces.items():
            if name in self.tied:
                continue
            sizes = [_shape(self.shapes, piece)[0] for piece in pieces]
            for piece, part in zip(pieces, torch.split(weights[name], sizes), strict=True):
                own[piece.name] = part.T if piece.transposed else part
        for name in self.extra:
            if name.endswith("bias"):
                own[name] = torch.zeros(self.shapes[name])
        return own

    def to_r(self, own: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The submission's tensors under R's names, as far as it has them; of tied ones the one that holds both."""
        return {
            name: torch.cat([own[p.name].T if p.transposed else own[p.name] for p in pieces])
            for name, pieces in self.pieces.items()
            if name not in self.tied
        }


class UnclearError(Exception):
    """The parameters cannot be told apart; `message` says what to add."""

    def __init__(self, message: Message) -> None:
        super().__init__(message.template)
        self.message = message


def carry(
    r_shapes: Mapping[str, Shape],
    own: Mapping[str, Shape],
    aliases: Mapping[str, str],
    weight_map: Mapping[str, Sequence[str]],
    settings: ModelSettings,
) -> Carried:
    """Find the counterpart of each of R's parameters.

    Args:
        r_shapes: R's parameters in R's order.
        own: the submission's, in the order they were built.
        aliases: further names of shared parameters.
        weight_map: R's name to one or several of the submission's; `{j}` stands for a block's number, a trailing `.T`
            for the transpose.

    Raises:
        UnclearError: several assignments fit, or none, or `weight_map` names what is not there.
    """
    assigned: dict[str, tuple[Piece, ...]] = {}
    how = say("by R's names")
    for name, named in _mapped(r_shapes, weight_map, settings):
        pieces = tuple(Piece(aliases.get(piece.name, piece.name), piece.transposed) for piece in named)
        _check_mapped(name, pieces, r_shapes[name], own)
        assigned[name], how = pieces, say("by the submission's weight_map")
    for name, shape in r_shapes.items():
        if name not in assigned and own.get(name) == shape:
            assigned[name] = (Piece(name),)
    tied = {
        name: aliases[name] for name in r_shapes if name in aliases and name not in assigned and aliases[name] in own
    }
    rest_r = {name: shape for name, shape in r_shapes.items() if name not in assigned and name not in tied}
    used = {piece.name for pieces in assigned.values() for piece in pieces}
    rest_own = {name: shape for name, shape in own.items() if name not in used}
    if rest_r and rest_own:
        guessed = _by_order(rest_r, rest_own, settings)
        if guessed is None and aliases and "ln_f.weight" in rest_r:
            # Tied weights: the output layer has no parameter of its own.
            guessed = _by_order({n: s for n, s in rest_r.items() if n != "ln_f.weight"}, rest_own, settings)
            tied |= {} if guessed is None else {"ln_f.weight": "wte.weight"}
        if guessed is not None:
            assigned |= guessed
            how = say("by shape and building order (no names in common with R, no weight_map)")
        elif len(assigned) < len(r_shapes) // 2:
            raise UnclearError(
                say(
                    "the weights cannot be carried over: names, shapes and building order do not tell which parameter "
                    "is R's {name}. Add to your file: {line}",
                    name=next(iter(rest_r)),
                    line=f'weight_map = {{"{next(iter(rest_r))}": "your.name"}}',
                )
            )
    used = {piece.name for pieces in assigned.values() for piece in pieces}
    tied |= _shared(assigned)
    return Carried(
        shapes=dict(own),
        pieces=assigned,
        missing=tuple(name for name in r_shapes if name not in assigned),
        extra=tuple(name for name in own if name not in used),
        tied=tied,
        how=how,
    )


def _mapped(
    r_shapes: Mapping[str, Shape], weight_map: Mapping[str, Sequence[str]], settings: ModelSettings
) -> Iterator[tuple[str, tuple[Piece, ...]]]:
    for pattern, own in weight_map.items():
        for j in range(settings.n_layer) if "{j}" in pattern else (0,):
            name = pattern.replace("{j}", str(j))
            if name in r_shapes:
                named = [o.replace("{j}", str(j)) for o in own]
                yield name, tuple(Piece(n.removesuffix(".T"), n.endswith(".T")) for n in named)


def _check_mapped(name: str, pieces: tuple[Piece, ...], shape: Shape, own: Mapping[str, Shape]) -> None:
    absent = [piece.name for piece in pieces if piece.name not in own]
    if absent or not pieces:
        raise UnclearError(
            say("weight_map: there is no parameter {own} (for {name})", own=", ".join(absent), name=name)
        )
    shapes = [_shape(own, piece) for piece in pieces]
    # A single number cannot be stacked: its shape is ().
    stacked = (sum(s[0] for s in shapes), *shapes[0][1:]) if all(shapes) else ()
    if stacked != shape or any(s[1:] != shape[1:] for s in shapes):
        raise UnclearError(
            say("weight_map: {name} has shape {shape}, yours {own}", name=name, shape=str(shape), own=str(stacked))
        )


def _shape(own: Mapping[str, Shape], piece: Piece) -> Shape:
    shape = own[piece.name]
    return tuple(reversed(shape)) if piece.transposed else shape


def _shared(assigned: Mapping[str, tuple[Piece, ...]]) -> dict[str, str]:
    """Tied weights that a weight_map names twice: the later of R's names shares the earlier one's."""
    first: dict[tuple[Piece, ...], str] = {}
    return {name: first[pieces] for name, pieces in assigned.items() if first.setdefault(pieces, name) != name}


_Slot = tuple[str, Shape]


def _by_order(
    rest_r: Mapping[str, Shape], rest_own: Mapping[str, Shape], settings: ModelSettings
) -> dict[str, tuple[Piece, ...]] | None:
    """The one assignment whose shapes fit in the order of building; None where none fits.

    Raises:
        UnclearError: several fit, or query, key and value cannot be told apart.
    """
    names, shapes = list(rest_own), list(rest_own.values())
    fits: list[dict[str, tuple[Piece, ...]]] = []
    for slots in _orders(rest_r, settings):
        if [shape for _, shape in slots] != shapes:
            continue
        assigned: dict[str, tuple[Piece, ...]] = {}
        for (r_name, _), name in zip(slots, names, strict=True):
            assigned[r_name] = (*assigned.get(r_name, ()), Piece(name))
        assigned = {r_name: _query_key_value(r_name, pieces) for r_name, pieces in assigned.items()}
        if assigned not in fits:
            fits.append(assigned)
    # Where the names number the blocks, the numbers must go with R's.
    fits = [fit for fit in fits if _numbered_alike(fit)] or fits
    if len(fits) > 1:
        differ = next(name for name in fits[0] if fits[0][name] != fits[1].get(name))
        raise UnclearError(
            say(
                "several assignments of the weights fit: {name} may be {a} or {b}. Add to your file: {line}",
                name=differ,
                a=fits[0][differ][0].name,
                b=fits[1][differ][0].name,
                line=f'weight_map = {{"{differ}": "{fits[0][differ][0].name}"}}',
            )
        )
    return fits[0] if fits else None


def _numbered_alike(fit: Mapping[str, tuple[Piece, ...]]) -> bool:
    """Whether all parts of one of R's blocks share a number in the submission's names, and no two blocks do."""
    of_block: dict[str, set[str]] = {}
    for r_name, pieces in fit.items():
        block = r_name.split(".")[1] if r_name.split(".")[1].isdigit() else "none"
        of_block.setdefault(block, set()).update(_number(piece.name) for piece in pieces)
    numbers = [number for own in of_block.values() for number in own]
    return all(len(own) == 1 for own in of_block.values()) and len(set(numbers)) == len(numbers)


def _number(name: str) -> str:
    parts = name.split(".")
    first = parts[0][len(parts[0].rstrip("0123456789")) :]
    return next((part for part in parts if part.isdigit()), first)


def _orders(rest_r: Mapping[str, Shape], settings: ModelSettings) -> Iterator[list[_Slot]]:
    """The orders in which ports are built: by kind (R) or by block, parts in any order, qkv in one or in three."""
    kinds = [kind for kind in ("MH", "scale1", "scale2", "FFN") if any(n.startswith(kind + ".") for n in rest_r)]
    norms = [kind for kind in kinds if kind.startswith("scale")]
    arranged = [p for p in permutations(kinds) if [kind for kind in p if kind in norms] == norms]
    blocks = range(settings.n_layer)
    for embeddings in (("wpe", "wte"), ("wte", "wpe")):
        for parts in arranged:
            by_kind = [f"{kind}.{j}" for kind in parts for j in blocks]
            by_block = [f"{kind}.{j}" for j in blocks for kind in parts]
            after_norms = by_kind.index(f"scale2.{settings.n_layer - 1}") + 1 if "scale2" in parts else len(by_kind)
            with_norm = [*by_kind[:after_norms], "scale3", *by_kind[after_norms:]]
            for middle in ([*by_kind, "scale3"], [*by_block, "scale3"], ["scale3", *by_block], with_norm):
                modules = [*embeddings, *middle, "ln_f"]
                names = [n for m in modules for n in rest_r if n == m or n.startswith(m + ".")]
                yield [(n, rest_r[n]) for n in names]
                yield [slot for n in names for slot in _in_three(n, rest_r, names)]


def _in_three(name: str, rest_r: Mapping[str, Shape], names: Sequence[str]) -> list[_Slot]:
    """Query, key and value as three linear layers: weight, bias, weight, bias, weight, bias."""
    if name.endswith("in_proj_bias"):
        return []
    if not name.endswith("in_proj_weight"):
        return [(name, rest_r[name])]
    bias = name.replace("weight", "bias")
    third = (rest_r[name][0] // 3, rest_r[name][1])
    return [(name, third), (bias, third[:1])] * 3 if bias in names else [(name, third)] * 3


def _query_key_value(r_name: str, pieces: tuple[Piece, ...]) -> tuple[Piece, ...]:
    if len(pieces) == 1:
        return pieces
    by_letter: dict[str, Piece] = {}
    common = [set(piece.name.split(".")) for piece in pieces]
    for piece, own in zip(pieces, common, strict=True):
        differing = own - common[0].intersection(*common[1:])
        letters = {letter for part in differing for letter in "qkv" if _means(part.lower(), letter)}
        if len(letters) == 1:
            by_letter[letters.pop()] = piece
    if set(by_letter) != set("qkv"):
        raise UnclearError(
            say(
                "query, key and value cannot be told apart by their names ({names}). Add to your file: {line}",
                names=", ".join(p.name for p in pieces),
                line=f'weight_map = {{"{r_name}": ["query\'s", "key\'s", "value\'s"]}}',
            )
        )
    return tuple(by_letter[letter] for letter in "qkv")


def _means(part: str, letter: str) -> bool:
    word = {"q": "query", "k": "key", "v": "value"}[letter]
    bare = part.removeprefix("w").removesuffix("proj").removesuffix("lin").strip("_")
    return word in part or bare in (letter, f"w{letter}", f"to_{letter}", f"u{letter}", f"{letter}w")
