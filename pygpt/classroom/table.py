"""The class as CSV, a line a submission and a column a check, with no cell that a spreadsheet would run."""

import csv
import io
import re
from collections.abc import Sequence

from pygpt.classroom.roster import Row

# What begins a formula, at the start or after any separator that a spreadsheet may be told or guess: Brazil's is `;`.
_FORMULA = re.compile(r"(^|[,;|\t\r\n])(?=[\s\"']*[=+\-@＝＋－＠])|^(?=[\t\r\n])")


def to_csv(rows: Sequence[Row]) -> str:
    """Name, state, score, most, seed, message, and the points of every check; a missing report's checks are 0.

    Where there is a list of students, a line each, with their names, ids and days late.
    """
    listed = any(row.student for row in rows)
    checks = list(dict.fromkeys(check.id for row in rows for check in row.report.checks))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    theirs = ["name", "id", "days_late", "points_off"] if listed else []
    writer.writerow([*theirs, "submission", "state", "score", "max_score", "seed", "unsafe", "message", *checks])
    for row in rows:
        report, student = row.report, row.student
        points = {check.id: check.score for check in report.checks}
        who = [student.name, student.id, student.days_late, report.deducted] if student else ["", "", 0.0, 0.0]
        part = report.state == "graded" and report.only
        cells = [
            report.submission,
            "graded_in_part" if part else report.state,
            report.score,
            report.max_score,
            report.seed,
        ]
        cells += ["yes" if report.unsafe else "no", report.message, *(points.get(check, 0.0) for check in checks)]
        cells = [*(who if listed else []), *cells]
        writer.writerow([defused(cell) if isinstance(cell, str) else cell for cell in cells])
    return out.getvalue()


def defused(cell: str) -> str:
    """A text cell with an apostrophe before whatever would begin a formula in it."""
    return _FORMULA.sub(r"\g<0>'", cell)
