"""Making an attempt of weights that were trained in R: evaluated on the course's validation text."""

import dataclasses
from pathlib import Path

import torch
from torch import Tensor

from pygpt import training
from pygpt.corpus import Corpus
from pygpt.determinism import reproducible
from pygpt.errors import PygptError
from pygpt.exercises.exercise import Exercise, Sheet
from pygpt.exercises.text import windows
from pygpt.models import build_model
from pygpt.output.messages import say
from pygpt.r_files.weights import Weights, read_weights
from pygpt.validation import gather
from pygpt.validation.attempt import Attempt
from pygpt.validation.history import History
from pygpt.vocabulary import ORDERS, Vocabulary
from pygpt.weights import check_state, load_state, weights_sha256

# Other kernels, another number of threads: less than the fourth decimal.
_SAME_LOSS = 5e-5
# What a vocabulary's order is told by: so many validation windows are enough.
_ENOUGH_WINDOWS = 640


def from_weights(path: Path, text: Corpus, sheet: Sheet, r_threads: int = 1) -> Attempt:
    """Weights that were trained in R, in any file that `read_weights` reads, on the course's validation text.

    The vocabulary's order is not in the file: of R's two (`icu`, `c`) the one with the lower loss is taken.

    Args:
        sheet: the exercises of which they may be one's.
        r_threads: how many threads R's torch had; so many evaluate them.

    Raises:
        PygptError: see `read_weights`; or other keys or shapes than the course's models have.
    """
    return evaluated(read_weights(path), text, sheet, r_threads)


def evaluated(weights: Weights, text: Corpus, sheet: Sheet, r_threads: int = 1) -> Attempt:
    """The same for weights that are read already."""
    exercise = check_weights(weights, sheet)
    path, tensors, settings = weights.path, weights.tensors, exercise.file.training
    network = build_model(exercise.shape)
    load_state(network, tensors, path)
    network.eval()
    with reproducible(r_threads):
        candidates = {order: Vocabulary.from_text(text.text, order) for order in ORDERS}
        valid = {order: windows(exercise.file, text, vocabulary)[1] for order, vocabulary in candidates.items()}
        order = min(ORDERS, key=lambda name: training.validation_loss(network, valid[name][:_ENOUGH_WINDOWS], settings))
        loss = training.validation_loss(network, valid[order], settings)
    return Attempt(
        name=str(path),
        model=exercise.model,
        due="band",
        losses={(exercise.epochs, "valid"): loss},
        weights_sha256=weights_sha256(tensors),
        network=network,
        text=gather.sample(network, candidates[order], exercise, r_threads),
        facts={"vocabulary": order, "r_threads": r_threads},
        note=weights.note(heads=False),
    )


def check_weights(weights: Weights, sheet: Sheet) -> Exercise:
    """The exercise that weights are of.

    Raises:
        PygptError: they are not of a model of the course's vocabulary, size and heads.
    """
    exercise = gather.exercise_of(sheet, weights.settings.model, weights.path)
    course = exercise.shape
    _check_vocabulary_size(weights.tensors, course.vocab_size, weights.path)
    with torch.device("meta"):
        check_state(build_model(course), weights.tensors, weights.path)
    if course.model == "gpt" and weights.heads_known and weights.settings.n_head != course.n_head:
        raise PygptError(
            "{path} has {n} heads, the course {due}: it is another exercise's model",
            path=weights.path,
            n=weights.settings.n_head,
            due=course.n_head,
        )
    return exercise


def with_history(attempt: Attempt, history: History, exercise: Exercise) -> Attempt:
    """Evaluated weights and the history that lies in the same file: the history's losses are judged.

    Where they are not the losses of these weights, a note says so.
    """
    losses, here = history.losses, attempt.losses[exercise.epochs, "valid"]
    last = losses.get((exercise.epochs, "valid"))
    note = attempt.note
    if last is None or not abs(here - last) < _SAME_LOSS:
        note = say(
            "{path}: its weights have a validation loss of {here:.4f} here, its history ends at {last:.4f}: "
            "these weights are not those of its last epoch",
            path=attempt.name,
            here=here,
            last=losses[max(losses)] if last is None else last,
        )
    return dataclasses.replace(
        attempt,
        losses=losses,
        decimals=history.decimals,
        missing=gather.missing(exercise, losses),
        notes=history.notes,
        note=note,
    )


def _check_vocabulary_size(tensors: dict[str, Tensor], due: int, path: Path) -> None:
    rows = tensors.get("wte.weight")
    if rows is not None and rows.dim() == 2 and len(rows) != due:
        raise PygptError(
            "{path} has a vocabulary of {n} rows, the course's text one of {due} (PAD included): "
            "these weights were trained on another text",
            path=path,
            n=len(rows),
            due=due,
        )
