"""The mistakes that are tried on a port's calls: for each function, what people give otherwise than R's module does."""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from pygpt.parity.modules.calls import Instead, Traced, then, with_argument

Tried = tuple[str, Instead]
"""The cause in words, and what to do in place of the call."""

_EPS = (1e-5, 1e-6, 1e-3, 1e-8, 1e-12, 1e-7, 1e-4, 1e-2, 0.0)
_MOMENTA = (0.1, 0.01, 0.9, 0.99, 0.2, 0.05, 0.001)
_MODES = ("nearest", "bilinear", "bicubic", "linear")
_SLOPES = (0.01, 0.1, 0.2, 0.3, 0.02, 0.05, 1.0)
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu, "gelu": functional.gelu, "tanh": torch.tanh, "sigmoid": torch.sigmoid, "silu": functional.silu,
    "elu": functional.elu, "selu": functional.selu, "leaky_relu": functional.leaky_relu, "relu6": functional.relu6,
    "softplus": functional.softplus, "mish": functional.mish, "hardtanh": functional.hardtanh, "celu": functional.celu,
    "softsign": functional.softsign, "logsigmoid": functional.logsigmoid, "tanhshrink": functional.tanhshrink,
    "hardswish": functional.hardswish, "hardsigmoid": functional.hardsigmoid,
}  # fmt: skip
_FROM_1 = "; R counts dimensions from 1, so its dim = {r} is dim={own} here"

# function: argument, its place, its default, the values that are tried
_VALUES: Mapping[str, tuple[tuple[str, int, Any, tuple[Any, ...]], ...]] = {
    "layer_norm": (("eps", 4, 1e-5, _EPS),),
    "group_norm": (("eps", 4, 1e-5, _EPS), ("num_groups", 1, None, (1, 2, 3, 4, 8, 16, 32))),
    "batch_norm": (("eps", 7, 1e-5, _EPS), ("momentum", 6, 0.1, _MOMENTA)),
    "instance_norm": (("eps", 7, 1e-5, _EPS),),
    "rms_norm": (("eps", 3, None, _EPS),),
    "gelu": (("approximate", 1, "none", ("none", "tanh")),),
    "leaky_relu": (("negative_slope", 1, 0.01, _SLOPES),),
    "elu": (("alpha", 1, 1.0, (1.0, 0.5, 0.1, 2.0)),),
    "celu": (("alpha", 1, 1.0, (1.0, 0.5, 2.0)),),
    "softplus": (("beta", 1, 1.0, (1.0, 0.5, 2.0)),),
    "dropout": (("p", 1, 0.5, (0.1, 0.2, 0.3, 0.5, 0.05, 0.25, 0.4, 0.15, 0.6, 0.7, 0.8, 0.9)),),
    "triu": (("diagonal", 1, 0, (0, 1, -1, 2)),),
    "tril": (("diagonal", 1, 0, (0, 1, -1, 2)),),
    "scaled_dot_product_attention": (("is_causal", 5, False, (True, False)), ("scale", 6, None, (None, 1.0))),
    "interpolate": (("align_corners", 4, None, (True, False, None)), ("mode", 3, "nearest", _MODES)),
    "flatten": (("start_dim", 1, 0, (0, 1, 2)),),
    "normalize": (("eps", 3, 1e-12, _EPS), ("dim", 2, 1, (0, 1, 2, -1)), ("p", 1, 2.0, (1.0, 2.0))),
    "conv_transpose1d": (("output_padding", 5, 0, (0, 1)), ("padding", 4, 0, (0, 1, 2)), ("dilation", 7, 1, (1, 2))),
    "conv_transpose2d": (("output_padding", 5, 0, (0, 1)), ("padding", 4, 0, (0, 1, 2)), ("dilation", 7, 1, (1, 2))),
    "conv1d": (("padding", 4, 0, (0, 1, 2, 3)), ("dilation", 5, 1, (1, 2)), ("stride", 3, 1, (1, 2))),
    "conv2d": (("padding", 4, 0, (0, 1, 2, 3)), ("dilation", 5, 1, (1, 2)), ("stride", 3, 1, (1, 2))),
    "avg_pool2d": (("count_include_pad", 5, True, (True, False)), ("ceil_mode", 4, False, (True, False))),
    "avg_pool1d": (("count_include_pad", 5, True, (True, False)), ("ceil_mode", 4, False, (True, False))),
    "embedding_bag": (("mode", 6, "mean", ("sum", "mean", "max")),),
    "embedding": (("padding_idx", 2, None, (None, 0, 1, 2)), ("max_norm", 3, None, (None, 1.0)),
                  ("scale_grad_by_freq", 5, False, (True, False))),
}  # fmt: skip
_SHAPED = (
    "softmax", "log_softmax", "layer_norm", "batch_norm", "group_norm", "normalize", "clamp", "exp", "log", "square",
    "sqrt", "abs", "neg", "prelu", "rms_norm", "instance_norm",
)  # fmt: skip
_DIMS = {
    "softmax": 1, "log_softmax": 1, "softmin": 1, "_softmax": 1, "mean": 1, "sum": 1, "var": 1, "std": 1, "cat": 1,
    "concat": 1, "stack": 1, "cumsum": 1, "cumprod": 1, "norm": 2, "logsumexp": 1, "prod": 1, "amax": 1, "amin": 1,
    "max": 1, "min": 1, "flip": 1, "glu": 1, "argmax": 1, "sort": 1, "select": 1, "unsqueeze": 1,
    "index_select": 1, "roll": 2, "chunk": 2, "split": 2,
}  # fmt: skip


