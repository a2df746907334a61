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
from pygpt.generation import generate
from pygpt.losses import STEPS, read_history, read_steps
from pygpt.models import CharacterModel, build_model
from pygpt.output.messages import Listed, say
from pygpt.r_files.weights import Weights, read_weights
from pygpt.settings import ModelName, ModelSettings, TrainingSettings
from pygpt.training import Epoch, Step
from pygpt.validation.attempt import Attempt
from pygpt.validation.course import (
    EPOCHS,
    PROMPT,
    RECORDED_SEED,
    TEMPERATURE,
    TEXT_LENGTH,
    TEXT_SEED,
    Losses,
    exercises,
    results,
)
from pygpt.validation.history import read_luz_history
from pygpt.vocabulary import ORDERS, Vocabulary
from pygpt.weights import check_state, load_state, weights_sha256

QUICK_STEPS = 200
# Settings that make a run another draw of the course's, not another exercise.
_FREE = ("seed", "engine", "vocabulary", "padding_row", "bf16", "compile", "threads", "device", "checkpoint_every",
         "corpus", "epochs", "max_steps")  # fmt: skip
# Other kernels, another number of threads: less than the fourth decimal.
_SAME_LOSS = 5e-5
# What a vocabulary's order is told by: so many validation windows are enough.
_ENOUGH_WINDOWS = 640


def same_kernels() -> bool:
    """Whether this processor computes with the recording's kernels, bit for bit."""
    return bool(kernel_fingerprint() == results()["recording"]["provenance"]["kernel_fingerprint"])


def from_run(folder: Path, same: bool) -> Attempt:
    """A finished run of ours.

    Args:
        same: what `same_kernels` says.

    Raises:
        PygptError: no run, damaged, unfinished, or trained on another text or with other settings than the course's.
    """
    run = checkpoints.open_run(folder)
    _check_course(run)
    history, steps = read_history(folder), read_steps(folder)
    _check_length(run, history, steps)
    network = checkpoints.load_model(run)
    losses: Losses = {(e.epoch, part): getattr(e, part) for e in history for part in ("train", "valid")}
    facts = {
        "settings": dataclasses.asdict(run.model) | dataclasses.asdict(run.training),
        "provenance": run.provenance,
    }
    return Attempt(
        name=str(folder),
        model=run.model.model,
        due="identical" if _is_recorded(run, same) else "band",
        losses=losses,
        steps=tuple(steps),
        weights_sha256=weights_sha256(network.state_dict()) if _is_recorded(run, same) else None,
        network=network,
        text=sample(network, run.vocabulary),
        facts=facts,
    )


def from_history(path: Path, model: ModelName) -> Attempt:
    """A luz history that was exported from R; `model` says which exercise it belongs to.

    Raises:
        PygptError: see `read_luz_history`.
    """
    losses, decimals = read_luz_history(path)
    return Attempt(str(path), model, "band", losses, decimals=decimals, facts={"decimals": decimals})


def from_weights(path: Path, text: Corpus) -> Attempt:
    """Weights that were trained in R, in any file that `read_weights` reads, on the course's validation text.

    The vocabulary's order is not in the file: of R's two (`icu`, `c`) the one with the lower loss is taken.

    Raises:
        PygptError: see `read_weights`; or other keys or shapes than the course's models have.
    """
    return evaluated(read_weights(path), text)


def evaluated(weights: Weights, text: Corpus) -> Attempt:
    """The same for weights that are read already."""
    check_weights(weights)
    path, tensors, model = weights.path, weights.tensors, weights.settings.model
    network = build_model(ModelSettings(model=model))
    load_state(network, tensors, path)
    network.eval()
    settings = TrainingSettings()
    with reproducible():
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
        text=sample(network, candidates[order]),
        facts={"vocabulary": order},
        note=weights.note(heads=False),
    )


def check_weights(weights: Weights) -> None:
    """Raise PygptError where weights are not of a model of the course's vocabulary, size and heads."""
    course = ModelSettings(model=weights.settings.model)
    _check_vocabulary_size(weights.tensors, weights.path)
    with torch.device("meta"):
        check_state(build_model(course), weights.tensors, weights.path)
    if course.model == "gpt" and weights.heads_known and weights.settings.n_head != course.n_head:
        raise PygptError(
            "{path} has {n} heads, the course {due}: it is another exercise's model",
            path=weights.path,
            n=weights.settings.n_head,
            due=course.n_head,
        )


