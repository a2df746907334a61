"""The rubric: points, tolerances, parts that are asked for, limits; `rubric.toml` beside this file is the default."""

import dataclasses
import hashlib
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pygpt.errors import PygptError
from pygpt.grading.isolation.sandbox import Limits

DEFAULT = Path(__file__).with_name("rubric.toml")
_TABLES = ("points", "parts", "tolerances", "limits")


@dataclass(frozen=True)
class Rubric:
    """What is asked and what it is worth."""

    points: dict[str, float]
    parts: tuple[str, ...]
    tolerances: dict[str, float]
    limits: Limits
    sha256: str
    """Of what was read: two grades can be compared where it is the same."""


def read_rubric(path: Path | None = None) -> Rubric:
    """The default rubric, or the default with what a file says instead.

    Raises:
        PygptError: the file cannot be read, is not TOML, or has an unknown key or a value that is not allowed.
    """
    default = tomllib.loads(DEFAULT.read_text(encoding="utf-8"))
    given = {} if path is None else _read(path)
    merged: dict[str, dict[str, Any]] = {}
    for table in _TABLES:
        values = given.get(table, {})
        unknown = [key for key in values if key not in default[table]] if isinstance(values, dict) else [table]
        if unknown:
            raise PygptError(f"{path}: unknown key {table}.{unknown[0]}; known are: {', '.join(default[table])}")
        merged[table] = default[table] | values
    unknown = [table for table in given if table not in _TABLES]
    if unknown:
        raise PygptError(f"{path}: unknown table [{unknown[0]}]; known are: {', '.join(_TABLES)}")
    digest = hashlib.sha256(repr(sorted((t, sorted(v.items())) for t, v in merged.items())).encode()).hexdigest()
    return Rubric(
        points=_numbers(merged["points"], "points", path),
        parts=_parts(merged["parts"]["asked"], default["parts"]["asked"], path),
        tolerances=_numbers(merged["tolerances"], "tolerances", path),
        limits=_limits(merged["limits"], path),
        sha256=digest,
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise PygptError(f"cannot read the rubric {path}: {error.strerror}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise PygptError(f"{path} is not a TOML file: {error}") from error


def _numbers(values: dict[str, Any], table: str, path: Path | None) -> dict[str, float]:
    for key, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e6:
            raise PygptError(f"{path}: {table}.{key} = {value!r} is not a number from 0")
    return {key: float(value) for key, value in values.items()}


def _parts(asked: Any, known: list[str], path: Path | None) -> tuple[str, ...]:
    if not isinstance(asked, list) or not asked or any(part not in known for part in asked):
        raise PygptError(f"{path}: parts.asked = {asked!r} must be some of {', '.join(known)}")
    if not {"GPT", "GPT_NoAttn"} & set(asked):
        raise PygptError(f"{path}: parts.asked must hold GPT or GPT_NoAttn")
    return tuple(asked)


def _limits(values: dict[str, Any], path: Path | None) -> Limits:
    for f in dataclasses.fields(Limits):
        value = values[f.name]
        whole = f.type is int
        if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)) or value <= 0:
            raise PygptError(f"{path}: limits.{f.name} = {value!r} is not a {'whole ' if whole else ''}number above 0")
    return Limits(**values)
