"""A Python port held against a recording of R's module: loads, builds, parameters, forward, gradients, steps."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from torch import Tensor, nn

from pygpt.determinism import reproducible
from pygpt.output.messages import plain
from pygpt.parity.compare import Comparison
from pygpt.parity.modules.explanation import explained
from pygpt.parity.modules.lines import UNMEASURED, Sides, compared, computed
from pygpt.parity.modules.losses import loss_of
from pygpt.parity.modules.matching import Matched, matchings
from pygpt.parity.modules.optimizers import Engine
from pygpt.parity.modules.port import load_port
from pygpt.parity.modules.recording import ModuleRecording, read_module_recording
from pygpt.parity.modules.replay import Replay, Setting
from pygpt.parity.modules.replay import replay as replayed
from pygpt.parity.modules.rounding import measured
from pygpt.parity.report import Fact, Report

_STRICTNESS = "limits: what a change in the last bit of weights and inputs does to the port, eight times"


def check_module(
    path: Path,
    spec: str,
    weight_map: Mapping[str, Sequence[str]] | None = None,
    engine: Engine = "r",
    r_threads: int | None = None,
) -> Report:
    """Hold a port against a recording, and try what explains its first divergence.

    Args:
        spec: `port.py:build`; its code is run in this process.
        weight_map: R's parameters with the port's, where names and values do not tell them.
        engine: whose optimizers train, and which row of an embedding gets no gradient: R's, or PyTorch's.
        r_threads: how many threads R had, where not as many as the recording says.

    Raises:
        PygptError: the recording cannot be read; the port does not load or build; its weights cannot be matched.
    """
    recording = read_module_recording(path)
    recording = replace(recording, threads=r_threads or recording.threads)
    port = load_port(spec)
    with reproducible(recording.threads):
        module = port.built(recording.args, recording.build_seed)
    first = {name: t.detach().clone() for name, t in module.state_dict().items() if isinstance(t, Tensor)}
    settings = [
        Setting(port, matched, loss_of(recording, port), engine, layers_of(recording, matched, module), recording.init)
        for matched in matchings(recording, module, weight_map or port.weight_map)
    ]
    setting = likeliest(recording, module, settings)
    done = replayed(recording, setting)
    limits = measured(recording, setting, done.quantities)
    sides = Sides(recording, setting.matched, module, first, limits)
    comparison = compared(sides, done)
    known = explained(sides, setting, comparison, done)
    facts: dict[str, Fact] = {
        "file": str(path),
        "recording": "module",
        "model": recording.model,
        "port": spec,
        "engine": engine,
        "provenance": dict(recording.facts),
        "threads": recording.threads,
        "equal_to_the_bit": equal_to_the_bit(comparison),
        "names": {name: setting.matched.own_names(name) for name in setting.matched.carried.pieces},
        "submodules": dict(setting.layers),
        "recognized": dict(setting.matched.how),
        "weight_map": setting.matched.carried.line(),
        "not_in_the_port": sorted({call.layer for call in recording.calls} - setting.layers.keys()),
        "args_not_taken": port.not_taken(recording.args),
    }
    title = f"{path}: module {plain(recording.model)}, {_versions(recording)}; {spec}, engine {engine}"
    return Report(title, "recorded", _STRICTNESS, comparison, facts, tuple(_remarks(sides, setting, comparison)), known)


def equal_to_the_bit(comparison: Comparison) -> int:
    """How many quantities do not differ at all."""
    return sum(line.agrees and line.absolute == 0 for line in comparison.lines)


def _remarks(sides: Sides, setting: Setting, comparison: Comparison) -> list[str]:
    recording, matched = sides.recording, setting.matched
    both, total = len(matched.carried.pieces), len(sides.recording.init) - len(recording.tied)
    by = ", ".join(sorted(set(matched.how.values()))) or "-"
    remarks = [
        f"loads; builds; weights matched: {both} of {total} (by {by})",
        f"submodules matched: {len(setting.layers)} of {len({call.layer for call in recording.calls})}"
        if recording.calls
        else "the recording holds no submodules' outputs",
        f"equal to the bit: {equal_to_the_bit(comparison)} of {len(comparison.lines)}",
    ]
    other = {name: own for name in matched.carried.pieces if (own := matched.own_names(name)) != [name]}
    if other:
        remarks.append("names: " + _some([f"{name} is {' + '.join(own)}" for name, own in other.items()]))
    if recording.built and (own_layout := [n for n, how in matched.how.items() if how in ("shape", "weight_map")]):
        remarks.append(
            f"first weights not judged, since the port has names or a layout of its own: {_some(own_layout)}"
        )
    told = {training.label for training in recording.trainings}
    labels = [name.removeprefix("losses.") for name in recording.tensors if name.startswith("losses.")]
    if untold := [label for label in labels if label not in told]:
        remarks.append(f"not repeated, since the recording does not tell the optimizer: {_some(untold)}")
    if missing := setting.port.not_taken(recording.args):
        remarks.append(f"build() does not take {', '.join(missing)}, which R's module got")
    return remarks


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:4]) + (" …" if len(names) > 4 else "")


def layers_of(recording: ModuleRecording, matched: Matched, module: nn.Module) -> dict[str, str]:
    """R's submodules with the port's."""
    names = list(dict.fromkeys(call.layer for call in recording.calls))
    return matched.layers(names, [name for name, _ in module.named_modules() if name])


def likeliest(recording: ModuleRecording, module: nn.Module, settings: Sequence[Setting]) -> Setting:
    """Of several ways in which the weights fit, the first with which the most of forward() agrees."""
    if len(settings) == 1:
        return settings[0]

    def agreeing(setting: Setting) -> int:
        forward = replace(setting, until="forward")
        quantities = replayed(recording, forward).quantities
        sides = Sides(recording, setting.matched, module, {}, dict.fromkeys(quantities, UNMEASURED))
        names = {*quantities, "output", *(f"output[{i}]" for i in range(1, len(recording.outputs) + 1))}
        lines = [line for line in computed(sides, Replay(quantities)) if line.name in names]
        return sum(line.agrees for line in lines) + len(lines) * all(
            line.agrees for line in lines if line.name.startswith("output")
        )

    best, most = settings[0], -1
    for setting in settings:
        number = agreeing(setting)
        if number > most:
            best, most = setting, number
    return best


def _versions(recording: ModuleRecording) -> str:
    made = recording.facts
    threads = f", {recording.threads} threads" if recording.threads > 1 else ""
    return plain(f"R {made.get('r', '?')}, torch {made.get('torch', '?')}{threads}")