def with_history(attempt: Attempt, losses: Losses, decimals: int) -> Attempt:
    """Evaluated weights and the history that lies in the same file: the history's losses are judged.

    Where they are not the losses of these weights, a note says so.
    """
    here, last = attempt.losses[EPOCHS, "valid"], losses.get((EPOCHS, "valid"))
    note = attempt.note
    if last is None or not abs(here - last) < _SAME_LOSS:
        note = say(
            "{path}: its weights have a validation loss of {here:.4f} here, its history ends at {last:.4f}: "
            "these weights are not those of its last epoch",
            path=attempt.name,
            here=here,
            last=losses[max(losses)] if last is None else last,
        )
    return dataclasses.replace(attempt, losses=losses, decimals=decimals, note=note)


def first_steps(model: ModelName, text: Corpus, same: bool, on_step: Callable[[], object]) -> Attempt:
    """Train the first 200 steps as the recording did: engine r, seed 42, one thread.

    Args:
        on_step: called after each step.
    """
    vocabulary = Vocabulary.from_text(text.text)
    windows = course_windows(text, vocabulary)
    settings = TrainingSettings(max_steps=QUICK_STEPS)
    losses = []
    with reproducible():
        state = training.start(ModelSettings(model=model, vocab_size=len(vocabulary)), settings)
        for event in training.fit(state, *windows, settings):
            if isinstance(event, Step):
                losses.append(event.loss)
                on_step()
    return Attempt(
        name=f"train --quick, seed {RECORDED_SEED}",
        model=model,
        due="identical" if same else "digits",
        steps=tuple(losses),
        network=state.model.eval(),
        facts={"settings": dataclasses.asdict(settings), "provenance": _versions(text, windows)},
    )


def course_windows(text: Corpus, vocabulary: Vocabulary) -> tuple[Tensor, Tensor]:
    """Windows (n, 65) to train and to validate on, as exercises 2 and 3 make them."""
    settings = TrainingSettings()
    parts = corpus.split(vocabulary.encode(text.text), settings.share, settings.train_share)
    train, valid = (corpus.windows(part, ModelSettings().block_size, say("the course's text")) for part in parts)
    return train, valid


def sample(network: CharacterModel, vocabulary: Vocabulary) -> str | None:
    """What the model writes after the course's prompt, drawn as the recording was: 400 characters.

    None where the training has diverged: from weights that are not finite nothing can be drawn.
    """
    if not all(torch.isfinite(value).all() for value in network.state_dict().values()):
        return None
    prompt = vocabulary.encode(PROMPT, say("the course's prompt")).tolist()
    with reproducible():
        drawn = [row for (row,) in generate(network, prompt, TEXT_LENGTH, TEMPERATURE, (TEXT_SEED,))]
    return vocabulary.decode(drawn)


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


def _check_length(run: RunFolder, history: Sequence[Epoch], steps: Sequence[float]) -> None:
    if len(history) < EPOCHS:
        raise PygptError(
            "{folder} has trained {n} of the course's {epochs} epochs. "
            "Train on: train --resume --epochs {epochs} --out {folder}",
            folder=run.folder,
            n=len(history),
            epochs=EPOCHS,
        )
    if [e.epoch for e in history] != list(range(1, EPOCHS + 1)):
        raise PygptError(
            "{folder} has trained {n} epochs, the course {epochs}", folder=run.folder, n=len(history), epochs=EPOCHS
        )
    due = len(exercises()[run.model.model].recorded.steps)
    if len(steps) != due:
        raise PygptError(
            "{folder}: {file} has {n} steps; {epochs} epochs of the course's text are {due}",
            folder=run.folder,
            file=STEPS,
            n=len(steps),
            epochs=EPOCHS,
            due=due,
        )


def _is_recorded(run: RunFolder, same: bool) -> bool:
    """Whether the run must be the recording's, bit for bit: its seed and settings, made with its kernels."""
    t = run.training
    return (
        same
        and run.provenance.get("cpu_capability") == torch.backends.cpu.get_cpu_capability()
        and (t.seed, t.engine, t.padding_row, t.threads, t.device) == (RECORDED_SEED, "r", "r", 1, "cpu")
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
