"""Checking pygpt against recordings of R: those in a file, or one made now by R torch."""

import dataclasses
from pathlib import Path

from torch import Tensor

from pygpt.determinism import kernel_fingerprint
from pygpt.errors import PygptError
from pygpt.output.messages import plain
from pygpt.parity.compare import compare
from pygpt.parity.limits import judged, limit_of
from pygpt.parity.recordings import Recording, read_recording
from pygpt.parity.replay import replay
from pygpt.parity.report import Fact, Report

_INPUTS = ("x", "y")
_EXACT = "kernel fingerprint as recorded: every difference must be zero"
_WITHIN = "another kernel fingerprint than recorded: stated limits, the key third of in_proj_bias left out"
_SAME_MACHINE = "made on this machine: every difference must be zero"


def check_recording(path: Path) -> Report:
    """Repeat a recording and compare every quantity it holds.

    Raises:
        PygptError: the file is not a recording, or it cannot be repeated.
    """
    recording = read_recording(path)
    exact = recording.provenance.get("kernel_fingerprint") == kernel_fingerprint()
    title = f"{path}: {recording.kind} of {recording.model.model}, {_versions(recording)}"
    return _report(recording, title, "recorded", _EXACT if exact else _WITHIN, exact, str(path))


def check_live(path: Path, name: str) -> Report:
    """The same for a recording that R torch made on this machine just now: equal to the bit, whatever the kernels.

    Args:
        name: what the report calls it, for its file does not last.
    """
    recording = read_recording(path)
    title = f"R torch, live: {name}, {_versions(recording)}"
    return _report(recording, title, "torch", _SAME_MACHINE, exact=True, file=None)


def _report(recording: Recording, title: str, source: str, strictness: str, exact: bool, file: str | None) -> Report:
    try:
        computed = replay(recording)
    except PygptError as error:
        raise PygptError("{path} cannot be repeated: {fault}", path=recording.path, fault=error) from error
    held = {name: tensor for name, tensor in recording.tensors.items() if name not in _INPUTS}
    both = [name for name in computed if name in held]
    comparison = compare(
        _judged({name: held[name] for name in both} | held, exact),
        _judged({name: computed[name] for name in both}, exact),
        lambda name: limit_of(name, exact, recording.run.lr),
    )
    facts: dict[str, Fact] = {
        "file": file,
        "recording": recording.kind,
        "model": dataclasses.asdict(recording.model),
        "provenance": recording.provenance,
        "exact": exact,
        "not_recorded": [name for name in computed if name not in held],
    }
    return Report(title, source, strictness, comparison, facts)


def _judged(tensors: dict[str, Tensor], exact: bool) -> dict[str, Tensor]:
    return {name: judged(name, tensor, exact) for name, tensor in tensors.items()}


def _versions(recording: Recording) -> str:
    made = recording.provenance
    return plain(f"R {made.get('r', '?')}, torch {made.get('torch', '?')}")
