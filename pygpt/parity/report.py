"""Comparisons for people and programs: lines for a terminal, JSON. (HTML: html.py.)"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from pygpt.output import tables
from pygpt.output.messages import plain
from pygpt.parity.compare import Comparison, Limit, Line
from pygpt.parity.explanation import Explanation, explain

FORMAT = 1
COLUMNS = ("quantity", "shape", "max |diff|", "relative", "ulp", "limit")

Fact: TypeAlias = "str | int | float | Sequence[Fact] | Mapping[str, Fact] | None"
"""What a report can say of itself: what JSON can hold, and so no tensor and no path."""


@dataclass(frozen=True)
class Report:
    """A comparison with what a reader needs to know of it."""

    title: str
    source: str
    """Where the expected values come from: oracle, torch or recorded."""
    strictness: str
    """How the limits were chosen."""
    comparison: Comparison
    facts: Mapping[str, Fact]
    """Settings, versions, provenance."""
    remarks: tuple[str, ...] = ()
    """Sentences to stand above the quantities."""
    known: Explanation | None = None
    """Of the first divergence, where more is known than what its name tells."""

    @property
    def explanation(self) -> Explanation | None:
        """The first divergence, explained; None where all agrees."""
        return self.known or explain(self.comparison)


def report_text(report: Report) -> list[tuple[str, bool]]:
    """Lines to print, each with whether it is good news."""
    comparison = report.comparison
    over = sum(not line.agrees for line in comparison.lines)
    rows = [
        [*cells(line), *([""] if line.agrees else [verdict(line)])][: len(COLUMNS) + bool(over)]
        for line in comparison.lines
    ]
    header, *table = tables.lines([*COLUMNS, *([""] if over else [])], rows, left=(0, 1, 5, 6))
    lines = [(report.title, True), (f"  source: {report.source}; {report.strictness}", True)]
    lines += [*((f"  {plain(remark)}", True) for remark in report.remarks), (header, True)]
    lines += [(row, line.agrees) for row, line in zip(table, comparison.lines, strict=True)]
    explanation, first = report.explanation, comparison.first_divergence
    if explanation is None or first is None:
        return [*lines, (f"  all {len(comparison.lines)} quantities are within their limits", True)]
    told = [
        f"{over} of {len(comparison.lines)} quantities are over their limits",
        f"first divergence: {plain(first.name)}: {verdict(first)}",
        explanation.inputs,
        f"{explanation.leads_to}: {plain(explanation.usual_causes)}",
    ]
    return lines + [(f"  {line}", False) for line in told]


def report_json(report: Report) -> dict[str, Any]:
    """The same for programs. Differences may be infinite: `files.json_text` writes them as null."""
    explanation = report.explanation
    return {
        "format": FORMAT,
        "title": report.title,
        "source": report.source,
        "strictness": report.strictness,
        "facts": report.facts,
        "agrees": report.comparison.agrees,
        "first_divergence": explanation.name if explanation else None,
        "explanation": explanation.for_json() if explanation else None,
        "quantities": [dataclasses.asdict(line) for line in report.comparison.lines],
    }


def verdict(line: Line) -> str:
    """Why a line is over its limit, with both values."""
    if line.problem:
        return line.problem
    return f"at {list(line.where)} expected {line.expected:.9g}, got {line.actual:.9g} ({line.ulp:.3g} ulp)"


def cells(line: Line) -> list[str]:
    """A line as a row of a table, under COLUMNS."""
    sizes = (_number(value) for value in (line.absolute, line.relative, line.ulp))
    return [plain(line.name), "x".join(map(str, line.shape)), *sizes, _limit(line.limit)]


def _limit(limit: Limit) -> str:
    """A limit in short: `2e-06+2e-06r` is absolute plus relative; `m` stands for a share of the tensor's largest."""
    parts = [(limit.absolute, ""), (limit.relative, "r"), (limit.of_largest, "m")]
    return "+".join(f"{value:.0e}{unit}" for value, unit in parts if value) or "0"


def _number(value: float) -> str:
    """A difference to three digits; 0 where there is none at all, - where it is no number."""
    return "-" if not math.isfinite(value) else "0" if value == 0 else f"{value:.2e}"
