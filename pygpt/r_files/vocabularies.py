"""The vocabulary that belongs to weights alone: from their file, another file, or the text they were trained on."""

from pathlib import Path

import torch

from pygpt import training
from pygpt.corpus import NAMES, read_corpus, windows
from pygpt.determinism import reproducible
from pygpt.errors import PygptError
from pygpt.output.messages import say
from pygpt.r_files import hints
from pygpt.r_files.opening import is_r, opened
from pygpt.r_files.weights import Weights
from pygpt.settings import TrainingSettings
from pygpt.vocabulary import ORDERS, Vocabulary

_FILE = "vocabulary.json"
# Characters by whose loss R's two orders are told apart: more than enough.
_ENOUGH = 20_000


def vocabulary_of(weights: Weights, given: str | None) -> Vocabulary:
    """The characters that a model's rows stand for.

    Args:
        given: a vocabulary.json, a run's folder, an RDS or workspace with R's `vocab`, or the text that the model was
            trained on (sample, shakespeare, or a path). None: what the weights' own file says.

    Raises:
        PygptError: nothing says it, the file cannot be read, or the vocabulary has another number of rows.
    """
    if given is None:
        if weights.vocabulary is None:
            raise PygptError(
                "{path} does not say which characters its {n} rows stand for. Add --vocabulary: a vocabulary.json, "
                'R\'s vocab by saveRDS(vocab, "vocab.rds"), or the text that it was trained on (--vocabulary '
                "shakespeare).",
                path=weights.path,
                n=weights.settings.vocab_size,
            )
        return weights.vocabulary
    path = Path(given)
    if given not in NAMES and not path.exists():
        raise PygptError(
            "there is no file {path}: --vocabulary takes a vocabulary.json, R's vocab by saveRDS, or the text that the "
            "model was trained on (sample, shakespeare, or a path)",
            path=path,
        )
    if given not in NAMES and path.is_dir():
        chosen = Vocabulary.from_file(path / _FILE)
    elif given not in NAMES and is_r(path):
        chosen = _of_r(path, weights.settings.vocab_size)
    elif given not in NAMES and path.suffix == ".json":
        chosen = Vocabulary.from_file(path)
    else:
        return _of_text(weights, given)
    _check_rows(chosen, weights, given)
    return chosen


def _of_r(path: Path, rows: int) -> Vocabulary:
    files = [opened(path)]
    chosen = hints.vocabulary(files, rows) or next(hints.vocabularies(files), None)
    if chosen is None:
        raise PygptError(
            '{path} holds no vocabulary: expected is R\'s vocab, c("<PAD>", …), by saveRDS(vocab, "vocab.rds")',
            path=path,
        )
    return chosen


def _of_text(weights: Weights, given: str) -> Vocabulary:
    """R builds the vocabulary from the text; its order depends on R's locale, and the model knows which it was."""
    text = read_corpus(given).text
    by_order = {order: Vocabulary.from_text(text, order) for order in ORDERS}
    _check_rows(by_order["icu"], weights, given)
    if by_order["icu"] == by_order["c"]:
        return by_order["icu"]
    with reproducible():
        model, settings = weights.model(), TrainingSettings()
        block_size = min(weights.settings.block_size, max(len(text) - 2, 1))

        def loss(order: str) -> float:
            rows = torch.from_numpy(by_order[order].encode(text[:_ENOUGH]))
            return training.validation_loss(model, windows(rows, block_size, say("the text"))[::block_size], settings)

        return by_order[min(ORDERS, key=loss)]


def _check_rows(vocabulary: Vocabulary, weights: Weights, given: str) -> None:
    if len(vocabulary) != weights.settings.vocab_size:
        raise PygptError(
            "the vocabulary of {given} has {n} rows (PAD included), {path} has {due}: it was trained on another text",
            given=given, n=len(vocabulary), path=weights.path, due=weights.settings.vocab_size,
        )  # fmt: skip
