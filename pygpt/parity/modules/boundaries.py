"""What may be left out between submodules: an activation, a sum. It is tried on what one of them gets or gives."""

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

from torch import Tensor, nn

from pygpt.parity.modules.calls import Traced, changed
from pygpt.parity.modules.changes import ACTIVATIONS
from pygpt.parity.modules.operands import keep, place_of
from pygpt.parity.modules.recording import ModuleRecording

Around = Callable[[nn.Module], AbstractContextManager[object]]
_Change = Callable[[Tensor], Tensor]

_LEFT_OUT = {
    **{name: ACTIVATIONS[name] for name in ("relu", "gelu", "tanh", "sigmoid", "elu", "silu", "leaky_relu")},
    "softmax": lambda x: x.softmax(-1),
    "log_softmax": lambda x: x.log_softmax(-1),
}
_MOST_EARLIER = 30


def tried(name: str, own: str, shape: Sequence[int], calls: Sequence[Traced]) -> Iterator[tuple[str, Around]]:
    """What is tried: a sentence, and what is done around the computation.

    Args:
        name: the quantity that parts: what a submodule gets (`in.`) or gives (`act.`), or the module's output.
        own: the port's submodule; empty for the module itself.
        shape: of the quantity.
        calls: those before it, the likeliest first.
    """
    gets = name.startswith("in.")
    place = f"before {own}" if gets else f"after {own}" if own else "at the end"
    for function, change in _LEFT_OUT.items():
        yield f"{function}() left out {place}", _around(own, gets, change)
    alike = [call for call in calls if isinstance(call.result, Tensor) and call.result.shape == tuple(shape)]
    for call in alike[:_MOST_EARLIER]:
        kept: list[Tensor] = []
        yield (
            f"a sum left out {place} (a residual?): R adds {place_of(call)}",
            _around(own, gets, _plus(kept), call, kept),
        )
    if own and not gets:
        yield f"a sum left out {place} (a residual?): R adds what it gets", _around(own, gets, None)


def _plus(kept: list[Tensor]) -> _Change:
    return lambda x: x + kept[-1]


def given(name: str, own: str, recording: ModuleRecording) -> Iterator[tuple[str, Around]]:
    """R's own arguments given to a submodule that lacks them.

    Args:
        name: what a submodule gives (`act.`).
    """
    for call in recording.calls:
        for _, argument, tensor in call.inputs if name in call.outputs else ():
            if argument and own:
                text = f"{own} gets no {argument}, which R gives"
                yield text, _with_argument(own, argument, recording.tensors[tensor])


def _with_argument(own: str, name: str, value: Tensor) -> Around:
    @contextmanager
    def around(module: nn.Module) -> Iterator[None]:
        layer = module.get_submodule(own)
        takes = list(inspect.signature(layer.forward).parameters)

        def before(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            there = name in kwargs or name not in takes or takes.index(name) < len(args)
            return args, kwargs if there else {**kwargs, name: value}

        handle = layer.register_forward_pre_hook(before, with_kwargs=True)
        yield
        handle.remove()

    return around


def _around(
    own: str, gets: bool, change: _Change | None, earlier: Traced | None = None, kept: "list[Tensor] | None" = None
) -> Around:
    @contextmanager
    def around(module: nn.Module) -> Iterator[None]:
        layer = module.get_submodule(own)

        def before(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            assert change is not None
            return (change(args[0]), *args[1:]), kwargs

        def after(_: nn.Module, args: tuple[Any, ...], out: Any) -> Any:
            first = out if isinstance(out, Tensor) else out[0]
            made = change(first) if change is not None else first + args[0]
            return made if isinstance(out, Tensor) else (made, *out[1:])

        with ExitStack() as stack:
            if earlier is not None and kept is not None:
                stack.enter_context(changed({earlier.key: keep(kept)}, module))
            hook = (
                layer.register_forward_pre_hook(before, with_kwargs=True)
                if gets
                else layer.register_forward_hook(after)
            )
            stack.callback(hook.remove)
            yield

    return around
