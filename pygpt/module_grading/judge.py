"""A port held against a recording, from the whole to its parts: every check with its equal shares.

What R gave is never sent to the submission. A part is asked about with the input that R's had, in the order of R's
calls: by then the port has answered for all that this input tells of.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial

import torch
from torch import Tensor

from pygpt.determinism import reproducible
from pygpt.errors import PygptError
from pygpt.grading.check import Outcome, Verdict
from pygpt.isolation.session import AnswerError, Session
from pygpt.module_grading.proxy import Otherwise, Proxy, own_loss, port_of
from pygpt.module_grading.settings import Settings, differing, told
from pygpt.output.messages import Message, say
from pygpt.parity.compare import Comparison, Limit, Line
from pygpt.parity.modules.check import layers_of, likeliest
from pygpt.parity.modules.lines import Sides, compared, line_of
from pygpt.parity.modules.losses import Loss, loss_of
from pygpt.parity.modules.matching import Matched, matchings
from pygpt.parity.modules.port import Port
from pygpt.parity.modules.recording import Call, Input, ModuleRecording, read_module_recording
from pygpt.parity.modules.replay import Replay, Setting, replay
from pygpt.parity.modules.rounding import measured

# The most that a right port's rounding does to what is no weight after steps, as a share of the largest number. What a
# port does when it is shaken is its own word: it may ask for less, never for more.
_MOST_OFF = 1e-3


@dataclass(frozen=True)
class Examined:
    """What came of one port."""

    results: Mapping[str, Sequence[tuple[Message, Verdict]]]
    """Of each check its items, by the names that reports give them."""
    ladder: Comparison | None


recording_of = cache(read_module_recording)


def _loss(session: Session, recording: ModuleRecording) -> Loss:
    """R's where it is known here; else the submission's own."""
    try:
        return loss_of(recording, Port(recording.path, dict))
    except PygptError:
        return partial(own_loss, session) if "loss" in session.parts else _no_loss


def _no_loss(_output: object, _target: Tensor | None) -> Tensor:
    raise AnswerError(say("R's loss is none that is known here: define loss(output, target)"))


def examine(session: Session, recording: ModuleRecording) -> Examined:
    """Ask the port whose session this is all that the recording tells."""
    results: dict[str, list[tuple[Message, Verdict]]] = {}
    right = "build" in session.parts
    results["loads.build"] = [(say("{part}", part="build"), Verdict.of(right, *_defined(right)))]
    comparison: Comparison | None = None
    built = _built(session, recording) if right else AnswerError(say("{part} is not defined", part="build"))
    if isinstance(built, AnswerError):
        verdict = Verdict(Outcome.NO_ANSWER, say("a module"), built.message)
        results["builds.module"] = [(say("{part}", part="build"), verdict)]
        return Examined(results, None)
    setting, module = built
    results["builds.module"] = [(say("{part}", part="build"), Verdict.of(True, say("a module"), say("a module")))]
    results["builds.weights"] = list(_weights(recording, setting.matched, module))
    others = _others(recording, setting, module)
    done, comparison, mended = _nearest(session, recording, setting, module, others)
    results["forward.output"] = _judged(recording, _lines(comparison, "output"), done, "output")
    fine = all(verdict.passed for _, verdict in results["forward.output"])
    results["forward.parts"] = _parts(recording, setting, module, fine, others if mended or not fine else {})
    results["gradients.weights"] = _judged(recording, _lines(comparison, "loss", "grad."), done, "grad.")
    first = _lines(comparison, "step1.", "train_loss1")
    last = [line for line in _lines(comparison, "step", "losses") if line not in first]
    results["training.first"] = _judged(recording, first, done, "step1.")
    results["training.last"] = _judged(recording, last, done, "losses")
    return Examined({check: items for check, items in results.items() if items}, comparison)


def _defined(right: bool) -> tuple[Message, Message]:
    there = say("{part} is defined", part="build")
    return there, there if right else say("{part} is not defined", part="build")


def _built(session: Session, recording: ModuleRecording) -> tuple[Setting, Proxy] | AnswerError:
    port = port_of(session, recording)
    spelt = {name: list(own) for name, own in session.weight_map.items()}
    try:
        with reproducible():
            torch.manual_seed(recording.build_seed)
            module = port.build(**recording.args)
        ways = matchings(recording, module, spelt)
        loss = _loss(session, recording)
        settings = [Setting(port, way, loss, "r", layers_of(recording, way, module), recording.init) for way in ways]
        return likeliest(recording, module, settings), module
    except AnswerError as failed:
        return failed
    except PygptError as failed:  # what its weight_map says
        return AnswerError(say(failed.template, **failed.values))


def _others(recording: ModuleRecording, setting: Setting, module: Proxy) -> dict[str, Settings]:
    """R's settings that the port's submodules have otherwise, by R's names."""
    others = {
        name: differing(recording.layers[name][1], module.layers[own][1])
        for name, own in setting.layers.items()
        if name in recording.layers and own in module.layers
    }
    return {name: settings for name, settings in others.items() if settings}


