"""Comparisons as text and as JSON."""

import dataclasses
import math
from typing import Any

from pygpt.parity.check import Check
from pygpt.parity.compare import Comparison, Line

FORMAT = 1


def check_text(check: Check) -> list[tuple[str, bool]]:
    """Lines to print, each with whether it speaks of agreement."""
    r, p = check.recording, check.recording.provenance
    how = (
        "kernel fingerprint as recorded: every difference must be zero"
        if check.exact
        else "another kernel fingerprint than recorded: stated limits, the key third of in_proj_bias left out"
    )
    head = [
        f"{r.path}: {r.kind} of {r.model.model}, R {p.get('r', '?')}, torch {p.get('torch', '?')}",
        f"  {how}",
    ]
    return [(line, True) for line in head] + comparison_text(check.comparison)


def comparison_text(comparison: Comparison) -> list[tuple[str, bool]]:
    """A line a quantity, in the order of computation, then the first divergence by name."""
    width = max(len(line.name) for line in comparison.lines)
    header = f"  {'quantity':{width}}  {'shape':14}  {'max |diff|':>10}  {'limit':>9}"
    lines = [(header, True)]
    for line in comparison.lines:
        shape = "x".join(map(str, line.shape))
        row = f"  {line.name:{width}}  {shape:14}  {_number(line.absolute):>10}  {_limit(line):>9}"
        lines.append((row if line.agrees else f"{row}  {_verdict(line)}", line.agrees))
    first = comparison.first_divergence
    if first is None:
        lines.append((f"  all {len(comparison.lines)} quantities are within their limits", True))
    else:
        over = sum(not line.agrees for line in comparison.lines)
        lines.append((f"  {over} of {len(comparison.lines)} quantities are over their limits", False))
        lines.append((f"  first divergence: {first.name}: {_verdict(first)}", False))
    return lines


def check_json(check: Check) -> dict[str, Any]:
    """The same as `check_text`, for programs; differences that are not numbers are null."""
    first = check.comparison.first_divergence
    return {
        "format": FORMAT,
        "file": str(check.recording.path),
        "recording": check.recording.kind,
        "model": check.recording.model.model,
        "provenance": check.recording.provenance,
        "exact": check.exact,
        "agrees": check.comparison.agrees,
        "first_divergence": first.name if first else None,
        "not_recorded": list(check.not_recorded),
        "quantities": [_line_json(line) for line in check.comparison.lines],
    }


def _line_json(line: Line) -> dict[str, Any]:
    values = dataclasses.asdict(line)
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in values.items()}


def _verdict(line: Line) -> str:
    if line.problem:
        return line.problem
    return f"at {list(line.where)} expected {line.expected:.9g}, got {line.actual:.9g} ({line.ulp:.3g} ulp)"


def _limit(line: Line) -> str:
    relative = f"+{line.limit.relative:.0e}r" if line.limit.relative else ""
    return "0" if line.limit.absolute == line.limit.relative == 0 else f"{line.limit.absolute:.0e}{relative}"


def _number(value: float) -> str:
    return "-" if not math.isfinite(value) else "0" if value == 0 else f"{value:.3e}"
