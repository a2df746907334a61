"""From what a user names to exercises with their truth: a file, what was prepared of it; or the course's two."""

from functools import cache
from pathlib import Path
from typing import Any

from pygpt.errors import PygptError
from pygpt.exercises.exercise import ExerciseFile, Sheet
from pygpt.exercises.folder import Folder, damaged
from pygpt.exercises.reading import read
from pygpt.exercises.truth import read_truth, truth_name
from pygpt.files import shipped
from pygpt.settings import ModelName

FORMAT = 1
INDEX = "index.json"
"""Of a prepared folder or zip: which of its files is the exercise, and the hashes of all."""
COURSE = "data/exercise_2.toml"
"""The course's exercises: this one, and the one that it names as the other."""


@cache
def course() -> Sheet:
    """The course's own exercises, 2 and 3."""
    return opened(shipped(COURSE))


@cache
def course_files() -> dict[ModelName, ExerciseFile]:
    """What their files say, without their truth."""
    return files(shipped(COURSE))


def opened(path: Path) -> Sheet:
    """An exercise, and the one that it is compared with, each with its truth.

    Args:
        path: an exercise's file, beside which its truth lies or a folder `NAME_prepared` or its zip; or these.

    Raises:
        PygptError: the file is wrong, nothing is prepared yet, or what is prepared is damaged or another exercise's.
    """
    if path.suffix.lower() != ".toml":
        return _of_prepared(Folder(path))
    both = files(path)
    first = next(iter(both.values()))
    folder = Folder(path.parent)
    if not folder.holds(truth_name(first)):
        folder = prepared_beside(path)
        _index(folder)
    return {model: read_truth(folder, file) for model, file in both.items()}


def files(path: Path) -> dict[ModelName, ExerciseFile]:
    """What an exercise's file says, and that of the one which it is compared with, by model.

    Raises:
        PygptError: a file cannot be read or is wrong, or the two are no pair.
    """
    if path.suffix.lower() != ".toml":
        folder = Folder(path)
        return _files(folder, str(_index(folder)["exercise"]))
    return _files(Folder(path.parent), path.name)


def prepared_beside(path: Path) -> Folder:
    """The prepared folder of an exercise's file, or its zip.

    Raises:
        PygptError: there is neither.
    """
    for place in (default_out(path), default_out(path).with_suffix(".zip")):
        if place.exists():
            return Folder(place)
    raise PygptError(
        "{path} is not prepared yet: there is neither {folder} nor its zip. First: exercise prepare {path}",
        path=path, folder=default_out(path),
    )  # fmt: skip


def default_out(path: Path) -> Path:
    """Where `prepare` puts what it makes of an exercise's file."""
    return path.with_name(f"{path.stem}_prepared")


def _files(folder: Folder, name: str) -> dict[ModelName, ExerciseFile]:
    first = read(folder, name)
    if first.beside is None:
        return {first.model.model: first}
    try:
        second = read(folder, first.beside)
    except PygptError as error:
        raise PygptError("{path}: {why}", path=first.path, why=error) from error
    _check_pair(first, second)
    return {first.model.model: first, second.model.model: second}


def _check_pair(first: ExerciseFile, second: ExerciseFile) -> None:
    """Raise PygptError where two files are not of the two models on one text."""
    if first.model.model == second.model.model:
        raise PygptError(
            "{path}: beside names {other}, which has the same model, {model}: they are compared where one has "
            "attention and the other has not",
            path=first.path, other=second.path, model=first.model.model,
        )  # fmt: skip
    text = ("share", "train_share")
    same = first.text.sha256 == second.text.sha256 and all(
        getattr(first.training, name) == getattr(second.training, name) for name in text
    )
    if not same or first.model.block_size != second.model.block_size:
        raise PygptError(
            "{path}: beside names {other}, which has another text, share or block_size: their losses cannot be "
            "compared",
            path=first.path, other=second.path,
        )  # fmt: skip


def _of_prepared(folder: Folder) -> Sheet:
    if not folder.path.exists():
        raise PygptError("cannot read {path}: {why}", path=folder.path, why="No such file or directory")
    both = _files(folder, str(_index(folder)["exercise"]))
    return {model: read_truth(folder, file) for model, file in both.items()}


def _index(folder: Folder) -> dict[str, Any]:
    """The index of what is prepared, every file held against its hash."""
    where = folder.path / INDEX
    if not folder.holds(INDEX):
        raise PygptError(
            "{path} is no prepared exercise: it has no {index}. Make one: exercise prepare FILE",
            path=folder.path, index=INDEX,
        )  # fmt: skip
    content = folder.content(INDEX, FORMAT)
    try:
        names = {str(name): str(sha256) for name, sha256 in dict(content["files"]).items()}
        main = content["exercise"]
    except (ValueError, KeyError, TypeError) as error:
        raise damaged(where) from error
    if main not in names or any(Path(name).name != name for name in names):
        raise damaged(where)
    for name, sha256 in names.items():
        folder.checked(name, sha256)
    return content
