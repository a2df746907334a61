"""Checking pygpt against recordings of R: those in a file, or one made now by R torch."""

import dataclasses
from pathlib import Path

from torch import Tensor

from pygpt.determinism import ALL_CORES, kernel_fingerprint
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


def check_recording(path: Path, threads: int | None = None, r_threads: int | None = None) -> Report:
    """Repeat a recording and compare every quantity it holds.

    Args:
        threads: what a training is computed on, all cores by default.
        r_threads: how many threads R had, where not as many as the recording says.

    Raises:
        PygptError: the file is not a recording, or it cannot be repeated.
    """
    recording = read_recording(path)
    if r_threads is not None:
        recording = dataclasses.replace(recording, provenance=recording.provenance | {"threads": r_threads})
    exact = recording.provenance.get("kernel_fingerprint") == kernel_fingerprint()
    title = f"{path}: {recording.kind} of {recording.model.model}, {_versions(recording)}"
    return _report(recording, title, "recorded", _EXACT if exact else _WITHIN, exact, str(path), threads)


def check_live(path: Path, name: str) -> Report:
    """The same for a recording that R torch made on this machine just now: equal to the bit, whatever the kernels.

    Args:
        name: what the report calls it, for its file does not last.
    """
    recording = read_recording(path)
    title = f"R torch, live: {name}, {_versions(recording)}"
    return _report(recording, title, "torch", _SAME_MACHINE, exact=True, file=None)


def _report(
    recording: Recording,
    title: str,
    source: str,
    strictness: str,
    exact: bool,
    file: str | None,
    threads: int | None = None,
) -> Report:
    try:
        computed = replay(recording, threads)
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
        "threads": threads or ALL_CORES,
        "r_threads": recording.r_threads,
        "exact": exact,
        "not_recorded": [name for name in computed if name not in held],
    }
    return Report(title, source, strictness, comparison, facts)


def _judged(tensors: dict[str, Tensor], exact: bool) -> dict[str, Tensor]:
    return {name: judged(name, tensor, exact) for name, tensor in tensors.items()}


def _versions(recording: Recording) -> str:
    made = recording.provenance
    threads = f", {recording.r_threads} threads" if recording.r_threads > 1 else ""
    return plain(f"R {made.get('r', '?')}, torch {made.get('torch', '?')}{threads}")
