"""Dropout in another place, with another share, left out or too much: what is tried where only training parts."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from torch import Tensor
from torch.nn import functional

from pygpt.parity.modules.calls import Instead, Key, Traced, then, with_argument

_PLACES = (
    "linear", "conv1d", "conv2d", "conv3d", "batch_norm", "layer_norm", "group_norm", "embedding", "softmax", "relu",
    "gelu", "tanh", "elu", "silu", "sigmoid", "leaky_relu", "prelu", "selu", "add", "__add__", "matmul", "bmm", "mul",
    "cat", "lstm", "gru", "max_pool2d", "flatten", "multi_head_attention_forward", "mean",
)  # fmt: skip


def moved(calls: Sequence[Traced], shares: Sequence[float]) -> Iterator[tuple[str, dict[Key, Instead]]]:
    """What is tried, the likeliest first: a sentence, and what to do at which call.

    Args:
        shares: of R's dropouts, where they are known.
    """
    drops = [call for call in calls if call.function == "dropout"]
    places = [call for call in calls if call.function in _PLACES and _tensor(call.result) is not None]
    shares = tuple(dict.fromkeys([*shares, *(float(call.argument("p", 1, 0.5)) for call in drops)]))
    for drop in drops:
        p, without = float(drop.argument("p", 1, 0.5)), {drop.key: _passed}
        for other in sorted(places, key=lambda place: abs(place.number - drop.number)):
            text = f"dropout in another place: R drops {_where(other)}, the port {_after(drop, calls)}"
            yield text, {**without, other.key: _dropped(p)}
    for drop in drops:
        if isinstance(drop.args[0], Tensor) and drop.args[0].dim() > 2:
            text = f"dropout {_where(drop)} draws its mask batch first: libtorch's recurrent layers draw it time first"
            yield text, {drop.key: _time_first}
        yield "a dropout that R's module has not", {drop.key: _passed}
        own = float(drop.argument("p", 1, 0.5))
        if own != 0.5:
            yield f"dropout with p={own:g}: R's p is {1 - own:g}", {drop.key: with_argument("p", 1, 1 - own)}
    for p in shares or (0.1, 0.2, 0.3, 0.5):
        for other in places:
            yield f"a dropout left out: R drops {_where(other)}, p = {p:g}", {other.key: _dropped(p)}


def _passed(_: Any, args: Sequence[Any], kwargs: Mapping[str, Any], layer: Any) -> Any:
    return args[0] if args else kwargs["input"]


def _time_first(function: Any, args: Sequence[Any], kwargs: Mapping[str, Any], layer: Any) -> Any:
    x = args[0].transpose(0, 1).contiguous()
    return function(x, *args[1:], **kwargs).transpose(0, 1)


def _dropped(p: float) -> Instead:
    def drop(out: Any, args: Any, layer: Any) -> Any:
        if isinstance(out, Tensor):
            return functional.dropout(out, p, layer.training)
        return (functional.dropout(out[0], p, layer.training), *out[1:])

    return then(drop)


def _tensor(result: Any) -> Tensor | None:
    one = result[0] if isinstance(result, tuple) and result else result
    return one if isinstance(one, Tensor) and one.is_floating_point() else None


def _where(call: Traced) -> str:
    return (
        f"after {call.function}()"
        + (f" of {call.layer}" if call.layer else "")
        + (f" ({call.line})" if call.line else "")
    )


def _after(drop: Traced, calls: Sequence[Traced]) -> str:
    before = [call for call in calls if call.number < drop.number and call.result is drop.args[0]]
    return _where(before[-1]) if before else "elsewhere"