def tried_on(call: Traced, settings: Mapping[str, Any]) -> Iterator[Tried]:
    """What is tried on one call, the likeliest first.

    Args:
        settings: of R's submodule, where it is known: its value is the first that is tried.
    """
    name = call.function
    if name == "dropout" and call.argument("training", 2, True) and not call.training:
        yield "dropout() that is on in eval mode: give training=self.training", _dropout_in_training
    if name in ("lstm", "gru", "rnn_tanh", "rnn_relu"):
        own = bool(call.argument("batch_first", 8, False))
        yield f"{name}() has batch_first={own}; with {not own} it agrees", _axes_exchanged
    for argument, place, default, values in _VALUES.get(name, ()):
        own = call.argument(argument, place, default)
        known = [_single(settings[argument])] if argument in settings else []
        for value in dict.fromkeys([*known, *values]):
            if value != _single(own):
                setting = ", R's own setting," if known and value == known[0] else ""
                text = f"{name}() has {argument}={_text(_single(own))}; with {_text(value)}{setting} it agrees"
                yield text, with_argument(argument, place, value)
    if name in _DIMS:
        yield from _dims(call, _DIMS[name])
    if name in ACTIVATIONS:
        for other, function in ACTIVATIONS.items():
            if other != name:
                yield f"{name}() where R has {other}()", _in_place_of(function)
    yield from _structure(call)


def _dims(call: Traced, place: int) -> Iterator[Tried]:
    tensors = [
        t for one in call.args for t in (one if isinstance(one, tuple | list) else [one]) if isinstance(t, Tensor)
    ]
    own = call.argument("dim", place, 0 if call.function in ("cat", "stack", "chunk", "split") else None)
    if not tensors or not isinstance(own, int):
        return
    axes = tensors[0].dim()
    here = own % axes if -axes <= own < axes else own
    for dim in sorted((d for d in range(axes) if d != here), key=lambda d: (d != here - 1, d)):
        note = _FROM_1.format(r=dim + 1, own=dim) if dim == here - 1 else ""
        yield f"{call.function}() has dim={own}; with dim={dim} it agrees{note}", with_argument("dim", place, dim)