def _nearest(
    session: Session, recording: ModuleRecording, setting: Setting, module: Proxy, others: Mapping[str, Settings]
) -> tuple[Replay, Comparison, bool]:
    """What comes nearest to R's, and whether submodules were given R's settings for it: that is paid where they are.

    Of embeddings that are padded, R's row has no gradient, or PyTorch's: a port may have mended R's slip, or not.
    """
    padded = any(own.get("padding_idx") is not None for _, own in module.layers.values())
    mended = {setting.layers[name]: settings for name, settings in others.items()}
    ways = [Otherwise(after, settings) for settings in ({}, mended) for after in (True, False)
            if (after or padded) and (settings or settings is not mended)]  # fmt: skip
    tried = []
    for way in ways:
        one = replace(setting, port=port_of(session, recording, way))
        done = replay(recording, one)
        limits = measured(recording, one, done.quantities)
        first = {name: tensor.detach() for name, tensor in module.state_dict().items()}
        comparison = compared(Sides(recording, setting.matched, module, first, _bounded(limits, recording)), done)
        comparison = replace(comparison, lines=tuple(line for line in comparison.lines if not _is_start(line)))
        tried.append((done, comparison, bool(way.settings)))
        if comparison.agrees:
            break
    return max(tried, key=lambda one: sum(line.agrees for line in one[1].lines))


def _is_start(line: Line) -> bool:
    """First weights are R's where the port draws them in R's order: nothing that is asked for."""
    return line.name.startswith("init.")


def _bounded(limits: Mapping[str, Limit], recording: ModuleRecording) -> dict[str, Limit]:
    largest = {name: float(t.double().abs().max()) for name, t in recording.tensors.items() if t.numel()}
    return {
        name: limit if name.startswith("step") else replace(
            limit, absolute=min(limit.absolute, _MOST_OFF * max(largest.get(name, 1.0), 1e-6))
        )
        for name, limit in limits.items()
    }  # fmt: skip


def _weights(recording: ModuleRecording, matched: Matched, module: Proxy) -> Iterator[tuple[Message, Verdict]]:
    """Every weight of R's has its counterpart, and the port has no more than these."""
    for name, tensor in recording.init.items():
        if name in recording.tied or (tensor.numel() == 1 and not tensor.is_floating_point()):
            continue  # batch norm's counter changes nothing
        own = matched.own_names(name)
        shape = say("{shape}", shape=str(tuple(tensor.shape)))
        yield say("{name}", name=name), Verdict.of(bool(own), shape, say("{names}", names=", ".join(own)) if own else
                                                   say("no parameter of this shape was recognized"))  # fmt: skip
    trained = sum(p.numel() for p in module.parameters() if p.requires_grad)
    wanted = sum(recording.init[name].numel() for name in recording.parameters)
    yield say("trained numbers"), Verdict.of(trained == wanted, say("{n:,}", n=wanted), say("{n:,}", n=trained))


