"""A grade as data: what is written as JSON, format 1 (docs/grading.md), and what every page, text and table is made of.

Everything that a person reads in it is in the report's language already.
"""

import dataclasses
import json
import math
from dataclasses import dataclass
from types import UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from pygpt.errors import PygptError
from pygpt.files import json_text
from pygpt.grading.check import STAGES
from pygpt.output.messages import LANGUAGES
from pygpt.settings import PaddingRow

FORMAT = 1
State = Literal["graded", "ungradable", "grader_error", "missing"]
"""The last of a student of the roster who has handed nothing in; no file is written of it."""
Status = Literal["passed", "partial", "failed"]


@dataclass(frozen=True)
class ItemReport:
    """One of a check's equal shares."""

    name: str
    passed: bool
    expected: str
    actual: str


@dataclass(frozen=True)
class CheckReport:
    """One check; `expected` and `actual` are those of the first item that failed, else of the first."""

    id: str
    stage: str
    title: str
    status: Status
    score: float
    max_score: float
    rationale: str
    expected: str
    actual: str
    hint: str
    items: tuple[ItemReport, ...]


@dataclass(frozen=True)
class LadderRow:
    """One named quantity, R's beside the submission's; a number that is not finite is None."""

    quantity: str
    shape: tuple[int, ...]
    difference: float | None
    limit: float
    where: tuple[int, ...]
    expected: float | None
    actual: float | None
    agrees: bool
    first_divergence: bool
    verdict: str


@dataclass(frozen=True)
class GradeReport:
    """One submission's grade."""

    format: int
    pygpt: str
    submission: str
    sha256: str | None
    """Of the submission's files; None where they could not be read."""
    state: State
    message: str
    score: float
    max_score: float
    seed: int
    rubric_sha256: str
    lang: str
    unsafe: str | None
    """What was not protected, where it was graded without isolation."""
    padding_row: PaddingRow | None
    seconds: float
    checks: tuple[CheckReport, ...]
    ladders: dict[str, tuple[LadderRow, ...]]
    """By R's name of the model."""
    # What most grades have nothing of. It is written where there is something, and need not be there to be read.
    only: tuple[str, ...] = ()
    """The checks that alone were run and counted; none: all."""
    days_late: float = 0.0
    deducted: float = 0.0
    """Points that these days have taken off `score`."""

    def to_json(self) -> str:
        """Format 1."""
        default = {f.name: f.default for f in dataclasses.fields(self) if f.default is not dataclasses.MISSING}
        written = dataclasses.asdict(self)
        return json_text({k: v for k, v in written.items() if k not in default or v != default[k]})


def from_json(text: str) -> GradeReport:
    """The report that `to_json` wrote.

    Raises:
        PygptError: it is no such report, or damaged.
    """
    try:
        # A surrogate alone is legal JSON, but no text that could be written again.
        report: GradeReport = _read(GradeReport, json.loads(text, parse_constant=_refuse), "")
        report.to_json().encode()
        wrong = report.format != FORMAT or report.lang not in LANGUAGES
        if wrong or any(check.stage not in STAGES for check in report.checks):
            _refuse("format, lang or stage")
    except (ValueError, OverflowError, RecursionError) as error:
        raise PygptError("not a grade in format {format}: {why}", format=FORMAT, why=str(error)) from error
    return report


def _read(kind: Any, value: Any, where: str) -> Any:
    """A value of JSON as `kind`; ValueError names the place where it is something else."""
    origin, arguments = get_origin(kind), get_args(kind)
    if dataclasses.is_dataclass(kind):
        hints = get_type_hints(kind)
        asked = {f.name for f in dataclasses.fields(kind) if f.default is dataclasses.MISSING}
        if isinstance(value, dict) and asked <= value.keys() <= hints.keys():
            return kind(**{name: _read(hints[name], given, f"{where}.{name}") for name, given in value.items()})  # type: ignore[operator]
    elif origin is UnionType or type(None) in arguments:
        return None if value is None else _read(arguments[0], value, where)
    elif origin is Literal:
        if isinstance(value, str) and value in arguments:
            return value
    elif origin is tuple:
        if isinstance(value, list):
            return tuple(_read(arguments[0], one, f"{where}[{i}]") for i, one in enumerate(value))
    elif origin is dict:
        if isinstance(value, dict):
            return {key: _read(arguments[1], one, f"{where}.{key}") for key, one in value.items()}
    elif kind is float and type(value) in (int, float) and math.isfinite(value):
        return float(value)
    elif type(value) is kind and kind is not float:
        return value
    return _refuse(where or "the whole")


def _refuse(where: str) -> Any:
    raise ValueError(where.lstrip("."))
