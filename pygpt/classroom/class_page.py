"""A class as its teacher sees it: `class.html` beside the students' pages, to which it links, and remarks in words."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, median
from typing import NamedTuple
from urllib.parse import quote

from markupsafe import Markup

from pygpt.classroom.roster import Row
from pygpt.classroom.similarity import Alike
from pygpt.grading.check import STAGES
from pygpt.grading.report import GradeReport
from pygpt.grading.reports.text import not_passed, only, state
from pygpt.output import pages
from pygpt.output.messages import Message, number, say, tell

_RANGES, _MOST_FAILED, _MOST_ALIKE = 10, 10, 10
_TO_BE_SEEN = ("grader_error", "ungradable", "missing")
"""What is no grade, in the order in which it is worth a look."""


@dataclass(frozen=True)
class Class:
    """The results of a class."""

    rows: Sequence[Row]
    alike: Sequence[Alike]
    lang: str

    @property
    def reports(self) -> list[GradeReport]:
        """Each once, also where several students have it."""
        return list({id(row.report): row.report for row in self.rows}.values())

    @property
    def has_list(self) -> bool:
        """Whether there is a list of students."""
        return any(row.student for row in self.rows)

    @property
    def strangers(self) -> list[str]:
        """Submissions that the list does not know."""
        return [row.report.submission for row in self.rows if self.has_list and row.student is None]


class _Table(NamedTuple):
    header: list[str]
    rows: list[list[str]]
    left: int
    """How many columns hold words."""


def remarks(of: Class) -> list[str]:
    """What a teacher should know beside the grades, a sentence each."""
    told = [_strangers(of)] if of.strangers else []
    for some in of.alike[:_MOST_ALIKE]:
        names = ", ".join(some.names)
        if some.share is None:
            told.append(say("the same files: {names}", names=names))
        else:
            told.append(say("{share:.0%} of the code alike: {names}", share=some.share, names=names))
    if len(of.alike) > _MOST_ALIKE:
        told.append(say("and {n} more that are alike: class.html (--out) names all", n=len(of.alike) - _MOST_ALIKE))
    return [sentence.render(of.lang) for sentence in told]


def page(of: Class) -> str:
    """The page. It names what is alike: it is not for students."""
    reports = of.reports
    graded = [report for report in reports if report.state == "graded"]
    scores, first = [report.score for report in reports], reports[0]
    summary = say(
        "{n} submissions, {graded} of them graded. Mean {mean:.2f}, median {median:.2f} of {most:g} points; what was "
        "not graded counts 0.",
        n=len(reports), graded=len(graded), mean=mean(scores), median=median(scores), most=first.max_score,
    )  # fmt: skip
    told = [summary, *([_strangers(of)] if of.strangers else [])]
    seed = tell(of.lang, "seed {seed}; rubric {rubric}", seed=first.seed, rubric=first.rubric_sha256[:12])
    return pages.page(
        "class.html",
        of.lang,
        unsafe=next((report.unsafe for report in reports if report.unsafe), None),
        told=[sentence.render(of.lang) for sentence in told],
        ungraded=_ungraded(of),
        ranges=_ranges(graded, of.lang),
        failed=_failed(graded, of.lang),
        alike=_alike(of),
        graded=_graded(of),
        foot=[*only(first), seed],
    )


def _strangers(of: Class) -> Message:
    return say("Not in the list of students: {names}.", names=", ".join(of.strangers))


def _ungraded(of: Class) -> _Table:
    rows = [
        [*_student(of, row), "" if kind == "missing" else _link(row.report), state(row.report), row.report.message]
        for kind in _TO_BE_SEEN
        for row in of.rows
        if row.report.state == kind
    ]
    header = [*_student_columns(of), say("submission"), say("state"), say("why")]
    return _Table([name.render(of.lang) for name in header], rows, len(header))


def _graded(of: Class) -> _Table:
    late = any(row.report.days_late for row in of.rows)
    rows = [
        [
            *_student(of, row),
            _link(row.report),
            not_passed(row.report),
            *([number(row.report.days_late, "g", of.lang)] if late else []),
            number(row.report.score, ".2f", of.lang),
        ]
        for row in of.rows
        if row.report.state == "graded"
    ]
    words = [*_student_columns(of), say("submission"), say("not passed")]
    header = [*words, *([say("days late")] if late else []), say("points")]
    return _Table([name.render(of.lang) for name in header], rows, len(words))


def _student_columns(of: Class) -> list[Message]:
    return [say("student")] if of.has_list else []


def _student(of: Class, row: Row) -> list[str]:
    return [str(row.student or "")] if of.has_list else []


def _link(report: GradeReport) -> str:
    # Quoted, and from this folder on: no name can become an address elsewhere.
    return Markup('<a href="./{}.html">{}</a>').format(quote(report.submission, safe=""), report.submission)


def _ranges(graded: Sequence[GradeReport], lang: str) -> list[tuple[str, int]]:
    """How many have how much of what can be had; the most itself belongs to the last range."""
    most = graded[0].max_score if graded else 0.0
    counts = Counter(min(int(_RANGES * report.score / most) if most else 0, _RANGES - 1) for report in graded)
    return [
        (tell(lang, "{low:g} to {high:g}", low=most * i / _RANGES, high=most * (i + 1) / _RANGES), counts[i])
        for i in range(_RANGES)
    ]


def _failed(graded: Sequence[GradeReport], lang: str) -> list[tuple[str, int]]:
    failed = [check for report in graded for check in report.checks if check.status != "passed"]
    titles = {check.id: f"{STAGES[check.stage].render(lang)}: {check.title}" for check in failed}
    return [(titles[id], count) for id, count in Counter(check.id for check in failed).most_common(_MOST_FAILED)]


def _alike(of: Class) -> _Table:
    links = {report.submission: _link(report) for report in of.reports}
    rows = [
        [
            Markup(", ").join(links[name] for name in some.names),
            tell(of.lang, "the same files") if some.share is None else number(some.share, ".0%", of.lang),
        ]
        for some in of.alike
    ]
    return _Table([say(name).render(of.lang) for name in ("submissions", "shared")], rows, 1)
