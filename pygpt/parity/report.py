"""Comparisons for people and programs: lines for a terminal, JSON. (HTML: html.py.)"""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

from pygpt.parity.compare import Comparison, Limit, Line
from pygpt.parity.explanation import explain

FORMAT = 1


@dataclass(frozen=True)
class Report:
    """A comparison with what a reader needs to know of it."""

    title: str
    source: str
    """Where the expected values come from: oracle, torch or recorded."""
    strictness: str
    """How the limits were chosen."""
    comparison: Comparison
    facts: dict[str, Any]
    """Settings, versions, provenance."""


def report_text(report: Report) -> list[tuple[str, bool]]:
    """Lines to print, each with whether it is good news."""
    comparison = report.comparison
    width = max(len(line.name) for line in comparison.lines)
    lines = [(report.title, True), (f"  source: {report.source}; {report.strictness}", True)]
    header = f"{'quantity':{width}}  {'shape':14}  {'max |diff|':>10}  {'relative':>9}  {'ulp':>8}  limit"
    lines.append((f"  {header}", True))
    lines += [(f"  {_row(line, width)}", line.agrees) for line in comparison.lines]
    found = explain(comparison)
    if found is None:
        lines.append((f"  all {len(comparison.lines)} quantities are within their limits", True))
        return lines
    over = sum(not line.agrees for line in comparison.lines)
    first = comparison.first_divergence
    assert first is not None
    told = [
        f"{over} of {len(comparison.lines)} quantities are over their limits",
        f"first divergence: {first.name}: {verdict(first)}",
        found.inputs,
        f"this usually means: {found.usual_causes}",
    ]
    return lines + [(f"  {line}", False) for line in told]


def report_json(report: Report) -> dict[str, Any]:
    """The same for programs; differences that are not numbers are null."""
    found = explain(report.comparison)
    return {
        "format": FORMAT,
        "title": report.title,
        "source": report.source,
        "strictness": report.strictness,
        "facts": report.facts,
        "agrees": report.comparison.agrees,
        "first_divergence": found.name if found else None,
        "explanation": dataclasses.asdict(found) if found else None,
        "quantities": [_line_json(line) for line in report.comparison.lines],
    }


def verdict(line: Line) -> str:
    """Why a line is over its limit, with both values."""
    if line.problem:
        return line.problem
    return f"at {list(line.where)} expected {line.expected:.9g}, got {line.actual:.9g} ({line.ulp:.3g} ulp)"


def limit_text(limit: Limit) -> str:
    """A limit in short: `2e-06+2e-06r` is absolute plus relative; `m` stands for a share of the tensor's largest."""
    parts = [(limit.absolute, ""), (limit.relative, "r"), (limit.of_largest, "m")]
    return "+".join(f"{value:.0e}{unit}" for value, unit in parts if value) or "0"


def number(value: float) -> str:
    """A difference to three digits after the first; 0 where there is none at all, - where it is no number."""
    return "-" if not math.isfinite(value) else "0" if value == 0 else f"{value:.2e}"


def shape_text(line: Line) -> str:
    """`3x8x16`."""
    return "x".join(map(str, line.shape))


def _row(line: Line, width: int) -> str:
    row = (
        f"{line.name:{width}}  {shape_text(line):14}  {number(line.absolute):>10}  "
        f"{number(line.relative):>9}  {number(line.ulp):>8}  {limit_text(line.limit)}"
    )
    return row if line.agrees else f"{row}  {verdict(line)}"


def _line_json(line: Line) -> dict[str, Any]:
    values = dataclasses.asdict(line)
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in values.items()}
