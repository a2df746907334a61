"""Ways in which parameters without a name in common can fit: by value, by shape and order of building, in pieces."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice, permutations, product

import torch
from torch import Tensor

Way = dict[str, list[str]]
"""R's name with one or several of the port's, as a weight map says them."""

_MOST = 256  # ways in all
_ORDERS = 24  # of one shape
_PIECES = (2, 3, 4)  # that one of R's may be cut into: key and value; query, key and value; a LSTM's gates


def ways(r: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> Iterator[tuple[Way, dict[str, str]]]:
    """What the parameters that are left may be, the likeliest first, and how each was recognized; at most 256.

    Args:
        r: R's, in R's order.
        own: the port's, as they are first, in the order of building.
    """
    equal = _by_value(r, own)
    both = [_of_rest(r, own, known) for known in ([equal, {}] if equal else [{}])]
    yield from islice(chain(*(islice(one, _MOST // 2) for one in both)), _MOST)


def _of_rest(
    r: Mapping[str, Tensor], own: Mapping[str, Tensor], known: Mapping[str, str]
) -> Iterator[tuple[Way, dict[str, str]]]:
    rest_r = {name: t for name, t in r.items() if name not in known}
    rest_own = {name: t for name, t in own.items() if name not in known.values()}
    by = {**dict.fromkeys(rest_r, "shape"), **dict.fromkeys(known, "value")}
    for way in _by_shape(rest_r, rest_own):
        plain = {**{name: [other] for name, other in known.items()}, **way}
        square = [name for name in way if r[name].dim() == 2 and r[name].shape[0] == r[name].shape[1]]
        yield plain, by
        if square:
            # people who write x @ W have all of their weights so
            yield {**plain, **{name: [f"{one}.T" for one in way[name]] for name in square}}, by


def _by_value(r: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, str]:
    """The same seed gives the same first weights: what is equal to the bit may be the same parameter."""
    free, equal = dict(own), {}
    for name, tensor in r.items():
        same = [n for n, t in free.items() if t.shape == tensor.shape and torch.equal(t.detach(), tensor)]
        if len(same) == 1 and tensor.is_floating_point() and bool((tensor != tensor.reshape(-1)[:1]).any()):
            equal[name] = same[0]
            del free[same[0]]
    return {name: other for name, other in equal.items() if _beside(name, other, r, own)}


def _beside(name: str, other: str, r: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> bool:
    """Whether the biases go with the weights: two layers that are built first begin alike, whatever they are for."""
    bias, other_bias = (one.rpartition(".")[0] + ".bias" for one in (name, other))
    return bias not in r or other_bias not in own or torch.equal(r[bias], own[other_bias].detach())


def _by_shape(r: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> Iterator[Way]:
    whole = [name for name in r if any(alike(r[name].shape, t.shape) for t in own.values())]
    free, cut = list(own), {}
    for name in (name for name in r if name not in whole):
        pieces = next(_runs(r[name].shape, free, own), None)
        if pieces:
            cut[name] = pieces
            free = [other for other in free if other not in pieces]
    choices: list[list[Way]] = []
    for shape in dict.fromkeys(_sorted(r[name].shape) for name in whole):
        names = [name for name in whole if _sorted(r[name].shape) == shape]
        others = [other for other in free if _sorted(own[other].shape) == shape]
        orders = islice(permutations(others, min(len(names), len(others))), _ORDERS)
        choices.append([{n: [o] for n, o in zip(names, order, strict=False)} for order in orders])
    kinds: dict[str, list[str]] = {}  # a weight and a bias that are cut alike have their pieces in one order
    for name in cut:
        kinds.setdefault(name.rpartition(".")[0], []).append(name)
    for names in kinds.values():
        same = [name for name in names if len(cut[name]) == len(cut[names[0]])]
        orders_of = permutations(range(len(cut[names[0]])))
        choices.append([{name: [cut[name][i] for i in order] for name in same} for order in orders_of])
    for choice in product(*choices):
        yield {name: pieces for one in choice for name, pieces in one.items()}


def _runs(shape: Sequence[int], free: Sequence[str], own: Mapping[str, Tensor]) -> Iterator[list[str]]:
    """Neighbours that make up a parameter's rows together."""
    for count, step in product(_PIECES, (1, 2)):  # a weight and a bias by turns
        for start in range(len(free) - (count - 1) * step):
            run = list(free[start : start + (count - 1) * step + 1 : step])
            shapes = [own[name].shape for name in run]
            if (
                len(shape)
                and all(len(s) and s[1:] == tuple(shape)[1:] for s in shapes)
                and sum(s[0] for s in shapes) == shape[0]
            ):
                yield run


def alike(a: Sequence[int], b: Sequence[int]) -> bool:
    """The same shape, axes of 1 aside; or transposed."""
    a, b = [n for n in a if n != 1], [n for n in b if n != 1]
    return a == b or (len(a) == 2 and a == b[::-1])


def _sorted(shape: Sequence[int]) -> tuple[int, ...]:
    return tuple(sorted(n for n in shape if n != 1))
