"""The rubric: points and what becomes of them, parts that are asked for, sizes, tolerances, limits, who sees what.

`rubric.toml` beside it is the default; an exercise's file may hold another, as its table [grading].
"""

import dataclasses
import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pygpt.errors import PygptError
from pygpt.exercises.exercise import ExerciseFile
from pygpt.exercises.lines import line_of
from pygpt.exercises.opening import course_files
from pygpt.isolation.sandbox import Limits
from pygpt.isolation.session import COURSE_PARTS
from pygpt.output.spelling import did_you_mean
from pygpt.settings import R_MODELS, ModelName, ModelSettings

PARTS = COURSE_PARTS
VISIBILITIES = ("visible", "hidden", "after_due_date", "after_published")
"""Gradescope's words for who sees a test."""
_DEFAULT = Path(__file__).with_name("rubric.toml")
# Tables that take, beside their own keys, every check and every stage.
_BY_CHECK = ("gates", "visibility")
_MOST = 1e6
# Least and most of each: in smaller models parts cannot be told apart, larger ones take too long.
_SIZES = {"block_size": (8, 64), "n_head": (1, 8), "head_width": (4, 64), "n_layer": (1, 6), "vocab_size": (20, 256)}


@dataclass(frozen=True)
class Rubric:
    """What is asked and what it is worth."""

    points: dict[str, float]
    caps: dict[str, float]
    total: float
    """What all that is asked for is rescaled to; 0: the points are as they are."""
    gates: dict[str, float]
    """The most that the grade can be where a check or a stage is not passed."""
    late: dict[str, float]
    """Taken off for each day late: `points` of the grade, `percent` of the most that it can be."""
    visibility: dict[str, str]
    """Of checks and stages that not everyone sees: one of VISIBILITIES."""
    parts: tuple[str, ...]
    sizes: dict[str, tuple[int, ...]]
    """Of what the sizes of small models are drawn."""
    own: dict[ModelName, ModelSettings]
    """The exercise's own models, which are asked about, too."""
    tolerances: dict[str, float]
    limits: Limits
    values: dict[str, dict[str, Any]]
    """All of it as it was read, table by table."""
    sha256: str
    """Of what was read: two grades can be compared where it is the same."""
    only: tuple[str, ...] = ()
    """The checks that are run and counted; none: all that are asked for."""

    def seen(self, check: str) -> str:
        """Who sees a check: one of VISIBILITIES."""
        return self.visibility.get(check, self.visibility.get(check.split(".")[0], VISIBILITIES[0]))


def read_rubric(path: Path | None = None, points: Path | None = None) -> Rubric:
    """The default rubric, or the default with what a file says instead.

    Args:
        points: a file with the points of checks that are not the course's; no parts are asked for then.

    Raises:
        PygptError: the file cannot be read, is not TOML, or has an unknown key or a value that is not allowed.
    """
    default = _default()
    if points is not None:
        default |= {"points": _read(points)["points"], "caps": {}, "parts": {}, "tolerances": {}}
    return _rubric(path, {} if path is None else _read(path), course_files(), default)


def default_points() -> dict[str, float]:
    """The points of the default rubric, by check."""
    return dict(_default()["points"])


def _default() -> dict[str, Any]:
    return tomllib.loads(_DEFAULT.read_text(encoding="utf-8"))


def exercise_rubric(files: Mapping[ModelName, ExerciseFile]) -> Rubric:
    """The rubric of an exercise: the default with what its file says instead; its models alone are asked for.

    Args:
        files: the exercise by its model, and the one that it is compared with.

    Raises:
        PygptError: a key or a value in the file's [grading] is wrong; its line is named.
    """
    file = next(iter(files.values()))
    given = {table: dict(values) if isinstance(values, dict) else values for table, values in file.grading.items()}
    asked = tuple(part for part in PARTS if part not in R_MODELS.values())
    given.setdefault("parts", {"asked": [*(R_MODELS[model] for model in files), *asked]})
    try:
        return _rubric(file.path, given, files, _default())
    except PygptError as error:
        table, _, key = str(error.values.get("key", error.values.get("table", ""))).partition(".")
        text = file.folder.read(file.path.name).decode("utf-8-sig").replace("\r\n", "\n")
        places = (("grading", table, key), ("grading", table), ("grading",))
        line = next((line for place in places if (line := line_of(text, place)) is not None), 1)
        raise PygptError("[grading], line {line}: {why}", line=line, why=error) from error


