"""What a submission's parameters may be where neither names nor a `weight_map` say it: assignments that fit."""

import math
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations, product

from pygpt.settings import ModelSettings

Shape = tuple[int, ...]
_MOST = 200  # guesses that are tried


@dataclass(frozen=True)
class Piece:
    """One of the submission's parameters, as part of one of R's: pieces are stacked along the first dimension."""

    name: str
    transposed: bool = False


Assigned = dict[str, tuple[Piece, ...]]
"""By R's name."""


def seen_as(shape: Shape, piece: Piece, ndim: int) -> Shape:
    """A parameter's shape where R's has `ndim` dimensions: without those of 1, the first ones joined."""
    if piece.transposed:
        shape = shape[:-2] + shape[:-3:-1]
    if len(shape) > ndim:
        shape = tuple(n for n in shape if n != 1) or (1,)
    joined = len(shape) - ndim + 1
    return (math.prod(shape[:joined]), *shape[joined:]) if joined > 1 else shape


_Slot = tuple[str, Shape]


def by_order(rest_r: Mapping[str, Shape], rest_own: Mapping[str, Shape], settings: ModelSettings) -> list[Assigned]:
    """The assignments whose shapes fit in the order of building."""
    names, shapes = list(rest_own), list(rest_own.values())
    fits: list[Assigned] = []
    for slots in _orders(rest_r, settings):
        if len(slots) != len(shapes) or any(
            seen_as(own, Piece(""), len(shape)) != shape for own, (_, shape) in zip(shapes, slots, strict=True)
        ):
            continue
        assigned: Assigned = {}
        for (r_name, _), name in zip(slots, names, strict=True):
            assigned[r_name] = (*assigned.get(r_name, ()), Piece(name))
        if assigned not in fits:
            fits.append(assigned)
    # Where the names number the blocks, the numbers must go with R's.
    fits = [fit for fit in fits if _numbered_alike(fit)] or fits
    return [ordered for fit in fits for ordered in _query_key_value(fit)]


def by_numbers(
    rest_r: Mapping[str, Shape],
    rest_own: Mapping[str, Shape],
    settings: ModelSettings,
    ones: Callable[[], Collection[str]],
) -> list[Assigned]:
    """The assignments that fit whatever the order, where the names number the blocks: `W1_0`, `W1_1`; at most 200.

    Only of a norm's weights are all 1 when they are new.
    """
    r_kinds, own_kinds = _kinds(rest_r, settings.n_layer), _kinds(rest_own, settings.n_layer)
    new = ones() if len(r_kinds) == len(own_kinds) else ()

    def grouped(kinds: Mapping[str, Shape], is_one: Callable[[str], bool]) -> dict[object, list[str]]:
        groups: dict[object, list[str]] = {}
        for kind, shape in kinds.items():
            groups.setdefault((shape, "{j}" in kind, is_one(kind)), []).append(kind)
        return groups

    of_r = grouped(r_kinds, lambda kind: kind.startswith("scale") and kind.endswith("weight"))
    of_own = grouped(own_kinds, lambda kind: kind.replace("{j}", "0") in new)
    if {group: len(kinds) for group, kinds in of_r.items()} != {group: len(kinds) for group, kinds in of_own.items()}:
        return []
    ways = (permutations(of_own[group]) for group in of_r)
    if math.prod(math.factorial(len(kinds)) for kinds in of_r.values()) > _MOST:
        return []
    names = [kind for kinds in of_r.values() for kind in kinds]
    return [_assigned(names, [kind for kinds in way for kind in kinds], settings.n_layer) for way in product(*ways)]


def _assigned(r_kinds: Sequence[str], own_kinds: Sequence[str], n_layer: int) -> Assigned:
    return {
        r.replace("{j}", str(j)): (Piece(own.replace("{j}", str(j))),)
        for r, own in zip(r_kinds, own_kinds, strict=True)
        for j in range(n_layer if "{j}" in r else 1)
    }


def _kinds(names: Mapping[str, Shape], n_layer: int) -> dict[str, Shape]:
    """Names with `{j}` for the last number that counts the blocks; others as they are. Shapes without those of 1."""
    kinds: dict[str, Shape] = {}
    for name, shape in names.items():
        kind = name
        for number in reversed([*re.finditer(r"\d+", name)]):
            before, after = name[: number.start()], name[number.end() :]
            if all(names.get(f"{before}{j}{after}") == shape for j in range(n_layer)) and int(number[0]) < n_layer:
                kind = f"{before}{{j}}{after}"
                break
        kinds[kind] = tuple(n for n in shape if n != 1)
    return kinds


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


def _query_key_value(fit: Assigned) -> Iterator[Assigned]:
    """The fit with query, key and value in R's order; where their names do not tell, one for each of the six orders."""
    threes = {r_name: _told_by_names(pieces) for r_name, pieces in fit.items() if len(pieces) == 3}
    if all(order is not None for order in threes.values()):
        orders = [{r_name: order for r_name, order in threes.items() if order is not None}]
    else:
        orders = [{r_name: tuple(fit[r_name][i] for i in way) for r_name in threes} for way in permutations(range(3))]
    yield from (fit | order for order in orders)


def _told_by_names(pieces: tuple[Piece, ...]) -> tuple[Piece, ...] | None:
    by_letter: dict[str, Piece] = {}
    common = [set(piece.name.split(".")) for piece in pieces]
    for piece, own in zip(pieces, common, strict=True):
        differing = own - common[0].intersection(*common[1:])
        letters = {letter for part in differing for letter in "qkv" if _means(part.lower(), letter)}
        if len(letters) == 1:
            by_letter[letters.pop()] = piece
    return tuple(by_letter[letter] for letter in "qkv") if set(by_letter) == set("qkv") else None


def _means(part: str, letter: str) -> bool:
    word = {"q": "query", "k": "key", "v": "value"}[letter]
    bare = part.removeprefix("w").removesuffix("proj").removesuffix("lin").strip("_")
    return word in part or bare in (letter, f"w{letter}", f"to_{letter}", f"u{letter}", f"{letter}w")
