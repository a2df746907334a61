"""Making an attempt of what a user brings: a run's folder, an R history, R weights, or nothing (200 steps)."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from pygpt import checkpoints, training
from pygpt.checkpoints import RunFolder
from pygpt.corpus import Corpus
from pygpt.determinism import kernel_fingerprint, reproducible
from pygpt.errors import PygptError
from pygpt.exactness import Exactness
from pygpt.exercises.exercise import HOW, PARTS, Exercise, Losses, Sheet, main_of
from pygpt.exercises.sampling import written
from pygpt.exercises.text import vocabulary_of, windows
from pygpt.losses import STEPS, read_history, read_steps
from pygpt.models import CharacterModel
from pygpt.output.messages import Listed, say
from pygpt.settings import ModelName
from pygpt.training import Epoch, Step
from pygpt.validation.attempt import Attempt
from pygpt.validation.history import not_judged_after, read_luz_history
from pygpt.vocabulary import Vocabulary
from pygpt.weights import weights_sha256

QUICK_STEPS = 200
# Settings that make a run another draw of the exercise's, not another exercise.
_FREE = (*HOW, "seed", "vocabulary", "r_threads", "epochs")


def same_kernels(sheet: Sheet) -> bool:
    """Whether this processor computes with the kernels that the exercise's truth was computed with, bit for bit."""
    return kernel_fingerprint() == main_of(sheet).fingerprint


def from_run(folder: Path, sheet: Sheet, same: bool) -> Attempt:
    """A run of ours, as far as it has come.

    Args:
        sheet: the exercises of which it may be one.
        same: what `same_kernels` says.

    Raises:
        PygptError: no run, damaged, without an epoch, or trained on another text or with other settings than the
            exercise's.
    """
    run = checkpoints.open_run(folder)
    exercise = exercise_of(sheet, run.model.model, folder)
    _check_settings(run, exercise)
    history, steps = read_history(folder), read_steps(folder)
    recorded = _is_recorded(run, exercise, same)
    _check_length(run, exercise, history, steps, recorded)
    network = checkpoints.load_model(run)
    losses: Losses = {(e.epoch, part): getattr(e, part) for e in history for part in PARTS}
    judged = {key: losses[key] for key in exercise.keys if key in losses}
    whole = len(history) == exercise.epochs
    facts = {
        "settings": dataclasses.asdict(run.model) | dataclasses.asdict(run.training),
        "provenance": run.provenance,
    }
    return Attempt(
        name=str(folder),
        model=run.model.model,
        due="identical" if recorded else "band",
        losses=judged,
        steps=tuple(steps[: len(exercise.recorded.steps)]),
        weights_sha256=weights_sha256(network.state_dict()) if recorded and whole else None,
        network=network,
        text=sample(network, run.vocabulary, exercise, run.training.r_threads) if whole else None,
        missing=missing(exercise, judged),
        notes=not_judged_after(len(history), exercise.epochs),
        facts=facts,
    )


def exercise_of(sheet: Sheet, model: ModelName, what: Path) -> Exercise:
    """The exercise with a model.

    Raises:
        PygptError: there is none: `what` belongs to none of these exercises.
    """
    if model not in sheet:
        raise PygptError(
            "{what} is a {model} model; the exercise {exercise} trains {due}",
            what=what, model=model, exercise=main_of(sheet).file.path, due=", ".join(sheet),
        )  # fmt: skip
    return sheet[model]


def from_history(path: Path, exercise: Exercise) -> Attempt:
    """A luz history that was exported from R.

    Raises:
        PygptError: see `read_luz_history`.
    """
    history = read_luz_history(path, exercise.epochs)
    return Attempt(
        str(path), exercise.model, "band", history.losses, decimals=history.decimals,
        missing=missing(exercise, history.losses),
        notes=history.notes, facts={"decimals": history.decimals},
    )  # fmt: skip