def _structure(call: Traced) -> Iterator[Tried]:
    """Other operations in place of a call: what is left out, turned round, counted otherwise."""
    name = call.function
    if name in ("var", "std"):
        power = 1.0 if name == "var" else 0.5
        biased = call.kwargs.get("unbiased") is False or call.kwargs.get("correction") == 0 or False in call.args[1:]
        said = (
            "biased (over n): R's torch_var() is over n - 1"
            if biased
            else "unbiased (over n - 1): R's module has it over n"
        )
        yield f"{name}() that is {said}", then(lambda out, args, _: out * _bessel(args[0], out, biased) ** power)
    if name == "masked_fill":
        yield "masked_fill() with the mask turned round: R blocks where it is TRUE", _inverted("mask", 1)
    if name in ("scaled_dot_product_attention", "multi_head_attention_forward"):
        mask = call.argument("attn_mask", 3)
        if isinstance(mask, Tensor):
            yield f"{name}() with the mask turned round: R blocks where it is TRUE", _inverted("attn_mask", 3)
        if mask is not None:
            yield f"{name}() with a mask that R's has not", with_argument("attn_mask", 3, None)
    if name in ("linear", "conv1d", "conv2d", "conv3d") and call.argument("bias", 2) is not None:
        yield f"{name}() with a bias that R's has not", with_argument("bias", 2, None)
    if name in ("cat", "concat", "stack"):
        yield f"{name}() of its parts in another order", _reversed
    if name in ("mean", "sum"):
        yield f"{name}() where R has {'sum' if name == 'mean' else 'mean'}()", then(_other_mean(name))
    if name in ("max_pool1d", "max_pool2d", "avg_pool1d", "avg_pool2d"):
        other = name.replace("max", "MAX").replace("avg", "max").replace("MAX", "avg")
        yield f"{name}() where R has {other}()", _pooled(other)
    if name in ("mul", "div", "truediv", "__mul__", "__truediv__", "__rmul__", "mul_", "div_"):
        yield from _scaled(call)
    if name in ("matmul", "bmm", "__matmul__", "einsum"):
        size = call.args[0].shape[-1] if isinstance(call.args[0], Tensor) and call.args[0].dim() else 0
        if size > 1:
            yield (
                f"{name}() whose result is not divided by sqrt({size})",
                then(lambda out, *_: out / math.sqrt(size)),
            )
        if isinstance(call.result, Tensor) and call.result.dim() > 1 and call.result.shape[-1] == call.result.shape[-2]:
            text = f"{name}() whose result is transposed in R (query and key exchanged?)"
            yield text, then(lambda out, *_: out.transpose(-1, -2))
    if name in ("triu", "tril"):
        yield (
            f"{name}() where R has torch_{'tril' if name == 'triu' else 'triu'}()",
            _in_place_of(torch.tril if name == "triu" else torch.triu),
        )
    if name.strip("_") in ("eq", "ne", "lt", "le", "gt", "ge") and type(call.args[1]) is int:
        number = call.args[1]
        yield (
            f"a comparison with {number}: what is {number} in R is {number - 1} here",
            with_argument("other", 1, number - 1),
        )
    if name in ("add", "__add__", "__iadd__", "add_"):
        yield from _sums(call)
    if name == "embedding":
        yield "ids off by one: R counts from 1, and here they are one too low", _shifted(1)
        yield "ids off by one: R counts from 1, and here they are one too high", _shifted(-1)
    if isinstance(call.result, Tensor) and name in (
        "linear",
        "conv1d",
        "conv2d",
        "batch_norm",
        "layer_norm",
        "group_norm",
    ):
        for other in ("relu", "gelu", "tanh", "elu", "silu", "leaky_relu", "sigmoid"):
            yield f"{other}() left out after {name}()", then(lambda out, *_, f=ACTIVATIONS[other]: f(out))
        yield f"softmax() left out after {name}()", then(lambda out, *_: out.softmax(-1))
        yield f"log_softmax() left out after {name}()", then(lambda out, *_: out.log_softmax(-1))
    if name == "detach":
        yield "detach(), which cuts the gradient", _in_place_of(lambda x: x)
    if name in ACTIVATIONS or name in _SHAPED:
        yield f"{name}() that R's module has not", _in_place_of(lambda x: x)


