"""Making an attempt of what a user brings: a run's folder, an R history, R weights, or nothing (200 steps)."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from pygpt import checkpoints, corpus, training
from pygpt.checkpoints import RunFolder
from pygpt.corpus import SHAKESPEARE_SHA256, Corpus
from pygpt.determinism import kernel_fingerprint, reproducible
from pygpt.errors import PygptError
from pygpt.exactness import Exactness
from pygpt.generation import generate
from pygpt.losses import STEPS, read_history, read_steps
from pygpt.models import CharacterModel
from pygpt.output.messages import Listed, say
from pygpt.settings import ModelName, ModelSettings, TrainingSettings
from pygpt.training import Epoch, Step
from pygpt.validation.attempt import Attempt
from pygpt.validation.course import (
    EPOCHS,
    KEYS,
    PARTS,
    PROMPT,
    RECORDED_SEED,
    TEMPERATURE,
    TEXT_LENGTH,
    TEXT_SEED,
    Losses,
    exercises,
    results,
)
from pygpt.validation.history import not_judged_after, read_luz_history
from pygpt.vocabulary import Vocabulary
from pygpt.weights import weights_sha256

QUICK_STEPS = 200
# Settings that make a run another draw of the course's, not another exercise.
_FREE = ("seed", "engine", "vocabulary", "padding_row", "bf16", "compile", "threads", "r_threads", "device",
         "accumulate", "checkpoint_every", "corpus", "epochs", "max_steps")  # fmt: skip


def same_kernels() -> bool:
    """Whether this processor computes with the recording's kernels, bit for bit."""
    return bool(kernel_fingerprint() == results()["recording"]["provenance"]["kernel_fingerprint"])


def from_run(folder: Path, same: bool) -> Attempt:
    """A run of ours, as far as it has come.

    Args:
        same: what `same_kernels` says.

    Raises:
        PygptError: no run, damaged, without an epoch, or trained on another text or with other settings than the
            course's.
    """
    run = checkpoints.open_run(folder)
    _check_course(run)
    history, steps = read_history(folder), read_steps(folder)
    recorded = _is_recorded(run, same)
    _check_length(run, history, steps, recorded)
    network = checkpoints.load_model(run)
    losses: Losses = {(e.epoch, part): getattr(e, part) for e in history for part in PARTS}
    judged = {key: losses[key] for key in KEYS if key in losses}
    whole = len(history) == EPOCHS
    facts = {
        "settings": dataclasses.asdict(run.model) | dataclasses.asdict(run.training),
        "provenance": run.provenance,
    }
    return Attempt(
        name=str(folder),
        model=run.model.model,
        due="identical" if recorded else "band",
        losses=judged,
        steps=tuple(steps[: len(exercises()[run.model.model].recorded.steps)]),
        weights_sha256=weights_sha256(network.state_dict()) if recorded and whole else None,
        network=network,
        text=sample(network, run.vocabulary, run.training.r_threads) if whole else None,
        missing=missing(judged),
        notes=not_judged_after(len(history)),
        facts=facts,
    )


def from_history(path: Path, model: ModelName) -> Attempt:
    """A luz history that was exported from R; `model` says which exercise it belongs to.

    Raises:
        PygptError: see `read_luz_history`.
    """
    history = read_luz_history(path)
    return Attempt(
        str(path), model, "band", history.losses, decimals=history.decimals, missing=missing(history.losses),
        notes=history.notes, facts={"decimals": history.decimals},
    )  # fmt: skip


def first_steps(
    model: ModelName, text: Corpus, same: bool, on_step: Callable[[], object], threads: int, r_threads: int
) -> Attempt:
    """Train the first 200 steps as the recording did: engine r, seed 42.

    Args:
        on_step: called after each step.
        threads: to compute on.
        r_threads: whose bits are given; the recording's are those of one.
    """
    vocabulary = Vocabulary.from_text(text.text)
    windows = course_windows(text, vocabulary)
    settings = TrainingSettings(max_steps=QUICK_STEPS, threads=threads, r_threads=r_threads)
    losses, provenance = [], _versions(text, windows)
    with reproducible(threads):
        state = training.start(ModelSettings(model=model, vocab_size=len(vocabulary)), settings)
        for event in training.fit(state, *windows, settings):
            if isinstance(event, Exactness):
                provenance |= event.facts
            if isinstance(event, Step):
                losses.append(event.loss)
                on_step()
    return Attempt(
        name=f"train --quick, seed {RECORDED_SEED}",
        model=model,
        due="threads" if r_threads != 1 else "identical" if same else "digits",
        steps=tuple(losses),
        network=state.model.eval(),
        facts={"settings": dataclasses.asdict(settings), "provenance": provenance},
    )


