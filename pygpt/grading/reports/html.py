"""One self-contained HTML page a submission: the checks, what did not pass and why, and the ladder."""

from pygpt.grading.check import STAGES
from pygpt.grading.report import CheckReport, GradeReport
from pygpt.grading.reports.text import foot, head, ladder, ladder_title, points, start_here, status, told
from pygpt.output import pages

_KINDS = {"passed": "good", "partial": "half", "failed": "bad"}
"""The style sheet's classes."""


def page(report: GradeReport) -> str:
    """The page. Nothing in it is loaded from elsewhere or run, and every text is escaped."""
    lang = report.lang
    return pages.page(
        "grade.html",
        lang,
        report=report,
        head=head(report),
        checks=[[_title(check, lang), status(check, lang), points(check, lang)] for check in report.checks],
        kinds=[_KINDS[check.status] for check in report.checks],
        start=start_here(report),
        told=told(report),
        failed=[
            (check, _title(check, lang), _KINDS[check.status], f"{status(check, lang)}, {points(check, lang)}")
            for check in report.checks
            if check.status != "passed"
        ],
        ladders=[
            (ladder_title(model, lang), *ladder(rows, lang), ["mark" if row.first_divergence else "" for row in rows])
            for model, rows in report.ladders.items()
        ],
        foot=foot(report),
    )


def _title(check: CheckReport, lang: str) -> str:
    return f"{STAGES[check.stage].render(lang)}: {check.title}"