def _scaled(call: Traced) -> Iterator[Tried]:
    numbers = [one for one in call.args if isinstance(one, int | float) and not isinstance(one, bool)]
    if numbers:
        yield f"a factor of {numbers[0]:g} that R's module has not", _in_place_of(lambda x: x)
        for value in (0.5, 2.0, -1.0, 1.0, 0.1, 10.0) if numbers[0] else ():
            if value != numbers[0]:
                text = f"a factor of {numbers[0]:g}; with {value:g} it agrees"
                yield text, then(lambda out, *_, by=value / numbers[0]: out * by)
        yield (
            f"a factor of {numbers[0]:g} turned round",
            then(lambda out, args, _: args[0] * (args[0] / out).nan_to_num(1)),
        )


def _sums(call: Traced) -> Iterator[Tried]:
    small = [one for one in call.args[:2] if isinstance(one, float) and 0 <= one <= 0.1]
    for eps in _EPS if small else ():
        if eps != small[0]:
            yield (
                f"an eps of {small[0]:g}; with {eps:g} it agrees",
                then(lambda out, *_, e=eps, s=small[0]: out + (e - s)),
            )
    both = [one for one in call.args[:2] if isinstance(one, Tensor)]
    if len(both) == 2:
        yield "a sum whose second part R's module has not (a residual?)", _in_place_of(lambda x: x)
        yield (
            "a sum whose first part R's module has not (a residual?)",
            then(lambda out, args, _: args[1].expand_as(out)),
        )


def _in_place_of(function: Callable[[Tensor], Any]) -> Instead:
    return lambda _, args, kwargs, layer: function(next(t for t in (*args, *kwargs.values()) if isinstance(t, Tensor)))


def _dropout_in_training(function: Any, args: Any, kwargs: Any, layer: Any) -> Any:
    return with_argument("training", 2, layer.training)(function, args, kwargs, layer)


def _axes_exchanged(function: Any, args: Any, kwargs: Any, layer: Any) -> Any:
    """A recurrent layer with batch and time exchanged; its states are made anew, since it does not check their size."""
    x, states = args[0], args[1]
    batch = x.shape[1 if args[8] else 0]

    def of_batch(state: Tensor) -> Tensor:
        if state.any():
            raise ValueError("states that are not zero")
        return state.new_zeros(state.shape[0], batch, state.shape[2])

    several = isinstance(states, tuple | list)
    hidden = tuple(map(of_batch, states)) if several else of_batch(states)
    return function(x, hidden, *args[2:8], not args[8])


def _inverted(name: str, place: int) -> Instead:
    def instead(function: Any, args: Any, kwargs: Any, layer: Any) -> Any:
        mask = kwargs[name] if name in kwargs else args[place]
        turned = (
            mask.logical_not()
            if mask.dtype == torch.bool
            else torch.where(mask == 0, float("-inf"), 0.0).to(mask.dtype)
        )
        return with_argument(name, place, turned)(function, args, kwargs, layer)

    return instead


def _reversed(function: Any, args: Any, kwargs: Any, layer: Any) -> Any:
    return function(list(args[0])[::-1], *args[1:], **kwargs)


def _shifted(by: int) -> Instead:
    return lambda function, args, kwargs, layer: function(args[0] + by, *args[1:], **kwargs)


def _pooled(other: str) -> Instead:
    return lambda _, args, kwargs, layer: getattr(functional, other)(*args[:4])


def _other_mean(name: str) -> Callable[..., Any]:
    def other(out: Tensor, args: Any, _: Any) -> Any:
        n = args[0].numel() / out.numel()
        return out * n if name == "mean" else out / n

    return other


def _bessel(x: Tensor, out: Tensor, biased: bool) -> float:
    n = x.numel() / out.numel()
    return n / (n - 1) if biased else (n - 1) / n


def _single(value: Any) -> Any:
    """A value of all axes alike as one number."""
    alike = isinstance(value, tuple | list) and len(set(value)) == 1
    return value[0] if alike else tuple(value) if isinstance(value, list) else value


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
