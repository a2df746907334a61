"""Checking the port against one recording of R."""

from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from pygpt.errors import PygptError
from pygpt.parity.compare import Comparison, compare
from pygpt.parity.fingerprint import kernel_fingerprint
from pygpt.parity.limits import judged, limit_of
from pygpt.parity.recordings import Recording, read_recording
from pygpt.parity.replay import replay

_INPUTS = ("x", "y")


@dataclass(frozen=True)
class Check:
    """What one recording was compared with, and how strictly."""

    recording: Recording
    exact: bool
    """Whether zero difference was demanded: the recording's kernel fingerprint is this machine's."""
    comparison: Comparison
    not_recorded: tuple[str, ...]
    """Quantities that the port computed and the recording does not hold."""


def check_recording(path: Path) -> Check:
    """Repeat a recording and compare every quantity it holds.

    Raises:
        PygptError: the file is not a recording, or it cannot be repeated.
    """
    recording = read_recording(path)
    exact = recording.provenance.get("kernel_fingerprint") == kernel_fingerprint()
    try:
        computed = replay(recording)
    except (KeyError, TypeError, ValueError, RuntimeError, IndexError) as error:
        raise PygptError(f"{path} could not be repeated: its metadata or inputs do not fit ({error!r})") from error
    held = {name: tensor for name, tensor in recording.tensors.items() if name not in _INPUTS}
    both = [name for name in computed if name in held]
    if not both:
        raise PygptError(f"{path} holds no quantity that the port computes")
    expected = {name: held[name] for name in both} | held
    comparison = compare(
        _judged(expected, exact),
        _judged({name: computed[name] for name in both}, exact),
        lambda name: limit_of(name, exact, recording.run["lr"]),
    )
    return Check(recording, exact, comparison, tuple(name for name in computed if name not in held))


def _judged(tensors: dict[str, Tensor], exact: bool) -> dict[str, Tensor]:
    return {name: judged(name, tensor, exact) for name, tensor in tensors.items()}
