"""The very run that a student says to have made: trained here with engine r, and put in the place of R's."""

import dataclasses
from collections.abc import Collection, Mapping
from pathlib import Path

from torch import Tensor

from pygpt import api, checkpoints
from pygpt.determinism import kernel_fingerprint
from pygpt.exercises.exercise import PARTS, Exercise, Recorded, Sheet
from pygpt.exercises.sampling import written
from pygpt.exercises.text import settings_of
from pygpt.output.messages import Message, say
from pygpt.settings import ModelName
from pygpt.weights import weights_sha256

RUNS = Path("runs/validate")


def with_seed(sheet: Sheet, models: Collection[ModelName], seed: int | None, r_threads: int | None) -> Sheet:
    """The exercises with the runs of another seed, or on another number of R's threads, in the place of R's.

    What is begun in `runs/validate` goes on, what is done there is kept.

    Args:
        models: of which exercises.
        seed: None changes nothing.
        r_threads: None for as many as the exercise says.

    Raises:
        PygptError: the text cannot be had.
        KeyboardInterrupt: see `api.train`.
    """
    if seed is None:
        return sheet
    return {model: _seeded(e, seed, r_threads) if model in models else e for model, e in sheet.items()}


def run_folder(exercise: Exercise, seed: int, r_threads: int) -> Path:
    """Where the run of a seed is kept."""
    file = exercise.file
    return RUNS / f"{file.name}_{file.settings_sha256[:8]}_seed_{seed}_threads_{r_threads}"


def first_difference(exercise: Exercise, tensors: Mapping[str, Tensor]) -> Message | None:
    """The first of the weights, in R's order, that is not the seed's run's; None where all are, or none was made."""
    r = exercise.recorded
    folder = run_folder(exercise, r.seed, r.r_threads)
    if not (folder / checkpoints.WEIGHTS).exists():
        return None
    for name, due in checkpoints.load_model(checkpoints.open_run(folder)).state_dict().items():
        here = tensors[name]
        if not due.equal(here):
            largest = float((due.double() - here.double()).abs().max())
            n = int((due != here).sum())
            return say(
                "The first weight that differs is {name}: {n:,} of its {all:,} numbers, by up to {largest:.1e}.",
                name=name, n=n, all=due.numel(), largest=largest,
            )  # fmt: skip
    return None


def _seeded(exercise: Exercise, seed: int, r_threads: int | None) -> Exercise:
    threads = r_threads or exercise.file.training.r_threads
    if (seed, threads) == (exercise.recorded.seed, exercise.recorded.r_threads):
        return exercise
    folder = run_folder(exercise, seed, threads)
    begun = (folder / checkpoints.SETTINGS).exists()
    given = settings_of(exercise.file) | {"seed": seed, "r_threads": threads, "engine": "r"}
    run = api.train(folder, resume=begun, **given)
    text = written(run.model, run.vocabulary, exercise.file.generation, threads)
    recorded = Recorded(
        losses={(epoch.epoch, part): getattr(epoch, part) for epoch in run.history for part in PARTS},
        steps=tuple(run.steps),
        text=text or "",
        weights_sha256=weights_sha256(run.model.state_dict()),
        seed=seed,
        r_threads=threads,
        by_r=False,
    )
    return dataclasses.replace(exercise, recorded=recorded, fingerprint=kernel_fingerprint())