def _rubric(
    path: Path | None, given: dict[str, Any], files: Mapping[ModelName, ExerciseFile], default: dict[str, Any]
) -> Rubric:
    if unknown := [table for table in given if table not in default]:
        raise PygptError(
            "{path}: unknown table [{table}]; known are: {known}.{meant}",
            path=path, table=unknown[0], known=", ".join(default), meant=did_you_mean(unknown[0], default),
        )  # fmt: skip
    names = {name: None for check in default["points"] for name in (check.split(".")[0], check)}
    merged = {
        table: values | _table(path, given.get(table, {}), table, [*values, *(names if table in _BY_CHECK else ())])
        for table, values in default.items()
    }
    own = {model: dataclasses.replace(file.model, dropout=0.0) for model, file in files.items()}
    course = {model: dataclasses.replace(file.model, dropout=0.0) for model, file in course_files().items()}
    # What is as in the course leaves the hash as it was before exercises were files.
    hashed = {t: v for t, v in merged.items() if t != "sizes" or v != default["sizes"]}
    hashed |= {} if own == course else {"own": {model: repr(settings) for model, settings in own.items()}}
    return Rubric(
        points=_numbers(path, "points", merged["points"]),
        caps=_numbers(path, "caps", merged["caps"]),
        total=_numbers(path, "total", merged["total"])["points"],
        gates=_numbers(path, "gates", merged["gates"]),
        late=_numbers(path, "late", merged["late"]),
        visibility=_visibility(path, merged["visibility"]),
        parts=_parts(path, merged["parts"]["asked"]) if merged["parts"] else (),
        sizes=_sizes(path, merged["sizes"]),
        own=own,
        tolerances=_numbers(path, "tolerances", merged["tolerances"]),
        limits=_limits(path, merged["limits"]),
        values=merged,
        sha256=hashlib.sha256(repr(sorted((t, sorted(v.items())) for t, v in hashed.items())).encode()).hexdigest(),
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise PygptError("cannot read the rubric {path}: {why}", path=path, why=error.strerror) from error
    except (ValueError, RecursionError) as error:
        raise PygptError("{path} is not a TOML file: {why}", path=path, why=str(error)) from error


def _table(path: Path | None, given: Any, table: str, known: list[str]) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise PygptError("{path}: {table} must be a table, [{table}]", path=path, table=table)
    if unknown := [key for key in given if key not in known]:
        raise PygptError(
            "{path}: unknown key {key}; known are: {known}.{meant}",
            path=path, key=f"{table}.{unknown[0]}", known=", ".join(known), meant=did_you_mean(unknown[0], known),
        )  # fmt: skip
    return given


def _numbers(path: Path | None, table: str, values: dict[str, Any]) -> dict[str, float]:
    for key, value in values.items():
        if type(value) not in (int, float) or not 0 <= value < _MOST:
            raise PygptError(
                "{path}: {key} = {value} is not a number from 0 to below {most:,.0f}",
                path=path, key=f"{table}.{key}", value=repr(value), most=_MOST,
            )  # fmt: skip
    return {key: float(value) for key, value in values.items()}


def _visibility(path: Path | None, values: dict[str, Any]) -> dict[str, str]:
    for key, value in values.items():
        if value not in VISIBILITIES:
            raise PygptError(
                "{path}: {key} = {value} is none of {known}.{meant}",
                path=path, key=f"visibility.{key}", value=repr(value), known=", ".join(VISIBILITIES),
                meant=did_you_mean(str(value), VISIBILITIES),
            )  # fmt: skip
    return values


def _parts(path: Path | None, asked: Any) -> tuple[str, ...]:
    if not isinstance(asked, list) or any(part not in PARTS for part in asked) or len({*asked}) < len(asked):
        known = ", ".join(PARTS)
        raise PygptError("{path}: parts.asked must be a list of some of {known}, each once", path=path, known=known)
    if not {"GPT", "GPT_NoAttn"} & set(asked):
        raise PygptError("{path}: parts.asked must hold GPT or GPT_NoAttn", path=path)
    return tuple(asked)


def _sizes(path: Path | None, values: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    for key, value in values.items():
        least, most = _SIZES[key]
        right = isinstance(value, list) and value and all(type(n) is int and least <= n <= most for n in value)
        if not right:
            raise PygptError(
                "{path}: {key} = {value} is not a list of whole numbers from {least} to {most}",
                path=path, key=f"sizes.{key}", value=repr(value), least=least, most=most,
            )  # fmt: skip
    return {key: tuple(value) for key, value in values.items()}


def _limits(path: Path | None, values: dict[str, Any]) -> Limits:
    for f in dataclasses.fields(Limits):
        value = values[f.name]
        if type(value) not in ((int,) if f.type is int else (int, float)) or not 0 < value < _MOST:
            raise PygptError(
                "{path}: {key} = {value} is not a whole number above 0 and below {most:,.0f}"
                if f.type is int
                else "{path}: {key} = {value} is not a number above 0 and below {most:,.0f}",
                path=path, key=f"limits.{f.name}", value=repr(value), most=_MOST,
            )  # fmt: skip
    return Limits(**values)