def _lines(comparison: Comparison, *starts: str) -> list[Line]:
    return [x for x in comparison.lines if x.name.startswith(starts) and (x.name != "losses" or x.name in starts)]


def _judged(
    recording: ModuleRecording, lines: Sequence[Line], done: Replay, start: str
) -> list[tuple[Message, Verdict]]:
    """One item a quantity; where the port stopped before any, one that says why."""
    if not lines and done.error is not None and any(True for _ in _recorded(recording, start)):
        return [(say("{name}", name=start.rstrip(".")), Verdict(Outcome.NO_ANSWER, say("an answer"), _why(done)))]
    return [(say("{name}", name=line.name), _verdict(line, done)) for line in lines]


def _recorded(recording: ModuleRecording, start: str) -> Iterator[str]:
    return (name for name in recording.tensors if name.startswith(start))


def _verdict(line: Line, done: Replay) -> Verdict:
    if line.problem:
        came = line.name in done.quantities or done.error is None
        why = say("{words}", words=line.problem) if came else _why(done)
        return Verdict(Outcome.NO_ANSWER, say("shape {shape}", shape=str(line.shape)), why)
    place = say("{value} at {place}", value=_value(line.expected), place=str(list(line.where)))
    own = say("{value}, {off} off; {limit} is allowed", value=_value(line.actual), off=_value(line.absolute),
              limit=_value(line.limit.absolute))  # fmt: skip
    return Verdict.of(line.agrees, place, own)


def _value(x: float) -> Message:
    return say("{x:.6g}", x=x)


def _why(done: Replay) -> Message:
    return done.error.message if isinstance(done.error, AnswerError) else say("{words}", words=str(done.error))


def _parts(
    recording: ModuleRecording, setting: Setting, module: Proxy, fine: bool, others: Mapping[str, Settings]
) -> list[tuple[Message, Verdict]]:
    """Each of R's submodules with the input that R's had. Where the whole is R's, so are they, however it is cut."""
    items = []
    for call in recording.calls:
        expected = say("what R's {kind} gives", kind=call.kind)
        if call.layer in others:
            own = module.layers[setting.layers[call.layer]][1]
            verdict = Verdict.of(False, expected, told(others[call.layer], own))
        elif fine:
            verdict = Verdict.of(True, expected, say("the whole is R's"))
        elif call.layer not in setting.layers:
            verdict = Verdict.of(False, expected, say("no submodule was recognized as it"))
        else:
            verdict = _part(recording, setting.layers[call.layer], module, call, expected)
        items.append((say("{name}", name=call.name), verdict))
    return items


def _part(recording: ModuleRecording, own: str, module: Proxy, call: Call, expected: Message) -> Verdict:
    inputs = [Input(name, recording.tensors[tensor], call.ids and place == 1) for place, name, tensor in call.inputs]
    wanted = [recording.tensors[name] for name in call.outputs]
    if not wanted:
        return Verdict.of(True, expected, say("it gives no tensor"))
    try:
        gave = module.part(own, inputs, sum(t.numel() for t in wanted))
    except AnswerError as failed:
        return Verdict(Outcome.NO_ANSWER, expected, failed.message)
    lines = [_line(name, r, x) for name, r, x in zip(call.outputs, wanted, gave, strict=False)]
    off = next((line for line in lines if line is None or not line.agrees), None)
    if len(gave) >= len(wanted) and all(line is not None and line.agrees for line in lines):
        return Verdict.of(True, expected, say("the same"))
    if off is None:
        return Verdict.of(False, expected, say("it has another shape, or gives less"))
    words = say("{value} at {place}, R's is {r}", value=_value(off.actual), place=str(list(off.where)),
                r=_value(off.expected))  # fmt: skip
    return Verdict.of(False, expected, words)


def _line(name: str, r: Tensor, own: Tensor) -> Line | None:
    if r.numel() != own.numel():
        return None
    limit = Limit(1e-6, 1e-5, 1e-5)
    return line_of(name, r, own, limit)
