"""Reports for a terminal: one submission in full; a class as a table and what fails most."""

import textwrap
from collections import Counter
from collections.abc import Sequence

from pygpt.grading.check import STAGES
from pygpt.grading.report import CheckReport, GradeReport, LadderRow
from pygpt.output import tables
from pygpt.output.messages import number, say, tell
from pygpt.settings import R_MODELS

_STATES = {
    "graded": say("graded"),
    "ungradable": say("ungradable"),
    "grader_error": say("grader error"),
    "missing": say("missing"),
}
_IN_PART = say("graded in part")
_STATUS = {"passed": say("passed"), "partial": say("in part"), "failed": say("failed")}
_PADDING_ROWS = {
    "r": say("padding row: R's (row 1 has no gradient); accepted"),
    "corrected": say("padding row: corrected (row 0, PAD, has no gradient); accepted"),
}
_NAMED = 4
"""Failed checks of a submission that a class's table names."""


def one(report: GradeReport, width: int = 100) -> list[str]:
    """Every check, what was expected and what came, and the ladder where something diverges."""
    lines = [head(report), *([f"!! {report.unsafe}"] if report.unsafe else [])]
    if report.message:
        lines += _wrapped(report.message, width, 2)
    lines += _wrapped(start, width, 2) if (start := start_here(report)) else []
    alike = told(report)
    stage = None
    for check in report.checks:
        if check.stage != stage:
            stage = check.stage
            lines.append(STAGES[stage].render(report.lang))
        lines.append(f"  {status(check, report.lang)}: {check.title}  {points(check, report.lang)}")
        if check.status != "passed":
            sentences = details(check, report.lang, alike[check.id])
            lines += [line for sentence in sentences for line in _wrapped(sentence, width, 6)]
    for model, rows in report.ladders.items():
        if not all(row.agrees for row in rows):
            lines += ["", ladder_title(model, report.lang), *tables.lines(*ladder(rows, report.lang), left=(0, 1))]
    return [*lines, "", *foot(report)]


def head(report: GradeReport) -> str:
    """One line: name, state, score."""
    return f"{report.submission}: {_score(report)}"


def summary(report: GradeReport) -> str:
    """A service's overview: state and score, why, what was not protected, padding row, seed, time."""
    return "\n".join(
        line for line in (_score(report), report.message, start_here(report), report.unsafe, *foot(report)) if line
    )


def foot(report: GradeReport) -> list[str]:
    """What holds of the whole grading: what alone was asked, days late, the padding row, the seed, the time."""
    padding = [_PADDING_ROWS[report.padding_row].render(report.lang)] if report.padding_row else []
    took = tell(report.lang, "seed {seed}; graded in {seconds:.1f} s", seed=report.seed, seconds=report.seconds)
    return [*only(report), *_late(report), *padding, took]


def only(report: GradeReport) -> list[str]:
    """That this is no grade of the whole, where it is not."""
    ids = ", ".join(report.only)
    return [tell(report.lang, "Only these checks were run and counted: {ids}", ids=ids)] if ids else []


def _late(report: GradeReport) -> list[str]:
    if not report.days_late:
        return []
    words = say("days late: {days:g}, which take off {points:g} points", days=report.days_late, points=report.deducted)
    return [words.render(report.lang)]


def status(check: CheckReport, lang: str) -> str:
    """The status in a word."""
    return _STATUS[check.status].render(lang)


def points(check: CheckReport, lang: str) -> str:
    """Its points of those that it is worth."""
    return f"{number(check.score, 'g', lang)} / {number(check.max_score, 'g', lang)}"


Told = list[tuple[str, str, str]]
"""Names of items that failed alike, what was expected (empty where it has been told), and what came."""


def told(report: GradeReport) -> dict[str, Told]:
    """What did not pass, by check; what came as it came in an earlier check is not said again."""
    first: dict[str, str] = {}
    by_check = {}
    for check in report.checks:
        lines = []
        for names, expected, actual in alike(check):
            title = first.setdefault(actual, check.title)
            if title == check.title:
                lines.append((names, expected, actual))
            else:
                lines.append((names, "", tell(report.lang, "the same as under “{title}”", title=title)))
        by_check[check.id] = lines
    return by_check


