"""Dimensions counted from 1, as R counts them: what is tried on calls that name some."""

from collections.abc import Iterator, Sequence
from typing import Any

from torch import Tensor

from pygpt.parity.modules.calls import Instead, Key, Traced, every_call, with_argument

_FROM_1 = "; R counts dimensions from 1, so its dim = {r} is dim={own} here"

# functions with an argument `dim`, and its place
_DIM = {
    "softmax": 1, "log_softmax": 1, "softmin": 1, "_softmax": 1, "mean": 1, "sum": 1, "var": 1, "std": 1, "cat": 1,
    "concat": 1, "stack": 1, "cumsum": 1, "cumprod": 1, "norm": 2, "logsumexp": 1, "prod": 1, "amax": 1, "amin": 1,
    "max": 1, "min": 1, "flip": 1, "glu": 1, "argmax": 1, "sort": 1, "select": 1, "index_select": 1, "roll": 2,
    "chunk": 2, "split": 2,
}  # fmt: skip
# functions all of whose whole numbers are dimensions
_ALL = ("transpose", "swapaxes", "swapdims", "permute", "squeeze", "unsqueeze", "flatten", "movedim")


def tried_on(call: Traced) -> Iterator[tuple[str, Instead]]:
    """What is tried on one call: a sentence, and what to do in place of it; R's own way first."""
    if call.function in _DIM:
        yield from _other_dims(call, _DIM[call.function])
    dims = _numbers(call.args[1:])
    if call.function in _ALL and dims and all(type(d) is int and d >= 0 for d in dims):
        said = f"{call.function}({', '.join(map(str, dims))})"
        own = ", ".join(str(d - 1) for d in dims)
        yield f"{said} counts dimensions from 1, as R does: here they are {own}", _all_less_1


def everywhere() -> tuple[str, dict[Key, Instead]]:
    """All dimensions of a port counted from 0, for one that stops at the first."""
    ways = {every_call(name): _all_less_1 for name in _ALL} | {every_call(n): _dim_less_1(p) for n, p in _DIM.items()}
    return "dimensions are counted from 1, as R does: here all are one less", ways


def _other_dims(call: Traced, place: int) -> Iterator[tuple[str, Instead]]:
    tensors = [t for t in _numbers(call.args) if isinstance(t, Tensor)]
    own = call.argument("dim", place, 0 if call.function in ("cat", "stack", "chunk", "split") else None)
    if not tensors or type(own) is not int:
        return
    axes = tensors[0].dim()
    here = own % axes if -axes <= own < axes else own
    for dim in sorted((d for d in range(axes) if d != here), key=lambda d: (d != here - 1, d)):
        note = _FROM_1.format(r=dim + 1, own=dim) if dim == here - 1 else ""
        yield f"{call.function}() has dim={own}; with dim={dim} it agrees{note}", with_argument("dim", place, dim)


def _all_less_1(function: Any, args: Any, kwargs: Any, layer: Any) -> Any:
    dims = [_less_1(n) for n in _numbers(args[1:])]
    several = len(args) > 1 and isinstance(args[1], tuple | list)
    return function(args[0], *([dims] if several else dims), **{name: _less_1(value) for name, value in kwargs.items()})


def _dim_less_1(place: int) -> Instead:
    def instead(function: Any, args: Any, kwargs: Any, layer: Any) -> Any:
        own = kwargs.get("dim", args[place] if len(args) > place else None)
        if type(own) is not int or own < 1:
            return function(*args, **kwargs)
        return with_argument("dim", place, own - 1)(function, args, kwargs, layer)

    return instead


def _less_1(value: Any) -> Any:
    return value - 1 if type(value) is int and value > 0 else value


def _numbers(args: Sequence[Any]) -> list[Any]:
    return [n for one in args for n in (one if isinstance(one, tuple | list) else [one])]
