"""R's matrix products by oneDNN: the bits of MKL, which libtorch takes, on some processors in half the time.

With the recordings' kernels MKL sums 192 products of a dot product, starts anew, and adds these sums in their order.
oneDNN sums that many in one go. So, given 192 at a time, it makes the same roundings. Elsewhere MKL may cut otherwise:
whoever takes these products compares the bits first (`exactness` does, and measures whether it pays).
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import torch
from torch import Tensor

from pygpt.determinism import on_threads

_PART = 192
_ONEDNN = getattr(torch.ops.mkldnn, "_linear_pointwise", None)
# Multiplications below which no library is worth a choice.
_WORTH = 1 << 20


def by_onednn(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Callable[..., Tensor]]:
    """What computes this operation of torch (`aten.mm`, `aten.addmm`) by oneDNN; empty where that does not apply."""
    if function is torch.ops.aten.mm.default:
        own: Callable[..., Tensor] = product
        matrices = args
    elif function is torch.ops.aten.addmm.default and args[0].dim() == 1:
        own, matrices = _biased, args[1:]
    else:
        return []
    a, b = matrices
    worth = a.shape[0] * a.shape[1] * b.shape[1] >= _WORTH
    usual = all(x.dtype == torch.float32 and x.device.type == "cpu" and _is_dense(x) for x in (a, b))
    if not worth or not usual or kwargs or _ONEDNN is None:
        return []
    # oneDNN does not share out the products of two transposes, which the gradients of weights are.
    return [own, in_columns] if own is product and not a.is_contiguous() and torch.get_num_threads() > 1 else [own]


def product(a: Tensor, b: Tensor, bias: Tensor | None = None) -> Tensor:
    """a b + bias, in parts of 192 columns of `a`, which are added in their order.

    Args:
        a: (m, k), contiguous or the transpose of what is.
        b: (k, n), likewise.
        bias: (n,)

    Returns:
        (m, n), contiguous.
    """
    transposed = not a.is_contiguous()
    if transposed and bias is None and a.shape[0] > b.shape[1]:
        return product(b.t(), a.t()).t().contiguous()  # the narrower one first: it is the one that is put in order
    total: Tensor | None = None
    for i in range(0, a.shape[1], _PART):
        weight = b[i : i + _PART].t()
        # oneDNN is very slow with a weight that is cut out of a wider one.
        weight = weight if transposed else weight.contiguous()
        part: Tensor = _ONEDNN(a[:, i : i + _PART], weight, bias if total is None else None, "none", [], "")  # type: ignore[misc]
        total = part if total is None else total.add_(part)
    assert total is not None
    return total


def in_columns(a: Tensor, b: Tensor) -> Tensor:
    """The same, `b`'s columns in as many blocks as torch has threads, each block on a thread of its own."""
    blocks = b.chunk(torch.get_num_threads(), dim=1)
    others = [_threads().submit(_block, a, block) for block in blocks[1:]]
    return torch.cat([_block(a, blocks[0]), *(other.result() for other in others)], dim=1)


def _block(a: Tensor, b: Tensor) -> Tensor:
    with torch.no_grad(), on_threads(1):
        return product(a, b.contiguous())  # oneDNN is very slow with what is cut out of a wider one


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(thread_name_prefix="products")


def _biased(bias: Tensor, a: Tensor, b: Tensor) -> Tensor:
    return product(a, b, bias)


def _is_dense(matrix: Tensor) -> bool:
    return matrix.is_contiguous() or matrix.t().is_contiguous()