def alike(check: CheckReport) -> Told:
    """The items that failed, those that failed alike together."""
    names: dict[tuple[str, str], list[str]] = {}
    for item in check.items:
        if not item.passed:
            names.setdefault((item.expected, item.actual), []).append(item.name)
    return [("; ".join(own), expected, actual) for (expected, actual), own in names.items()]


def first_to_mend(report: GradeReport) -> CheckReport | None:
    """What to mend first; None where all passed. Parameters come last: they follow from what uses them."""
    failed = [check for check in report.checks if check.status != "passed"]
    return min(failed, key=lambda check: check.id == "builds.parameters", default=None)


def start_here(report: GradeReport) -> str:
    """The first thing to mend in a sentence; empty where all passed."""
    check = first_to_mend(report)
    if check is None:
        return ""
    title = f"{STAGES[check.stage].render(report.lang)}: {check.title}"
    return tell(report.lang, "start here: {title}: {actual}", title=title, actual=check.actual)


def details(check: CheckReport, lang: str, items: Told | None = None) -> list[str]:
    """Sentences: what R does; of the items that failed, what was expected and what came; the hint."""
    lines, items = [check.rationale], alike(check) if items is None else items
    for names, expected, actual in items:
        lines += [tell(lang, "{name}: expected {expected}", name=names, expected=expected)] if expected else []
        lines.append(tell(lang, "{name}: got {actual}", name=names, actual=actual))
    hinted = check.hint and any(expected for _, expected, _ in items)
    return [*lines, *([tell(lang, "hint: {hint}", hint=check.hint)] if hinted else [])]


def ladder_title(model: str, lang: str) -> str:
    """What the ladder of a model is."""
    if model not in R_MODELS.values():
        return tell(lang, "{model}, in the order of computation", model=model)
    return tell(lang, "{model}, from embedding to logits", model=model)


def ladder(rows: Sequence[LadderRow], lang: str) -> tuple[list[str], list[list[str]]]:
    """Header and rows of a table; the first two columns are words."""
    header = [say("quantity"), say("verdict"), say("expected"), say("got"), say("difference")]

    def cell(value: float | None) -> str:
        return "-" if value is None else number(value, ".4g", lang)

    body = [[r.quantity, r.verdict, *map(cell, (r.expected, r.actual, r.difference))] for r in rows]
    return [name.render(lang) for name in header], body


def of_class(reports: Sequence[GradeReport], lang: str, width: int | None = None) -> list[str]:
    """A line a submission, then which checks fail most."""
    header = [say("submission"), say("points"), say("of"), say("state"), say("not passed")]
    rows = [
        [r.submission, number(r.score, ".2f", lang), number(r.max_score, "g", lang), state(r), not_passed(r)]
        for r in reports
    ]
    lines = tables.lines([name.render(lang) for name in header], rows, left=(0, 3, 4), width=width, indent=0)
    most = Counter(c.id for r in reports for c in r.checks if c.status != "passed").most_common(8)
    if most:
        lines.append(tell(lang, "what fails most:"))
        lines += [f"  {count:4}  {id}" for id, count in most]
    if reports:
        mean = sum(report.score for report in reports) / len(reports)
        lines.append(tell(lang, "mean {mean:.2f}, {n} submissions", mean=mean, n=len(reports)))
    return lines


def state(report: GradeReport) -> str:
    """What became of a submission, in a word."""
    part = report.state == "graded" and report.only
    return (_IN_PART if part else _STATES[report.state]).render(report.lang)


def _score(report: GradeReport) -> str:
    of, most = (number(value, "g", report.lang) for value in (report.score, report.max_score))
    return f"{state(report)}, {of} / {most}"


def not_passed(report: GradeReport) -> str:
    """The first checks that did not pass; of what was not graded, why."""
    failed = [check.id for check in report.checks if check.status != "passed"]
    return ", ".join(failed[:_NAMED]) + (" …" if len(failed) > _NAMED else "") or report.message


def _wrapped(words: str, width: int, indent: int) -> list[str]:
    space = " " * indent
    return textwrap.wrap(words, width, initial_indent=space, subsequent_indent=space + "  ") or [space]
