"""Checking the port against recordings of R: those in a file, or one made now by R torch."""

import dataclasses
from pathlib import Path

from torch import Tensor

from pygpt.determinism import kernel_fingerprint
from pygpt.errors import PygptError
from pygpt.parity.compare import compare
from pygpt.parity.limits import judged, limit_of
from pygpt.parity.recordings import Recording, read_recording
from pygpt.parity.replay import replay
from pygpt.parity.report import Report

_INPUTS = ("x", "y")
_EXACT = "kernel fingerprint as recorded: every difference must be zero"
_WITHIN = "another kernel fingerprint than recorded: stated limits, the key third of in_proj_bias left out"
_SAME_MACHINE = "made on this machine: every difference must be zero"


def check_recording(path: Path, made_here: bool = False) -> Report:
    """Repeat a recording and compare every quantity it holds.

    Args:
        made_here: R torch made it on this machine just now, so that bits can be compared.

    Raises:
        PygptError: the file is not a recording, or it cannot be repeated.
    """
    recording = read_recording(path)
    exact = made_here or recording.provenance.get("kernel_fingerprint") == kernel_fingerprint()
    try:
        computed = replay(recording)
    except (KeyError, TypeError, ValueError, RuntimeError, IndexError) as error:
        raise PygptError(f"{path} could not be repeated: its metadata or inputs do not fit ({error!r})") from error
    held = {name: tensor for name, tensor in recording.tensors.items() if name not in _INPUTS}
    both = [name for name in computed if name in held]
    if not both:
        raise PygptError(f"{path} holds no quantity that the port computes")
    comparison = compare(
        _judged({name: held[name] for name in both} | held, exact),
        _judged({name: computed[name] for name in both}, exact),
        lambda name: limit_of(name, exact, recording.run["lr"]),
    )
    return Report(
        title=f"{path}: {recording.kind} of {recording.model.model}, {_versions(recording)}",
        source="torch" if made_here else "recorded",
        strictness=_SAME_MACHINE if made_here else _EXACT if exact else _WITHIN,
        comparison=comparison,
        facts={
            "file": str(path),
            "recording": recording.kind,
            "model": dataclasses.asdict(recording.model),
            "provenance": recording.provenance,
            "exact": exact,
            "not_recorded": [name for name in computed if name not in held],
        },
    )


def _judged(tensors: dict[str, Tensor], exact: bool) -> dict[str, Tensor]:
    return {name: judged(name, tensor, exact) for name, tensor in tensors.items()}


def _versions(recording: Recording) -> str:
    made = recording.provenance
    return f"R {made.get('r', '?')}, torch {made.get('torch', '?')}"
