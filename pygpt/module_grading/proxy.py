"""A submission's module as the grader has it: names, weights and gradients are here, what computes is in the sandbox.

So all that holds a port against a recording (`parity/modules`) works on a module whose code never runs here.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pygpt.grading.claims import parameters_of
from pygpt.isolation import wire
from pygpt.isolation.any_module import flat
from pygpt.isolation.session import AnswerError, Session
from pygpt.output.messages import say
from pygpt.parity.modules.port import Port
from pygpt.parity.modules.recording import Input, ModuleRecording

SETTINGS = (
    "eps", "momentum", "p", "dropout", "padding_idx", "num_heads", "kernel_size", "stride", "padding", "dilation",
    "groups", "approximate", "negative_slope", "alpha", "num_layers", "bidirectional", "affine", "track_running_stats",
    "output_padding", "normalized_shape", "num_features", "in_features", "out_features", "in_channels", "out_channels",
    "num_embeddings", "embedding_dim", "hidden_size", "input_size", "batch_first",
)  # fmt: skip
"""What layers are told of: their names in PyTorch and in R are the same."""
# Of what a call may give beside a few times what R's gave: numbers, tensors.
_NUMBERS, _TENSORS, _TIMES = 1 << 20, 64, 4
_AT_ONCE = 1 << 20
_Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class Otherwise:
    """What is changed in the submission's module before it computes as a whole."""

    after: bool = True
    """The row of an embedding that gets no gradient is the one after its padding row, as in R."""
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Of submodules."""


def port_of(session: Session, recording: ModuleRecording, otherwise: Otherwise = Otherwise()) -> Port:
    """The submission as a port whose `build` gives a `Proxy`."""
    file = Path(session.submission.name)
    return Port(file, lambda **args: Proxy(session, recording, args, otherwise))


def own_loss(session: Session, output: Any, target: Tensor | None) -> Tensor:
    """The submission's own loss of what its module has just given, with its gradient."""
    loss: Tensor = _Lost.apply(session, target, *flat(output))  # type: ignore[no-untyped-call]
    return loss


