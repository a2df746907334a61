"""A port made to do what a recording of a module says; the results carry the recording's names."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor, nn

from pygpt.determinism import reproducible
from pygpt.isolation import any_module
from pygpt.isolation.any_module import flat
from pygpt.parity.modules.calling import call_module
from pygpt.parity.modules.calls import unlisted
from pygpt.parity.modules.matching import Matched
from pygpt.parity.modules.optimizers import Engine, optimizer_of
from pygpt.parity.modules.port import Port
from pygpt.parity.modules.recording import ModuleRecording, Training

Around: TypeAlias = Callable[[nn.Module], AbstractContextManager[object]]
Stage: TypeAlias = Literal["forward", "loss", "gradients", "training"]
STAGES: tuple[Stage, ...] = ("forward", "loss", "gradients", "training")


@dataclass
class Replay:
    """What a port gave, by the recording's names, in the order of computation; and where it stopped, if it did."""

    quantities: dict[str, Tensor] = field(default_factory=dict)
    error: Exception | None = None
    stage: str = ""
    """What it was doing."""


@dataclass(frozen=True)
class Setting:
    """What a replay takes beside the recording: all that an explanation may change to see what comes of it."""

    port: Port
    matched: Matched
    loss: Callable[[Any, Tensor | None], Tensor]
    engine: Engine
    layers: Mapping[str, str]
    """R's submodules with the port's."""
    state: Mapping[str, Tensor]
    """R's first weights."""
    until: Stage = "training"
    around: Around = lambda module: nullcontext()
    """Entered while the port computes."""
    retrained: Callable[[Training], Training] = lambda training: training
    own: bool = True
    """Take the port's own optimizer where it has one."""


def replay(recording: ModuleRecording, setting: Setting) -> Replay:
    """All quantities of the recording up to a stage, on as many threads as R had; the first error ends them."""
    done = Replay()
    with reproducible(recording.threads):
        try:
            for name, tensor in _quantities(recording, setting, done):
                done.quantities[name] = tensor.detach().clone()
        except Exception as error:  # the port's own, whatever it is
            done.error = error
    return done


def _quantities(recording: ModuleRecording, setting: Setting, done: Replay) -> Iterator[tuple[str, Tensor]]:
    done.stage = "the port is built again"
    module = setting.port.built(recording.args, recording.build_seed)
    load(module, setting, setting.state)
    with ExitStack() as stack:
        stack.enter_context(setting.around(module))
        stack.enter_context(padding_rows(module, setting.engine))
        module.eval()
        done.stage = "forward() in eval mode"
        seen: dict[str, Tensor] = {}
        with _watched(recording, module, setting.layers, seen):
            torch.manual_seed(recording.build_seed)
            try:
                output = call_module(module, recording.inputs)
            finally:
                yield from seen.items()
        outputs = [leaf for leaf in flat(output) if isinstance(leaf, Tensor)]
        for i, tensor in enumerate(outputs[: len(recording.outputs)], start=1):
            yield f"output[{i}]" if len(recording.outputs) > 1 else "output", tensor
        if setting.until == "forward" or recording.loss is None:
            return
        done.stage = "the loss"
        loss = setting.loss(output, recording.targets)
        yield "loss", loss.reshape(1)
        if setting.until == "loss" or not recording.gradients:
            return
        done.stage = "backward()"
        module.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        yield from {f"grad.{n}": t for n, t in _gradients(recording, module, setting.matched).items()}.items()
        if setting.until == "gradients":
            return
        for training in recording.trainings:
            done.stage = "training" + (f" ({training.label})" if training.label else "")
            yield from _train(recording, module, setting, setting.retrained(training))


def load(module: nn.Module, setting: Setting, state: Mapping[str, Tensor]) -> None:
    """Write R's state into a port's module, in place."""
    own = module.state_dict(keep_vars=True)
    with torch.no_grad():
        for name, tensor in setting.matched.to_own(state).items():
            own[name].copy_(tensor.reshape(own[name].shape))


def _gradients(recording: ModuleRecording, module: nn.Module, matched: Matched) -> dict[str, Tensor]:
    own = module.state_dict(keep_vars=True)
    there = {name: t.grad for name, t in own.items() if isinstance(t, Tensor) and t.grad is not None}
    # of a parameter in pieces, a piece without gradient has a zero one
    for name in recording.parameters:
        pieces = [piece.name for piece in matched.carried.pieces.get(name, ())]
        if any(piece in there for piece in pieces):
            there |= {piece: torch.zeros_like(own[piece]) for piece in pieces if piece not in there}
    return {name: t for name, t in matched.to_r(there).items() if name in recording.parameters}


