"""What explains a first divergence: what it was computed from, and which change of the port mends it, by trying."""

import math
import re

from torch import Tensor

from pygpt.parity.compare import Comparison, Line
from pygpt.parity.explanation import Explanation
from pygpt.parity.modules.lines import Sides, line_of, recorded
from pygpt.parity.modules.replay import Replay, Setting
from pygpt.parity.modules.statistics import of_running
from pygpt.parity.modules.trying import Mended, layer_of, mend

_MOST_FAULTS = 3
_TRIED = "tried on the port, and so it agrees"


def explained(sides: Sides, setting: Setting, comparison: Comparison, done: Replay) -> Explanation | None:
    """The first divergence, explained; None where all agrees."""
    first = comparison.first_divergence
    if first is None:
        return None
    inputs = _inputs(sides, first, comparison)
    if first.name.startswith(("parameters", "init.")):
        rest = _computed(comparison)
        cause = _of_weights(sides, first, comparison)
        if rest.first_divergence is not None and (mended := mend(sides, setting, rest)):
            cause += f". Beside it {rest.first_divergence.name} parts: {mended.cause}"
        return Explanation(first.name, inputs, cause)
    causes, left = _mended(sides, setting, comparison)
    if causes:
        told = "; and ".join(causes)
        if left is not None:
            told += f". What is left then: {left.name} parts ({_usual(sides, left)})"
        return Explanation(first.name, inputs, told, _TRIED)
    by_arithmetic = _of_statistics(sides, done, first.name) or _of_shape(sides, done, first.name)
    if by_arithmetic:
        return Explanation(first.name, inputs, by_arithmetic, "by arithmetic, in every element")
    return Explanation(first.name, inputs, _usual(sides, first))


def _of_shape(sides: Sides, done: Replay, name: str) -> str | None:
    """Where the port has R's numbers in another shape: which."""
    r, own = dict(recorded(sides.recording)).get(name), done.quantities.get(name)
    if r is None or own is None or r.shape == own.shape or r.numel() != own.numel():
        return None
    if line_of("in." + name, r, own, sides.limit(name)).agrees:
        shapes = f"R's numbers in the shape {tuple(own.shape)}, where R has {tuple(r.shape)}"
        return f"{shapes}: squeeze, flatten, reshape, or axes in another order (R counts them from 1)"
    return None


