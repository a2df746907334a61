"""Making an attempt of what a user brings: a run's folder, an R history, R weights, or nothing (200 steps)."""

import dataclasses
import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from pygpt import checkpoints, corpus, training, weights
from pygpt.checkpoints import RunFolder
from pygpt.corpus import SHAKESPEARE_SHA256, Corpus
from pygpt.determinism import kernel_fingerprint, reproducible
from pygpt.errors import PygptError
from pygpt.exactness import Exactness
from pygpt.generation import generate
from pygpt.losses import STEPS, read_history, read_steps
from pygpt.models import CharacterModel, build_model
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
from pygpt.vocabulary import ORDERS, Vocabulary

QUICK_STEPS = 200
# Settings that make a run another draw of the course's, not another exercise.
_FREE = ("seed", "engine", "vocabulary", "padding_row", "bf16", "compile", "threads", "r_threads", "device",
         "checkpoint_every", "corpus", "epochs", "max_steps")  # fmt: skip
# What a vocabulary's order is told by: so many validation windows are enough.
_ENOUGH_WINDOWS = 640


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
        missing=_missing(judged),
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
        str(path), model, "band", history.losses, decimals=history.decimals, missing=_missing(history.losses),
        notes=history.notes, facts={"decimals": history.decimals},
    )  # fmt: skip


def from_weights(path: Path, text: Corpus, r_threads: int = 1) -> Attempt:
    """Weights that were trained in R, with R's keys, evaluated on the course's validation text.

    The vocabulary's order is not in the file: of R's two (`icu`, `c`) the one with the lower loss is taken.

    Args:
        r_threads: how many threads R's torch had; so many evaluate them.

    Raises:
        PygptError: not safetensors, or other keys or shapes than the course's models have.
    """
    tensors, _ = weights.read_tensors(path)
    model: ModelName = "gpt" if any(name.startswith("MH.") for name in tensors) else "gpt_noattn"
    _check_vocabulary_size(tensors, path)
    network = build_model(ModelSettings(model=model))
    weights.load_state(network, tensors, path)
    network.eval()
    settings = TrainingSettings()
    with reproducible(r_threads):
        candidates = {order: Vocabulary.from_text(text.text, order) for order in ORDERS}
        windows = {order: course_windows(text, vocabulary)[1] for order, vocabulary in candidates.items()}
        order = min(
            ORDERS, key=lambda name: training.validation_loss(network, windows[name][:_ENOUGH_WINDOWS], settings)
        )
        loss = training.validation_loss(network, windows[order], settings)
    return Attempt(
        name=str(path),
        model=model,
        due="band",
        losses={(EPOCHS, "valid"): loss},
        weights_sha256=weights_sha256(tensors),
        network=network,
        text=sample(network, candidates[order], r_threads),
        facts={"vocabulary": order, "r_threads": r_threads},
    )


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


def weights_sha256(tensors: dict[str, Tensor]) -> str:
    """SHA-256 over each tensor's name (UTF-8) and float32 bytes, by sorted name, as the recordings' README has it."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode("utf-8"))
        digest.update(tensors[name].detach().to("cpu", torch.float32).contiguous().numpy().tobytes())
    return digest.hexdigest()


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


def _missing(losses: Losses) -> tuple[tuple[int, str], ...]:
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


def _check_vocabulary_size(tensors: dict[str, Tensor], path: Path) -> None:
    rows, due = tensors.get("wte.weight"), ModelSettings().vocab_size
    if rows is not None and rows.dim() == 2 and len(rows) != due:
        raise PygptError(
            "{path} has a vocabulary of {n} rows, the course's text one of {due} (PAD included): "
            "these weights were trained on another text",
            path=path,
            n=len(rows),
            due=due,
        )


def _versions(text: Corpus, windows: tuple[Tensor, Tensor]) -> dict[str, object]:
    return checkpoints.provenance(text.sha256, *map(len, windows))