class Proxy(nn.Module):
    """The tree of the submission's submodules with its weights; `forward` asks the sandbox."""

    def __init__(
        self, session: Session, recording: ModuleRecording, args: Mapping[str, Any], otherwise: Otherwise
    ) -> None:
        """Have it built there, after the seed that was set here last.

        Raises:
            AnswerError: it does not build, or claims what cannot be.
        """
        super().__init__()
        self._session, self._recording, self._otherwise = session, recording, otherwise
        self._request = {
            "op": "any_build", "arguments": dict(args), "seed": torch.initial_seed(), "settings": SETTINGS,
        }  # fmt: skip
        answer = session.ask(self._request, {}, {"names": None, "told": None})
        self._starts = session.starts
        r = {name: tuple(tensor.shape) for name, tensor in recording.init.items()}
        shapes, aliases = parameters_of(wire.words(answer["names"]), r)
        told = _told(answer)
        self.layers = _layers(told)
        self.not_taken = [str(name) for name in told.get("not_taken", [])]
        trained = {str(name) for name in told.get("trained", [])}
        for name in self.layers:
            self._layer(name)
        made: dict[str, Tensor] = {}
        for name, value in self._fetched(shapes).items():
            made[name] = nn.Parameter(value) if name in trained else value
            self._put(name, made[name])
        for name, first in aliases.items():
            self._put(name, made[first])

    def forward(self, *values: Any) -> Any:
        """The outputs for the recording's inputs, in its order."""
        trained = [p for p in self.parameters() if p.requires_grad]
        given = _Computed.apply(self, values, torch.is_grad_enabled(), *trained)  # type: ignore[no-untyped-call]
        return given[0] if len(given) == 1 else given

    def part(self, name: str, inputs: Sequence[Input], most: int) -> list[Tensor]:
        """What a submodule gives by itself, in eval mode, for the input that R's had.

        Args:
            most: numbers that R's gave.

        Raises:
            AnswerError: it gives nothing that could be read.
        """
        self.eval()
        values = [one.given for one in inputs]
        told = self._called(name, inputs, values, False, (), torch.initial_seed())
        shapes = self._shapes(told, most)
        return list(self._fetched({n: s for n, s in shapes.items() if n.startswith("y.")}).values())

    def run(self, values: Sequence[Any], gradients: bool) -> tuple[Tensor, ...]:
        """Have it computed: what the watched submodules got and gave goes through their hooks here."""
        # A seed that was set here since the last call is set there, too; else its generator goes on.
        seed = torch.initial_seed()
        fresh = torch.equal(torch.get_rng_state(), torch.Generator().manual_seed(seed).get_state())
        torch.rand(1)
        watched = [name for name, layer in self.named_modules() if name and layer._forward_hooks]
        told = self._called("", self._recording.inputs, values, gradients, watched, seed if fresh else None)
        recorded = sum(tensor.numel() for tensor in self._recording.tensors.values())
        shapes = self._shapes(told, recorded)
        outputs = self._fetched({name: shape for name, shape in shapes.items() if name.startswith("y.")})
        buffers = self._fetched({name: shape for name, shape in shapes.items() if name.startswith("b.")})
        state = self.state_dict(keep_vars=True)
        with torch.no_grad():
            for name, value in buffers.items():
                state[name[2:]].copy_(value)
        self._tell_hooks(told, shapes)
        return tuple(outputs.values())

    def gradients_of(self, cotangents: Sequence[Tensor | None]) -> Iterator[Tensor | None]:
        """Of the trained parameters in their order, after `run`."""
        tensors = {f"c.{i}": c for i, c in enumerate(cotangents) if c is not None}
        request = {"op": "any_gradients", "outputs": [int(n[2:]) for n in tensors], "padding": self._otherwise.after}
        told = _json(self._session.ask(request, tensors, {"told": None})["told"])
        names = {id(p): name for name, p in reversed(list(self.named_parameters()))}
        there = {name: tuple(p.shape) for name, p in self.named_parameters() if isinstance(told, list) and name in told}
        values = self._fetched(there)
        for parameter in self.parameters():
            if parameter.requires_grad:
                yield values.get(names[id(parameter)])

    def _called(
        self, part: str, said: Sequence[Input], values: Sequence[Any], gradients: bool, watched: Sequence[str],
        seed: int | None,
    ) -> Mapping[str, Any]:  # fmt: skip
        if self._session.process is None or self._session.starts != self._starts:
            self._session.ask(self._request, {}, {"names": None, "told": None})
            self._starts = self._session.starts
        tensors = {f"w.{name}": t.detach() for name, t in self.state_dict().items()}
        arguments: list[dict[str, Any]] = []
        for i, (one, value) in enumerate(zip(said, values, strict=True)):
            named = {"name": one.name.replace(".", "_")}
            if isinstance(value, Tensor):
                tensors[f"x.{i}"] = value.detach()
            arguments.append(named | ({"tensor": f"x.{i}"} if isinstance(value, Tensor) else {"value": value}))
        request = {
            "op": "any_call", "part": part, "arguments": arguments, "train": self.training, "seed": seed,
            "gradients": gradients, "watch": list(watched), "padding": self._otherwise.after,
            "set": {} if part else self._otherwise.settings,
        }  # fmt: skip
        return _told(self._session.ask(request, tensors, {"told": None}))

    def _shapes(self, told: Mapping[str, Any], recorded: int) -> _Shapes:
        """What can be fetched, if it can be what was asked for."""
        shapes: _Shapes = {}
        for name, shape in dict(told.get("shapes", {})).items():
            if not isinstance(shape, list) or any(type(n) is not int or n < 0 for n in shape):
                raise _unreadable()
            shapes[str(name)] = tuple(shape)
        outputs = [name for name in shapes if name.startswith("y.")]
        if sum(map(math.prod, shapes.values())) > _NUMBERS + _TIMES * recorded or len(outputs) > _TENSORS:
            raise AnswerError(say("the model gives more than could be R's: {n} tensors", n=len(shapes)))
        return shapes

    def _fetched(self, shapes: _Shapes) -> dict[str, Tensor]:
        """Tensors, a few at a time."""
        values: dict[str, Tensor] = {}
        batch: _Shapes = {}
        for name, shape in [*shapes.items(), ("", ())]:
            if batch and (not name or sum(map(math.prod, batch.values())) + math.prod(shape) > _AT_ONCE):
                answer = self._session.ask({"op": "any_fetch", "names": list(batch)}, {}, batch)
                values |= {n: answer[n].float() for n in batch}
                batch = {}
            if name:
                batch[name] = shape
        return values

    def _tell_hooks(self, told: Mapping[str, Any], shapes: _Shapes) -> None:
        for k, one in enumerate(told.get("calls", [])):
            layer, got, gave = one
            names = [[name for i in range(n) if (name := f"{side}.{k}.{i}") in shapes] for side, n in
                     (("in", int(got)), ("out", int(gave)))]  # fmt: skip
            try:
                values = self._fetched({name: shapes[name] for side in names for name in side})
            except AnswerError as failed:
                if failed.fatal or self._session.process is None:
                    raise
                continue  # masked scores may be infinite; they are no output of the model
            below = self.get_submodule(str(layer))
            assert isinstance(below, _Layer)
            below.given = tuple(values[name] for name in names[1])
            below(*(values[name] for name in names[0]))

    def _layer(self, name: str) -> nn.Module:
        module: nn.Module = self
        for part in name.split(".") if name else ():
            if part not in module._modules:
                module._modules[part] = _Layer()
            below = module._modules[part]
            assert below is not None
            module = below
        return module

    def _put(self, name: str, value: Tensor) -> None:
        layer, _, leaf = name.rpartition(".")
        kept = self._layer(layer)
        if isinstance(value, nn.Parameter):
            kept._parameters[leaf] = value
        else:
            kept._buffers[leaf] = value


