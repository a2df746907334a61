"""The class as CSV, a line a submission and a column a check, with no cell that a spreadsheet would run."""

import csv
import io
import re
from collections.abc import Sequence

from pygpt.grading.report import GradeReport

# What begins a formula, at the start or after any separator that a spreadsheet may be told or guess: Brazil's is `;`.
_FORMULA = re.compile(r"(^|[,;|\t\r\n])(?=[\s\"']*[=+\-@＝＋－＠])|^(?=[\t\r\n])")


def to_csv(reports: Sequence[GradeReport]) -> str:
    """Name, state, score, most, seed, message, and the points of every check; a missing report's checks are 0."""
    checks = list(dict.fromkeys(check.id for report in reports for check in report.checks))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["submission", "state", "score", "max_score", "seed", "unsafe", "message", *checks])
    for report in reports:
        points = {check.id: check.score for check in report.checks}
        row = [report.submission, report.state, report.score, report.max_score, report.seed]
        row += ["yes" if report.unsafe else "no", report.message, *(points.get(check, 0.0) for check in checks)]
        writer.writerow([defused(cell) if isinstance(cell, str) else cell for cell in row])
    return out.getvalue()


def defused(cell: str) -> str:
    """A text cell with an apostrophe before whatever would begin a formula in it."""
    return _FORMULA.sub(r"\g<0>'", cell)