def course_windows(text: Corpus, vocabulary: Vocabulary) -> tuple[Tensor, Tensor]:
    """Windows (n, 65) to train and to validate on, as exercises 2 and 3 make them."""
    settings = TrainingSettings()
    parts = corpus.split(vocabulary.encode(text.text), settings.share, settings.train_share)
    train, valid = (corpus.windows(part, ModelSettings().block_size, say("the course's text")) for part in parts)
    return train, valid


def sample(network: CharacterModel, vocabulary: Vocabulary, r_threads: int = 1) -> str | None:
    """What the model writes after the course's prompt, drawn as the recording was: 400 characters.

    None where the training has diverged: from weights that are not finite nothing can be drawn.
    """
    if not all(torch.isfinite(value).all() for value in network.state_dict().values()):
        return None
    prompt = vocabulary.encode(PROMPT, say("the course's prompt")).tolist()
    with reproducible():
        drawn = generate(network, prompt, TEXT_LENGTH, TEMPERATURE, (TEXT_SEED,), r_threads=r_threads)
        rows = [row for (row,) in drawn]
    return vocabulary.decode(rows)


def _check_course(run: RunFolder) -> None:
    if run.provenance.get("corpus_sha256") != SHAKESPEARE_SHA256:
        raise PygptError(
            "{folder} was trained on another text than the course's ({corpus}, SHA-256 {sha256}): its losses cannot be "
            "compared. Train with --corpus shakespeare.",
            folder=run.folder,
            corpus=run.training.corpus,
            sha256=run.provenance.get("corpus_sha256"),
        )
    course = dataclasses.asdict(ModelSettings(model=run.model.model)) | dataclasses.asdict(TrainingSettings())
    here = dataclasses.asdict(run.model) | dataclasses.asdict(run.training)
    differ = [
        say("{name} is {here}, not {course}", name=name, here=str(here[name]), course=str(value))
        for name, value in course.items()
        if name not in _FREE and here[name] != value
    ]
    if differ:
        raise PygptError(
            "{folder} was trained with other settings than the course's: {differences}",
            folder=run.folder,
            differences=Listed(differ),
        )


def _check_length(run: RunFolder, history: Sequence[Epoch], steps: Sequence[float], recorded: bool) -> None:
    """A run must have something to judge, and the steps of its epochs."""
    # Before the first epoch is over there are only steps, which tell of a run that must be the recording's.
    if not history and not (recorded and steps):
        raise PygptError(
            "{folder} has trained no epoch yet: there is nothing to judge. Train on: train --resume --out {folder}",
            folder=run.folder,
        )
    due = len(exercises()[run.model.model].recorded.steps) // EPOCHS * len(history)
    if len(steps) < due:
        raise PygptError(
            "{folder}: {file} has {n} steps; {epochs} epochs of the course's text are {due}",
            folder=run.folder,
            file=STEPS,
            n=len(steps),
            epochs=len(history),
            due=due,
        )


def missing(losses: Losses) -> tuple[tuple[int, str], ...]:
    """The course's losses that are not there."""
    return tuple(key for key in KEYS if key not in losses)


def _is_recorded(run: RunFolder, same: bool) -> bool:
    """Whether the run must be the recording's, bit for bit: its seed and settings, made with its kernels."""
    t = run.training
    return (
        same
        and run.provenance.get("cpu_capability") == torch.backends.cpu.get_cpu_capability()
        and (t.seed, t.engine, t.padding_row, t.r_threads, t.device) == (RECORDED_SEED, "r", "r", 1, "cpu")
        and run.vocabulary.order == "icu"
    )


def _versions(text: Corpus, windows: tuple[Tensor, Tensor]) -> dict[str, object]:
    return checkpoints.provenance(text.sha256, *map(len, windows))
