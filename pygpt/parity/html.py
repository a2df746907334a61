"""Parity reports as one HTML page that needs no network."""

from typing import Any

from pygpt.files import json_text
from pygpt.output.pages import page
from pygpt.parity.compare import Line
from pygpt.parity.report import COLUMNS, Report, cells, verdict

_HEADER = (*COLUMNS[:2], "verdict", *COLUMNS[2:], "where", "expected", "got")


def report_html(reports: list[Report]) -> str:
    """All reports on one page."""
    return page("parity.html", "en", header=_HEADER, reports=[_section(report) for report in reports])


def _section(report: Report) -> dict[str, Any]:
    comparison = report.comparison
    first = comparison.first_divergence
    return {
        "title": report.title,
        "source": report.source,
        "strictness": report.strictness,
        "count": len(comparison.lines),
        "over": sum(not line.agrees for line in comparison.lines),
        "first": first,
        "verdict": verdict(first) if first else "",
        "explanation": report.explanation,
        "remarks": report.remarks,
        "rows": [_row(line, line is first) for line in comparison.lines],
        "kinds": ["" if line.agrees else "bad mark" if line is first else "bad" for line in comparison.lines],
        "facts": json_text(report.facts),
    }


def _row(line: Line, first: bool) -> list[str]:
    told = "within" if line.agrees else line.problem or "over"
    where = ", ".join(map(str, line.where))
    values = [where, f"{line.expected:.9g}", f"{line.actual:.9g}"] if not line.problem else ["", "", ""]
    name, shape, *sizes = cells(line)
    return [name, shape, f"{told}: first divergence" if first else told, *sizes, *values]
