"""What R gives for an exercise, as it is kept: NAME.truth.json, and the files that it names, each with its hash."""

import csv
import io
import math
from pathlib import PurePosixPath
from typing import Any

from pygpt.errors import PygptError
from pygpt.exercises.exercise import FEWEST_SEEDS, MOST_SEEDS, PARTS, Exercise, ExerciseFile, Losses, Measured, Recorded
from pygpt.exercises.floor import Floors
from pygpt.exercises.folder import Folder

FORMAT = 1
_BY = ("R", "engine r")


def truth_name(file: ExerciseFile) -> str:
    """The name of the file that tells what R gives."""
    return f"{file.name}.truth.json"


def read_truth(folder: Folder, file: ExerciseFile) -> Exercise:
    """An exercise with what R gives for it.

    Args:
        folder: where its truth is kept.

    Raises:
        PygptError: what is kept is damaged, of another format, or belongs to another exercise.
    """
    name = truth_name(file)
    where = folder.path / name
    content = folder.content(name, FORMAT)
    if content.get("settings_sha256") != file.settings_sha256:
        raise PygptError(
            "{path} belongs to another exercise than {file} is now (its settings, text, seed or prompt are others). "
            "Prepare it again: exercise prepare {file}",
            path=where, file=file.path,
        )  # fmt: skip
    try:
        return _exercise(folder, file, content)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise PygptError("{path} is damaged: {why}", path=where, why=repr(error)) from error


def _exercise(folder: Folder, file: ExerciseFile, content: dict[str, Any]) -> Exercise:
    def of(kind: str) -> str:
        entry = content["files"][kind]
        if PurePosixPath(entry["path"]).is_absolute():
            raise ValueError(entry["path"])
        return folder.checked(entry["path"], entry["sha256"]).decode("utf-8")

    losses: Losses = {(int(row["epoch"]), part): float(row[part]) for row in _rows(of("epochs")) for part in PARTS}
    if set(losses) != set(file.keys) or content["by"] not in _BY:
        raise ValueError("epochs")
    recorded = Recorded(
        losses=losses,
        steps=tuple(float(row["loss"]) for row in _rows(of("steps"))),
        text=of("text"),
        weights_sha256=str(content["weights_sha256"]),
        seed=file.training.seed,
        r_threads=file.training.r_threads,
        by_r=content["by"] == "R",
    )
    exercise = Exercise(
        file=file,
        recorded=recorded,
        spread=tuple(dict(seed) for seed in content["spread"]["seeds"]),
        mistakes=tuple(Measured(name, *(float(of[p]) for p in PARTS)) for name, of in content["mistakes"].items()),
        vocab_size=int(content["vocab_size"]),
        fingerprint=str(content["kernel_fingerprint"]),
        floors=None if content.get("floors") is None else Floors(**content["floors"]),
        provenance=dict(content["provenance"]),
    )
    for epoch in exercise.measured_epochs:
        seeds = exercise.seeds(epoch)
        numbers = [float(seed[part]) for seed in seeds for part in PARTS]
        if not FEWEST_SEEDS <= len(seeds) <= MOST_SEEDS or not all(map(math.isfinite, numbers)):
            raise ValueError(f"spread: {len(seeds)}")
    exercise.seeds()
    return exercise


def _rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))