def first_steps(
    exercise: Exercise, text: Corpus, same: bool, on_step: Callable[[], object], threads: int, r_threads: int
) -> Attempt:
    """Train the first 200 steps as R did: engine r, the exercise's seed.

    Args:
        on_step: called after each step.
        threads: to compute on.
        r_threads: whose bits are given.
    """
    parts = windows(exercise.file, text, vocabulary_of(exercise.file, text))
    settings = dataclasses.replace(exercise.file.training, max_steps=QUICK_STEPS, threads=threads, r_threads=r_threads)
    losses, provenance = [], checkpoints.provenance(text.sha256, *map(len, parts))
    with reproducible(threads):
        state = training.start(exercise.shape, settings)
        for event in training.fit(state, *parts, settings):
            if isinstance(event, Exactness):
                provenance |= event.facts
            if isinstance(event, Step):
                losses.append(event.loss)
                on_step()
    return Attempt(
        name=f"train --quick, seed {settings.seed}",
        model=exercise.model,
        due="threads" if r_threads != exercise.recorded.r_threads else "identical" if same else "digits",
        steps=tuple(losses),
        network=state.model.eval(),
        facts={"settings": dataclasses.asdict(settings), "provenance": provenance},
    )


def sample(network: CharacterModel, vocabulary: Vocabulary, exercise: Exercise, r_threads: int = 1) -> str | None:
    """What the model writes after the exercise's prompt, as R draws it; None where the training has diverged."""
    return written(network, vocabulary, exercise.file.generation, r_threads)


def _check_settings(run: RunFolder, exercise: Exercise) -> None:
    file = exercise.file
    if run.provenance.get("corpus_sha256") != file.text.sha256:
        raise PygptError(
            "{folder} was trained on another text than the course's ({corpus}, SHA-256 {sha256}): its losses cannot be "
            "compared. Train with --corpus {due}.",
            folder=run.folder, corpus=run.training.corpus, sha256=run.provenance.get("corpus_sha256"),
            due=file.text.source,
        )  # fmt: skip
    due = dataclasses.asdict(exercise.shape) | dataclasses.asdict(file.training)
    here = dataclasses.asdict(run.model) | dataclasses.asdict(run.training)
    differ = [
        say("{name} is {here}, not {course}", name=name, here=str(here[name]), course=str(value))
        for name, value in due.items()
        if name not in _FREE and here[name] != value
    ]
    if differ:
        raise PygptError(
            "{folder} was trained with other settings than the course's: {differences}",
            folder=run.folder,
            differences=Listed(differ),
        )


def _check_length(
    run: RunFolder, exercise: Exercise, history: Sequence[Epoch], steps: Sequence[float], recorded: bool
) -> None:
    """A run must have something to judge, and the steps of its epochs."""
    # Before the first epoch is over there are only steps, which tell of a run that must be the recording's.
    if not history and not (recorded and steps):
        raise PygptError(
            "{folder} has trained no epoch yet: there is nothing to judge. Train on: train --resume --out {folder}",
            folder=run.folder,
        )
    due = len(exercise.recorded.steps) // exercise.epochs * len(history)
    if len(steps) < due:
        raise PygptError(
            "{folder}: {file} has {n} steps; {epochs} epochs of the course's text are {due}",
            folder=run.folder,
            file=STEPS,
            n=len(steps),
            epochs=len(history),
            due=due,
        )


def missing(exercise: Exercise, losses: Losses) -> tuple[tuple[int, str], ...]:
    """The exercise's losses that are not there."""
    return tuple(key for key in exercise.keys if key not in losses)


def _is_recorded(run: RunFolder, exercise: Exercise, same: bool) -> bool:
    """Whether the run must be R's, bit for bit: its seed and settings, made with its kernels."""
    t, r = run.training, exercise.recorded
    return (
        same
        and run.provenance.get("cpu_capability") == torch.backends.cpu.get_cpu_capability()
        and (t.seed, t.engine, t.padding_row, t.r_threads, t.device) == (r.seed, "r", "r", r.r_threads, "cpu")
        and run.vocabulary.order == exercise.file.training.vocabulary
    )
