"""Recordings of R, read by their metadata; their form is that of `parity_tests/recordings/README.md`."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from pygpt.errors import PygptError
from pygpt.settings import ModelSettings
from pygpt.weights import read_tensors

KINDS = ("model", "training")

_RUN_KEYS = {
    "model": (
        "build_seed", "train_seed", "train_steps", "lr", "max_norm", "generate_seed", "temperature", "new_tokens",
    ),
    "training": (
        "stream", "train_tokens", "valid_tokens", "epochs", "batch_size", "lr", "max_norm", "seed",
        "prompt_tokens", "generate_seed", "temperature", "new_tokens",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Recording:
    """What R computed: the tensors, by the names of the README, and what it was asked to do."""

    path: Path
    kind: str
    model: ModelSettings
    run: dict[str, Any]
    provenance: dict[str, Any]
    tensors: dict[str, Tensor]


def read_recording(path: Path) -> Recording:
    """Read a recording.

    Raises:
        PygptError: not a safetensors file, or its metadata do not say what is needed to repeat it.
    """
    tensors, metadata = read_tensors(path)
    try:
        kind, name = metadata["recording"], metadata["model"]
        run, provenance = json.loads(metadata["run"]), json.loads(metadata["provenance"])
        model = ModelSettings.from_r(name, json.loads(metadata["model_settings"]))
    except (KeyError, ValueError, TypeError, PygptError) as error:
        raise PygptError(f"{path} is not a recording that can be read: its metadata lack or spoil {error}") from error
    if kind not in KINDS:
        raise PygptError(f"{path}: unknown kind of recording {kind!r}; known are {', '.join(KINDS)}")
    missing = [key for key in _RUN_KEYS[kind] if key not in run]
    if missing or not isinstance(provenance, dict):
        raise PygptError(f"{path}: the recording's 'run' lacks {', '.join(missing) or 'a provenance'}")
    return Recording(path, kind, model, run, provenance, tensors)