class _Layer(nn.Module):
    """A submodule: what it gave in the sandbox."""

    given: tuple[Tensor, ...] = ()

    def forward(self, *_got: Any) -> Any:
        return self.given[0] if len(self.given) == 1 else self.given


class _Computed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, proxy: Proxy, values: Sequence[Any], gradients: bool, *_trained: Tensor) -> Any:
        ctx.proxy = proxy
        ctx.set_materialize_grads(False)
        return proxy.run(values, gradients)

    @staticmethod
    def backward(ctx: Any, *cotangents: Tensor | None) -> Any:
        return None, None, None, *ctx.proxy.gradients_of(cotangents)


class _Lost(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, session: Session, target: Tensor | None, *outputs: Tensor) -> Any:
        told = _json(session.ask({"op": "any_loss"}, {} if target is None else {"t": target}, {"told": None})["told"])
        shapes = {f"c.{i}": tuple(y.shape) for i, y in enumerate(outputs) if f"c.{i}" in told}
        values = session.ask({"op": "any_fetch", "names": ["y.0", *shapes]}, {}, {"y.0": (1,), **shapes})
        ctx.slopes = [values[f"c.{i}"].float() if f"c.{i}" in values else None for i in range(len(outputs))]
        return values["y.0"].float().reshape(())

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> Any:
        return None, None, *(None if one is None else one * slopes[0] for one in ctx.slopes)


def _layers(told: Mapping[str, Any]) -> dict[str, tuple[str, Mapping[str, Any]]]:
    layers: dict[str, tuple[str, Mapping[str, Any]]] = {}
    for one in told.get("layers", []):
        name, kind, settings = one
        parts = str(name).split(".")
        if name and (not all(parts) or len(parts) > _TENSORS):
            raise _unreadable()
        layers[str(name)] = (str(kind), dict(settings))
    return layers


def _told(answer: Mapping[str, Tensor]) -> Mapping[str, Any]:
    told = _json(answer["told"])
    if not isinstance(told, dict):
        raise _unreadable()
    return told


def _json(tensor: Tensor) -> Any:
    try:
        return json.loads(wire.words(tensor))
    except (ValueError, RecursionError) as error:
        raise _unreadable() from error


def _unreadable() -> AnswerError:
    return AnswerError(say("the model could not be read: it says of itself what cannot be"))
