"""The text of an exercise: found, and held against its SHA-256."""

import atexit
import dataclasses
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor

from pygpt import corpus
from pygpt.corpus import Corpus
from pygpt.errors import PygptError
from pygpt.exercises.exercise import HOW, ExerciseFile
from pygpt.exercises.floor import Floors, count_floors
from pygpt.output.messages import say
from pygpt.vocabulary import Vocabulary

ADDRESSES = ("https://", "http://")


def read_text(file: ExerciseFile) -> Corpus:
    """The exercise's text.

    Raises:
        PygptError: it cannot be had, is no text, or is another one than the exercise was written for.
    """
    text = _read(file)
    if text.sha256 != file.text.sha256:
        raise PygptError(
            "{path}: the text {source} is another one than the exercise was written for: its SHA-256 is {here}, not "
            "{there}. If it is meant to be this one, write sha256 = \"{here}\" and prepare the exercise again.",
            path=file.path, source=file.text.source, here=text.sha256, there=file.text.sha256,
        )  # fmt: skip
    return text


def kept_name(file: ExerciseFile) -> str:
    """The name of a text that is kept with its exercise."""
    return f"text_{file.text.sha256[:12]}.txt"


def text_path(file: ExerciseFile) -> str:
    """The text as `--corpus` takes it, a name or a path, once it is right.

    Raises:
        PygptError: as `read_text`.
    """
    text = read_text(file)
    if text.name in corpus.NAMES:
        return text.name
    if not Path(text.name).is_file():  # in a zip
        path = _unpacked() / kept_name(file)
        path.write_bytes(file.folder.read(kept_name(file)))
        return str(path)
    return text.name


@cache
def _unpacked() -> Path:
    folder = TemporaryDirectory(prefix="pygpt_")
    atexit.register(folder.cleanup)
    return Path(folder.name)


def settings_of(file: ExerciseFile) -> dict[str, Any]:
    """The exercise's settings as `api.train` takes them.

    Raises:
        PygptError: as `read_text`.
    """
    model = {name: value for name, value in dataclasses.asdict(file.model).items() if name != "vocab_size"}
    training = {name: value for name, value in dataclasses.asdict(file.training).items() if name not in HOW}
    return model | training | {"corpus": text_path(file)}


def at_hand(read: Callable[[], Corpus]) -> Corpus | PygptError:
    """The text, or why it is not there; but a text that the user points at and that is wrong is a mistake to speak of.

    Raises:
        PygptError: the environment says where the course's text lies, and it is not there, or is another one.
    """
    try:
        return read()
    except PygptError as error:
        if os.environ.get("PYGPT_CORPUS"):
            raise
        return error


def windows(file: ExerciseFile, text: Corpus, vocabulary: Vocabulary) -> tuple[Tensor, Tensor]:
    """Windows (n, block_size + 1) to train and to validate on, as the exercise makes them.

    Raises:
        PygptError: the text is too short for them.
    """
    t = file.training
    parts = corpus.split(vocabulary.encode(text.text), t.share, t.train_share, t.split_at)
    train, valid = (corpus.windows(part, file.model.block_size, say("the course's text")) for part in parts)
    return train, valid[: t.valid_windows]


def vocabulary_of(file: ExerciseFile, text: Corpus) -> Vocabulary:
    """The text's characters in the exercise's order."""
    return Vocabulary.from_text(text.text, file.training.vocabulary)


def floors(file: ExerciseFile, text: Corpus) -> Floors:
    """The floors of the exercise's validation loss."""
    vocabulary = vocabulary_of(file, text)
    train, valid = windows(file, text, vocabulary)
    # The training text from its windows: the first characters of all, then the rest of the last.
    characters = torch.cat([train[:, 0], train[-1, 1:]])
    return count_floors(characters.numpy(), valid.numpy(), len(vocabulary), file.training.batch_size)


def _read(file: ExerciseFile) -> Corpus:
    source, kept = file.text.source, kept_name(file)
    if file.folder.holds(kept):
        path = file.folder.path / kept
        return corpus.of_bytes(file.folder.read(kept), path, str(path))
    if source in corpus.NAMES:
        return corpus.read_corpus(source)
    if not source.startswith(ADDRESSES):
        return _from_path(file)
    try:
        return corpus.read_corpus(str(corpus.downloaded(source, file.text.sha256)))
    except (OSError, ValueError) as error:
        raise PygptError(
            "{path}: the text could not be had from {url} ({why})", path=file.path, url=source, why=type(error).__name__
        ) from error


def _from_path(file: ExerciseFile) -> Corpus:
    try:
        return corpus.read_corpus(str(file.path.parent / file.text.source))
    except PygptError as error:
        raise PygptError("{path}: {why}", path=file.path, why=error) from error