def _of_statistics(sides: Sides, done: Replay, line: str) -> str | None:
    name = _parameter(sides, line)
    r = dict(recorded(sides.recording)).get(line)
    if not line.startswith("step1") or ".running_" not in line or r is None or line not in done.quantities:
        return None
    sizes = [t for t in done.quantities.values() if t.dim() > 1]
    numbers = (
        {t.numel() // t.shape[1] for t in sizes}
        | {t.shape[0] for t in sizes}
        | {one.value.shape[0] for one in sides.recording.inputs if isinstance(one.value, Tensor) and one.value.dim()}
    )
    return of_running(name, sides.recording.init[name], r, done.quantities[line], {n for n in numbers if n > 1})


def _mended(sides: Sides, setting: Setting, comparison: Comparison) -> tuple[list[str], Line | None]:
    causes: list[str] = []
    comparison = _computed(comparison)
    while comparison.first_divergence is not None and len(causes) < _MOST_FAULTS:
        mended: Mended | None = mend(sides, setting, comparison)
        if mended is None:
            break
        causes.append(mended.cause)
        setting, comparison = mended.setting, _computed(mended.comparison)
    return causes, comparison.first_divergence


def _computed(comparison: Comparison) -> Comparison:
    """What comes after the first weights."""
    return Comparison(tuple(line for line in comparison.lines if not line.name.startswith(("parameters", "init."))))


def _inputs(sides: Sides, first: Line, comparison: Comparison) -> str:
    """What the quantity was computed from, and whether that agreed."""
    lines = {line.name: line for line in comparison.lines}
    recording = sides.recording
    name = first.name
    names: list[str] = []
    for call in recording.calls:
        if name in call.outputs:
            names = [tensor for _, _, tensor in call.inputs]
            inner = [o for c in recording.calls if c.layer.startswith(call.layer + ".") for o in c.outputs]
            names += [o for o in inner if o in lines]
    if name.startswith("output"):
        names = [o for call in recording.calls[-1:] for o in call.outputs]
    elif name == "loss":
        names = [line for line in lines if line.startswith("output")]
    elif name.startswith("grad.") or name.startswith(("train_loss1", "losses")):
        names = ["loss"]
    elif name.startswith("step1"):
        end = re.sub(r"^step1", "train_loss1", name).split(f".{_parameter(sides, name)}")[0]
        names = [end, f"grad.{_parameter(sides, name)}"]
    told = []
    for one in dict.fromkeys(names):
        if one.startswith("input."):
            told.append(f"{one} is R's")
        elif one in lines:
            told.append(f"{one} agreed" if lines[one].agrees else f"{one} did NOT agree")
    return (
        "its inputs: " + ", ".join(told) if told else "it is the first thing computed, or its inputs were not compared"
    )


def _parameter(sides: Sides, name: str) -> str:
    return max((n for n in sides.recording.init if name.endswith("." + n)), key=len, default="")


def _of_weights(sides: Sides, first: Line, comparison: Comparison) -> str:
    """Why the parameters are others, or begin otherwise."""
    carried, recording = sides.matched.carried, sides.recording
    if first.name == "parameters" or first.problem:
        untied = [n for n in recording.tied if n in carried.pieces]
        told = []
        if untied:
            told.append(f"R ties {untied[0]} to {recording.tied[untied[0]]} (one parameter); the port has two")
        if carried.missing:
            told.append(f"the port has nothing for R's {', '.join(carried.missing[:4])}")
        if carried.extra:
            told.append(f"the port has {', '.join(carried.extra[:4])}, which R's module has not")
        return "; ".join(told) or "parameters that are trained on one side alone (requires_grad)"
    apart = [
        line for line in comparison.lines if line.name.startswith("init.") and not line.agrees and not line.problem
    ]
    name = first.name.removeprefix("init.")
    own, r = sides.matched.to_r(sides.first)[name].double(), recording.init[name].double()
    kind = recording.layers.get(name.rpartition(".")[0], ("", {}))
    zero_r = [i for i in range(r.shape[0]) if r.dim() == 2 and not r[i].any()]
    zero_own = [i for i in range(own.shape[0]) if own.dim() == 2 and not own[i].any()]
    if zero_r != zero_own and len(zero_r) <= 1 and len(zero_own) <= 1:
        of_r = "R's embedding has no padding row"
        if zero_r:
            index = kind[1].get("padding_idx") or zero_r[0] + 1
            of_r = f"R's padding row is row {zero_r[0]} (its padding_idx = {index}, from 1)"
        of_own = f"the port's is row {zero_own[0]}" if zero_own else "the port has no padding_idx"
        return f"padding_idx: {of_r}, {of_own}"
    factor = float((own * r).sum() / (r * r).sum().clamp_min(1e-300))
    if bool(r.any()) and abs(factor - 1) > 1e-3 and bool(((own - factor * r).abs() <= 1e-5 * own.abs()).all()):
        return f"the same draws in other bounds: the port's are {factor:.6g} times R's"
    if all(_drawn_alike(sides, line.name.removeprefix("init.")) for line in apart):
        return "drawn alike, other numbers: another seed, or submodules that are built in another order than in R"
    return (
        f"another initial distribution: R's has mean {float(r.mean()):.3g} and standard deviation {_std(r):.3g}, "
        f"the port's {float(own.mean()):.3g} and {_std(own):.3g}"
    )


def _drawn_alike(sides: Sides, name: str) -> bool:
    """Whether two draws can be of one distribution: by their spread, which of few numbers is known roughly."""
    own, r = sides.matched.to_r(sides.first)[name].double(), sides.recording.init[name].double()
    n = r.numel()
    return n < 3 or abs(_log(_std(own)) - _log(_std(r))) < max(0.1, 4 / (2 * n) ** 0.5)


def _log(value: float) -> float:
    return math.log(max(value, 1e-30))


def _std(tensor: Tensor) -> float:
    return float(tensor.std()) if tensor.numel() > 1 else 0.0


# Where nothing that was tried helps: what it usually is, by R's class of the submodule, or by the quantity.
_USUAL = (
    (r"batch_norm", "eps (1e-5), momentum (0.1), or statistics of the batch in eval mode"),
    (r"layer_norm|group_norm", "eps (1e-5), or the axes that are normalized"),
    (
        r"lstm|gru|rnn",
        "the order of the gates, batch_first, or the layer that a weight belongs to (R counts layers from 1)",
    ),
    (r"conv_transpose", "inputs and outputs of the kernel exchanged, output_padding, padding"),
    (r"conv", "padding, stride, dilation, groups"),
    (r"embedding", "ids off by one (R counts from 1)"),
    (
        r"attention",
        "the mask turned round or off by one, the scale 1 / sqrt(d), heads split in another order, batch_first",
    ),
    (r"gelu", "GELU by tanh (R's is exact)"),
    (r"softmax", "the wrong axis: R counts dimensions from 1"),
    (r"pool", "kernel, stride, padding, or ceil_mode"),
    (r"dropout", "dropout that is on in eval mode"),
)
_USUAL_BY_NAME = (
    (r"output.*", "what is done after the last submodule: an activation, a sum, an axis (R counts from 1)"),
    (r"loss", "a sum for the mean; classes off by one; classes along another axis"),
    (r"grad\..*", "an operation outside of the graph (detach, no_grad), or weights that are tied in R and not here"),
    (r"train_loss1.*", "dropout in another place or with another share; statistics of batch norms"),
    (
        r"step\d+\..*running_(mean|var)",
        "the batch norm's momentum, or a variance over n where R's running one is over n - 1",
    ),
    (r"step1\..*", "the optimizer and its options: learning rate, weight decay, eps, betas"),
    (r"(losses|step).*", "what adds up over steps: the optimizer's roundings and state, dropout's order"),
)


def _usual(sides: Sides, line: Line) -> str:
    if line.problem and not line.name.startswith("grad."):
        return line.problem
    if line.name.startswith("in."):
        return "what the code does between the submodules before this one and its call"
    kind = next((call.kind for call in sides.recording.calls if call.layer == layer_of(line.name)), "")
    for pattern, cause in _USUAL:
        if kind and re.search(pattern, kind):
            return cause
    if layer_of(line.name):
        return "what this submodule computes of its inputs, or what its code does between them"
    return next((cause for pattern, cause in _USUAL_BY_NAME if re.fullmatch(pattern, line.name)), "not a known pattern")
