"""The torch functions that a port calls: listed with where they stand, and one of them called otherwise."""

import functools
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from pygpt.parity.modules.port import line_in

Function = Callable[..., Any]
Key = tuple[str, int]
"""A function and which of its calls, from 0: a mode (train, eval) may call others, as a batch norm counts batches."""
Instead = Callable[[Function, tuple[Any, ...], dict[str, Any], nn.Module], Any]
"""What is done in place of `function(*args, **kwargs)` within a submodule."""

_PASSED_OVER = ("__get__", "__set__", "size", "dim", "numel", "is_floating_point", "__len__", "stride", "contiguous")


_unlisted: list[bool] = []


@contextmanager
def unlisted() -> Iterator[None]:
    """What is called here is not the port's: it is neither listed nor changed."""
    _unlisted.append(True)
    try:
        yield
    finally:
        _unlisted.pop()


@dataclass(frozen=True)
class Traced:
    """One call, within one call of the whole module."""

    number: int
    """Of the calls in this forward(), from 0."""
    key: "Key"
    function: str
    layer: str
    """The innermost submodule that is computing; empty for the module itself."""
    line: str
    """`line 12` of the port's file; empty where the call is within a library's layer."""
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    result: Any
    training: bool
    """The whole module is in train mode."""

    def argument(self, name: str, place: int, otherwise: Any = None) -> Any:
        """The value of an argument, given by name or by place."""
        return self.kwargs[name] if name in self.kwargs else self.args[place] if len(self.args) > place else otherwise


@dataclass
class Calls:
    """What a trace collects."""

    file: Path
    traced: list[Traced] = field(default_factory=list)


@contextmanager
def listed(calls: Calls, module: nn.Module, training: bool) -> Iterator[None]:
    """While a port computes, list its calls of the first forward() in train or in eval mode."""
    forwards: list[bool] = []

    def look(key: Key, function: Function, args: tuple[Any, ...], kwargs: dict[str, Any], layer: str) -> Any:
        result = None
        try:
            result = function(*args, **kwargs)
        finally:  # a call that stops is listed, too
            keep(key, args, kwargs, layer, result)
        return result

    def keep(key: Key, args: tuple[Any, ...], kwargs: dict[str, Any], layer: str, result: Any) -> None:
        if forwards[-1] == training and forwards.count(training) == 1:
            line = line_in(calls.file, traceback.extract_stack())
            calls.traced.append(Traced(len(calls.traced), key, key[0], layer, line, args, kwargs, result, training))

    with _intercepted(module, look, begun=lambda: forwards.append(module.training)):
        yield


@contextmanager
def changed(instead: dict[Key, Instead], module: nn.Module) -> Iterator[None]:
    """While a port computes, do something else at these calls, in every forward()."""
    layers = dict(module.named_modules())

    def call(key: Key, function: Function, args: tuple[Any, ...], kwargs: dict[str, Any], layer: str) -> Any:
        if key in instead:
            return instead[key](function, args, kwargs, layers[layer])
        return function(*args, **kwargs)

    with _intercepted(module, call):
        yield


@contextmanager
def _intercepted(
    module: nn.Module, handler: Callable[..., Any], begun: Callable[[], Any] = lambda: None
) -> Iterator[None]:
    stack: list[str] = []
    counts: Counter[str] = Counter()

    class Mode(TorchFunctionMode):
        def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if _unlisted or getattr(function, "__name__", "__get__") in _PASSED_OVER:
                return function(*args, **(kwargs or {}))
            name = function.__name__
            counts[name] += 1
            return handler((name, counts[name] - 1), function, args, kwargs or {}, stack[-1] if stack else "")

    forward = module.forward

    @functools.wraps(forward)
    def watched(*args: Any, **kwargs: Any) -> Any:
        begun()
        counts.clear()
        with Mode():
            return forward(*args, **kwargs)

    with ExitStack() as undo:
        for name, layer in module.named_modules():
            if name:
                handles = (
                    layer.register_forward_pre_hook(lambda *_, name=name: stack.append(name)),
                    layer.register_forward_hook(lambda *_: stack.pop() and None, always_call=True),
                )
                for handle in handles:
                    undo.callback(handle.remove)
        module.forward = watched
        undo.callback(module.__dict__.pop, "forward")
        yield


def with_argument(name: str, place: int, value: Any) -> Instead:
    """The same call with another value of one argument."""

    def instead(function: Function, args: tuple[Any, ...], kwargs: dict[str, Any], layer: nn.Module) -> Any:
        if name not in kwargs and len(args) > place:
            return function(*args[:place], value, *args[place + 1 :], **kwargs)
        return function(*args, **{**kwargs, name: value})

    return instead


def then(after: Callable[[Tensor, tuple[Any, ...], nn.Module], Any]) -> Instead:
    """The same call, and something done with its result."""

    def instead(function: Function, args: tuple[Any, ...], kwargs: dict[str, Any], layer: nn.Module) -> Any:
        return after(function(*args, **kwargs), args, layer)

    return instead
