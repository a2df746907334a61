"""The ladder of a module: R's quantities beside the port's, in the order of computation, each with its limit."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import permutations

import torch
from torch import Tensor, nn

from pygpt.parity.compare import Comparison, Limit, Line, compare
from pygpt.parity.modules.matching import Matched
from pygpt.parity.modules.recording import ModuleRecording
from pygpt.parity.modules.replay import Replay

_INIT = Limit(3e-6)  # normal draws: log and cos without vector kernels
_MOST_AXES = 5


@dataclass(frozen=True)
class Sides:
    """The two sides, and how far apart they may be."""

    recording: ModuleRecording
    matched: Matched
    module: nn.Module
    first: Mapping[str, Tensor]
    """The port's own first state."""
    limits: Mapping[str, Limit]

    def limit(self, name: str) -> Limit:
        return _INIT if name.startswith("init.") else self.limits.get(name, Limit())


def compared(sides: Sides, done: Replay) -> Comparison:
    """All quantities, the first weights included."""
    return Comparison((*_built(sides), *judged(sides, done)))


def judged(sides: Sides, done: Replay) -> Iterator[Line]:
    """What is computed from R's first weights. Submodules are judged only where the module's output is off.

    A port may be cut into other submodules than R's module; as long as it gives the same, that is no fault.
    """
    outputs = [
        line_of(name, tensor, done.quantities[name], sides.limit(name)) if name in done.quantities else None
        for name, tensor in recorded(sides.recording)
        if name.startswith("output")
    ]
    right = all(line is not None and line.agrees for line in outputs)
    for line in computed(sides, done):
        if line.agrees or not (right and outputs and line.name.startswith(("act.", "in."))):
            yield line


def _built(sides: Sides) -> Iterator[Line]:
    """What a new port has: how many numbers are trained, and its first weights where R built its own by a seed."""
    recording, matched = sides.recording, sides.matched
    trained = [p.numel() for p in sides.module.parameters() if p.requires_grad]
    if recording.order or recording.gradients:
        numbers = sum(recording.init[name].numel() for name in recording.parameters)
        yield from compare({"parameters": torch.tensor([numbers])}, {"parameters": torch.tensor([sum(trained)])}).lines
    own = matched.to_r(sides.first)
    expected = {f"init.{n}": t for n, t in recording.init.items() if n in own or n in matched.carried.missing}
    actual = {f"init.{n}": t for n, t in own.items()} | {f"init.{n}": sides.first[n] for n in matched.carried.extra}
    for line in compare(expected, actual, sides.limit).lines if expected or actual else ():
        # a layout of the port's own (pieces, transposed) cannot be drawn as R draws
        drawn_alike = matched.how.get(line.name.removeprefix("init.")) in ("name", "value")
        if line.problem or (recording.built and drawn_alike):
            yield line


def computed(sides: Sides, done: Replay) -> Iterator[Line]:
    """What both sides computed from the same first weights."""
    expected = dict(recorded(sides.recording))
    for name, tensor in expected.items():
        if name in done.quantities:
            yield line_of(name, tensor, done.quantities[name], sides.limit(name))
        elif not name.startswith(("act.", "in.")) and not name.startswith(_untold(sides)):
            problem = f"{done.stage} stops: {_told(done)}" if done.error else "missing"
            yield replace(compare({name: tensor}, {}).lines[0], problem=problem)
            if done.error:
                return
    for name, tensor in done.quantities.items():
        if name not in expected and name.startswith("grad."):
            yield compare({}, {name: tensor}).lines[0]


def _untold(sides: Sides) -> tuple[str, ...]:
    """What has no counterpart and was said so already: the gradients and steps of weights that the port lacks."""
    lacking = [name for name in sides.recording.init if name not in sides.matched.carried.pieces]
    return tuple(f"grad.{n}" for n in lacking) + tuple(
        f"step{step}{end}.{n}"
        for training in sides.recording.trainings
        for end in [f".{training.label}" if training.label else ""]
        for step in (1, training.steps)
        for n in [*lacking, *sides.recording.tied]
    )


def _told(done: Replay) -> str:
    lines = str(done.error).strip().splitlines()
    return f"{type(done.error).__name__}: {lines[0] if lines else ''}"


def recorded(recording: ModuleRecording) -> Iterator[tuple[str, Tensor]]:
    """R's quantities after the first weights, in the order of computation."""
    tensors = recording.tensors
    told: set[str] = set()
    for call in recording.calls:
        # what an outer submodule gets is there before its inner ones compute
        for outer in (
            one for one in recording.calls if call.layer == one.layer or call.layer.startswith(one.layer + ".")
        ):
            got = [name for _, _, name in outer.inputs if name.startswith("in.") and name not in told]
            if outer is call or "#" not in call.name + outer.name:
                told |= set(got)
                yield from ((name, tensors[name]) for name in got)
        yield from ((name, tensors[name]) for name in call.outputs)
    for i, tensor in enumerate(recording.outputs, start=1):
        yield f"output[{i}]" if len(recording.outputs) > 1 else "output", tensor
    if recording.loss is not None:
        yield "loss", recording.loss.reshape(1)
    yield from (
        (f"grad.{name}", recording.gradients[name]) for name in recording.parameters if name in recording.gradients
    )
    for training in recording.trainings:
        end = f".{training.label}" if training.label else ""
        yield f"train_loss1{end}", training.losses[:1].float()
        yield from ((f"step1{end}.{name}", tensor) for name, tensor in training.first.items())
        if training.steps > 1:
            yield f"losses{end}", training.losses
            yield from ((f"step{training.steps}{end}.{name}", tensor) for name, tensor in training.last.items())


def line_of(name: str, expected: Tensor, actual: Tensor, limit: Limit) -> Line:
    """A quantity of both sides; a submodule's may lie in another order of axes."""
    line = _compared(name, expected, actual, limit)
    inner = name.startswith(("act.", "in."))
    if not line.agrees and inner and _alike(expected, actual):
        for order in permutations(range(actual.dim())):
            turned = _compared(name, expected, actual.permute(order).reshape(expected.shape), limit)
            if turned.agrees:
                return turned
    return line


def _alike(expected: Tensor, actual: Tensor) -> bool:
    """Whether the two may hold the same values in another order of axes."""
    if expected.numel() != actual.numel() or max(expected.dim(), actual.dim()) > _MOST_AXES or not expected.numel():
        return False
    sums = [(t.double().sum(), t.double().square().sum()) for t in (expected, actual)]
    return all(bool(abs(a - b) <= 1e-4 * (abs(a) + 1)) for a, b in zip(*sums, strict=True))


def _compared(name: str, expected: Tensor, actual: Tensor, limit: Limit) -> Line:
    if expected.shape == actual.shape and expected.is_floating_point() and not expected.isfinite().all():
        # the same infinity on both sides is no difference
        alike = expected.isinf() & (expected == actual)
        expected, actual = expected.masked_fill(alike, 0), actual.masked_fill(alike, 0)
    return compare({name: expected}, {name: actual}, lambda _: limit).lines[0]