def _train(
    recording: ModuleRecording, module: nn.Module, setting: Setting, training: Training
) -> Iterator[tuple[str, Tensor]]:
    """The steps, by an optimizer that has R's parameters, whole and in R's order: some go by a parameter's number."""
    end = f".{training.label}" if training.label else ""
    load(module, setting, setting.state)
    masters = {n: nn.Parameter(setting.state[n].clone()) for n in _order(recording, module, setting.matched)}
    if setting.own and setting.port.optimizer is not None:
        optimizer, masters = setting.port.optimizer(module.parameters()), {}
    else:
        optimizer = optimizer_of(training, list(masters.values()), setting.engine)
    module.train()
    module.zero_grad()
    torch.manual_seed(recording.train_seed)
    losses = []
    for step in range(1, training.steps + 1):
        optimizer.zero_grad()
        if masters:
            module.zero_grad()
        loss = setting.loss(call_module(module, recording.inputs), recording.targets)
        loss.backward()  # type: ignore[no-untyped-call]
        losses.append(loss.detach().reshape(1).clone())
        gradients = _gradients(recording, module, setting.matched) if masters else {}
        for name, gradient in gradients.items():
            masters[name].grad = gradient.clone()
        optimizer.step()
        load(module, setting, {name: p.detach() for name, p in masters.items()})
        if step in (1, training.steps):
            own = {name: t for name, t in module.state_dict().items() if isinstance(t, Tensor)}
            weights = setting.matched.to_r(own)
            if step == 1:
                yield f"train_loss1{end}", losses[0]
            if step == training.steps > 1:
                yield f"losses{end}", torch.cat(losses).double()
            held = training.first if step == 1 else training.last
            yield from ((f"step{step}{end}.{name}", weights[name]) for name in held if name in weights)


def _order(recording: ModuleRecording, module: nn.Module, matched: Matched) -> list[str]:
    """R's trained parameters in R's order; where the file does not tell it, a module's children come before its own."""
    names = [name for name in recording.parameters if name in matched.carried.pieces]
    if recording.order:
        return names
    from pygpt.r_semantics import parameters

    places = {id(parameter): i for i, parameter in enumerate(parameters(module))}
    own = module.state_dict(keep_vars=True)
    return sorted(names, key=lambda name: places.get(id(own[matched.carried.pieces[name][0].name]), len(places)))


@contextmanager
def padding_rows(module: nn.Module, engine: Engine) -> Iterator[None]:
    """With engine `r`, the row of each embedding that gets no gradient is R's: the one after the padding row."""
    with ExitStack() as stack:
        any_module.padding_rows(torch, module, stack, after=engine == "r")
        yield


@contextmanager
def _watched(
    recording: ModuleRecording, module: nn.Module, layers: Mapping[str, str], seen: dict[str, Tensor]
) -> Iterator[None]:
    """While the port computes, put what its submodules get and give into `seen`, by the recording's names."""
    calls = {call.name: call for call in recording.calls}
    own_layers = dict(module.named_modules())
    with ExitStack() as stack:
        for name, own in layers.items():
            if own in own_layers:
                hook = _Hook(name, calls, seen)
                handles = (
                    own_layers[own].register_forward_pre_hook(hook.before, with_kwargs=True),
                    own_layers[own].register_forward_hook(hook.after),
                )
                for handle in handles:
                    stack.callback(handle.remove)
        yield


@dataclass
class _Hook:
    name: str
    calls: Mapping[str, Any]
    seen: dict[str, Tensor]
    count: int = 0

    @property
    def call(self) -> Any:
        return self.calls.get(self.name if self.count == 1 else f"{self.name}#{self.count}")

    def before(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.count += 1
        if self.call is not None:
            with unlisted():
                self._keep_inputs(args, kwargs)

    def _keep_inputs(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        tensors = [leaf for leaf in flat([args, kwargs]) if isinstance(leaf, Tensor)]
        for i, (place, name, recorded) in enumerate(self.call.inputs):
            by_name = kwargs.get(name)
            own = by_name if isinstance(by_name, Tensor) else tensors[i] if i < len(tensors) else None
            if own is not None and recorded.startswith("in."):
                rows = self.call.ids and place == 1
                self.seen[recorded] = own.detach().clone() + int(rows)

    def after(self, module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        if self.call is not None:
            leaves = [leaf for leaf in flat(output) if isinstance(leaf, Tensor)]
            with unlisted():
                for name, tensor in zip(self.call.outputs, leaves, strict=False):
                    self.seen[name] = tensor.detach().clone()
