"""What a submission's parameters may be where neither names nor a `weight_map` say it: assignments that fit."""

import math
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import permutations, product

from pygpt.layouts.pieces import Assigned, Axes, Piece, Shape, shape_of
from pygpt.settings import ModelSettings

_MOST = 200  # assignments by numbers
_Slot = tuple[str, Piece]
"""R's name, and which part of it: the piece's own name is empty."""


def by_order(rest_r: Mapping[str, Axes], rest_own: Mapping[str, Shape], settings: ModelSettings) -> list[Assigned]:
    """The assignments whose sizes fit in the order of building."""
    fits: list[Assigned] = []
    for slots in _orders(rest_r, settings, len(rest_own)):
        assigned: Assigned = {}
        if all(
            next(rest_r[name].orders(part, shape), None) is not None
            for (name, part), shape in zip(slots, rest_own.values(), strict=True)
        ):
            for (name, part), own in zip(slots, rest_own, strict=True):
                assigned[name] = (*assigned.get(name, ()), replace(part, name=own))
            if assigned not in fits:
                fits.append(assigned)
    # Where the names number the blocks, the numbers must go with R's.
    return [fit for fit in fits if _numbered_alike(fit)] or fits


def by_numbers(
    rest_r: Mapping[str, Axes],
    rest_own: Mapping[str, Shape],
    settings: ModelSettings,
    ones: Callable[[], Collection[str]],
) -> list[Assigned]:
    """The assignments that fit whatever the order, where the names number the blocks: `W1_0`, `W1_1`; at most 200.

    Only of a norm's weights are all 1 when they are new.
    """
    r_kinds = _kinds({name: axes.shape for name, axes in rest_r.items()}, settings.n_layer)
    own_kinds = _kinds(rest_own, settings.n_layer)
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
    if math.prod(math.factorial(len(kinds)) for kinds in of_r.values()) > _MOST:
        return []
    names = [kind for kinds in of_r.values() for kind in kinds]
    ways = product(*(permutations(of_own[group]) for group in of_r))
    return [_assigned(names, [kind for kinds in way for kind in kinds], settings.n_layer) for way in ways]


def readings(
    assigned: Assigned, own: Mapping[str, Shape], axes: Mapping[str, Axes], guessed: Collection[str]
) -> Iterator[Assigned]:
    """An assignment with its axes in every order in which they can be read, alike in all blocks; R's orders first.

    Args:
        guessed: R's names whose pieces are not said to be query, key and value in this order.
    """
    kinds: dict[str, list[str]] = {}
    for name in assigned:
        kinds.setdefault(re.sub(r"\.\d+\.", ".{j}.", name, count=1), []).append(name)
    threes = [name for name in guessed if len(assigned.get(name, ())) > 1 and assigned[name][0].at[:1] == _QUERY]
    turns = _turns(assigned, threes) if threes else [(0, 1, 2)]
    choices = [_choices(assigned[names[0]], own, axes[names[0]]) for names in kinds.values()]
    for turn, orders in ((turn, orders) for orders in product(*choices) for turn in turns):
        chosen = dict(zip(kinds, orders, strict=True))
        weight, bias = (chosen.get(f"MH.{{j}}.in_proj_{kind}", "") for kind in ("weight", "bias"))
        if not weight or not bias or weight.replace("d", "") == bias:
            yield {
                name: _read(assigned[name], chosen[kind], turn if name in threes else (0, 1, 2))
                for kind, names in kinds.items()
                for name in names
            }


_QUERY = (("s", 0, 1),)


def _choices(pieces: Sequence[Piece], own: Mapping[str, Shape], axes: Axes) -> list[str]:
    """The orders in which each of these pieces can be read; an order that was said alone."""
    if any(piece.order for piece in pieces):
        return [""]
    each = [[*axes.orders(piece, shape_of(piece, own))] for piece in pieces]
    return [order for order in each[0] if all(order in orders for orders in each)]


def _read(pieces: Sequence[Piece], order: str, turn: Sequence[int]) -> tuple[Piece, ...]:
    """The pieces in this order of axes, with query, key and value, as they come, at these places; in R's order."""
    made = []
    for piece in pieces:
        at = tuple((axis, turn[start] if axis == "s" and n == 1 else start, n) for axis, start, n in piece.at)
        made.append(replace(piece, order=piece.order or order, at=at))
    return tuple(sorted(made, key=lambda piece: piece.at))


def _turns(assigned: Assigned, threes: Sequence[str]) -> list[tuple[int, ...]]:
    """The places that the first, second and third of query, key and value may have: those that names tell first."""
    first = {start: piece.name for name in threes[:1] for piece in assigned[name] for _, start, _ in piece.at[:1]}
    told = [_told(name, [other for other in first.values() if other != name]) for name in first.values()]
    turns: list[tuple[int, ...]] = list(permutations(range(3)))
    if sorted(told) == [0, 1, 2]:
        turns.sort(key=lambda turn: turn != tuple(told))
    return turns


def _told(name: str, others: Sequence[str]) -> int:
    """0 for a query, 1 for a key, 2 for a value, by what is in this name alone; -1 where it does not tell."""
    words = re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower())
    elsewhere = {word for other in others for word in re.findall(r"[a-z]+", other.lower())}
    own = [word for word in words if word not in elsewhere]
    told = {i for word in own for i, pattern in enumerate(_MEANS) if re.fullmatch(pattern, word)}
    return told.pop() if len(told) == 1 else -1


_MEANS = (
    r".*(query|queries|consulta).*|[wub]?q[sw]?|q(proj|lin)",
    r".*(key|chave).*|[wub]?k[sw]?|k(proj|lin)",
    r".*(value|valor).*|[wub]?v[sw]?|v(proj|lin)",
)


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


def _numbered_alike(fit: Assigned) -> bool:
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


def _orders(rest_r: Mapping[str, Axes], settings: ModelSettings, count: int) -> Iterator[list[_Slot]]:
    """The orders in which ports are built: by kind (R) or by block, parts in any order, attention in any pieces.

    Args:
        count: how many pieces there are.
    """
    attends = any("in_proj" in name for name in rest_r)
    cuts = [cut for cut in _CUTS[: None if attends else 1] if len(_slots(list(rest_r), cut, settings)) == count]
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
                for cut in cuts:
                    yield _slots(names, cut, settings)


# The loops in which the attention's input projection is made: `w` over weight and bias, `s` over query, key and value,
# `h` over heads; what is not looped over is in one parameter.
_CUTS = ("w", "sw", "ws", "hw", "hsw", "shw", "hws", "wsh")


def _slots(names: Sequence[str], cut: str, settings: ModelSettings) -> list[_Slot]:
    return [slot for name in names for slot in _in_pieces(name, names, cut, settings.n_head)]


def _in_pieces(name: str, names: Sequence[str], cut: str, heads: int) -> list[_Slot]:
    if "in_proj" not in name:
        return [(name, Piece(""))]
    weight = name.replace("in_proj_bias", "in_proj_weight")
    both = [n for n in (weight, name.replace("in_proj_weight", "in_proj_bias")) if n in names]
    if name != both[0]:
        return []  # it has come with its weight
    lengths = {"w": len(both), "s": 3, "h": heads}
    turns = [dict(zip(cut, turn, strict=True)) for turn in product(*(range(lengths[axis]) for axis in cut))]
    return [(both[at["w"]], Piece("", at=tuple((a, at[a], 1) for a in "sh" if a in at))) for at in turns]
