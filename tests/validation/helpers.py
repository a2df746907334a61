"""Runs and histories with R's losses, made of its recordings."""

import csv
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from click.testing import Result

from pygpt import checkpoints, training
from pygpt.checkpoints import RunFolder
from pygpt.corpus import SHAKESPEARE_SHA256
from pygpt.exercises.opening import course as exercises
from pygpt.settings import ModelSettings, TrainingSettings
from pygpt.training import Epoch
from pygpt.vocabulary import Vocabulary

Cli = Callable[..., Result]
CHARACTERS = "\n -,;:!?.'&$3aAbBcCdDeEfFgGhHiIjJkKlLmMnNoOpPqQrRsStTuUvVwWxXyYzZ"


def refused(result: Result, *words: str) -> None:
    assert result.exit_code == 2, result.output
    assert result.stderr.startswith(("Error: ", "Usage: ")), result.stderr
    for word in words:
        assert word in result.stderr, result.stderr


def a_run(
    folder: Path, model: str = "gpt", steps: Sequence[float] = (), epochs: int = 3, shape: dict[str, int] | None = None,
    sha256: str = SHAKESPEARE_SHA256, shift: float = 0.0, **settings: object,
) -> Path:  # fmt: skip
    """A finished run of the course with R's losses; its weights are seed 42's first ones."""
    recorded = exercises()[model].recorded
    training_settings = TrainingSettings(threads=1, **settings)  # type: ignore[arg-type]
    model_settings = ModelSettings(model=model, **(shape or {}))  # type: ignore[arg-type]
    run = RunFolder(folder, model_settings, training_settings, checkpoints.provenance(sha256, 301_092, 33_398),
              Vocabulary(CHARACTERS, "icu"))  # fmt: skip
    state = training.start(model_settings, training_settings)
    losses = recorded.losses
    state.history = [Epoch(e, losses[e, "train"] + shift, losses[e, "valid"] + shift) for e in range(1, epochs + 1)]
    steps = steps or recorded.steps
    state.step, state.epoch = len(steps), epochs
    if math.isnan(shift):
        torch.nn.init.constant_(next(state.model.parameters()), math.nan)
    checkpoints.create(run)
    checkpoints.save_checkpoint(run, state, list(enumerate(steps, start=1)))
    return folder


def a_history(path: Path, losses: dict[tuple[int, str], float], decimals: int = 8) -> Path:
    with path.open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["epoch", "train", "valid"])
        out.writerows([e, *(f"{losses[e, part]:.{decimals}f}" for part in ("train", "valid"))] for e in (1, 2, 3))
    return path
