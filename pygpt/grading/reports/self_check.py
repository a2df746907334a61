"""What students see of their own port: what is right, and the first thing to mend. No points, and no answers.

What came is told, not what was expected; both are of numbers that are drawn anew for each check, and for no grading.
"""

import textwrap

from pygpt.grading.check import STAGES
from pygpt.grading.report import GradeReport
from pygpt.grading.reports.text import alike, first_to_mend, state
from pygpt.output.messages import say, tell

_WORDS = {True: say("right"), False: say("not yet")}
_INDENT = "    "


def self_check(report: GradeReport, width: int = 100) -> list[str]:
    """The lines to print."""

    def folded(words: str) -> list[str]:
        return textwrap.wrap(words, width, initial_indent=_INDENT, subsequent_indent=_INDENT + "  ")

    lang, right = report.lang, [check.status == "passed" for check in report.checks]
    if report.state != "graded":
        return [f"{report.submission}: {state(report)}", *folded(report.message)]
    words = say("{name}: {n} of {all} checks are right", name=report.submission, n=sum(right), all=len(right))
    lines = [words.render(lang), *(folded(report.message) if report.message else [])]
    for check in report.checks:
        word = _WORDS[check.status == "passed"].render(lang)
        lines.append(f"  {word}: {STAGES[check.stage].render(lang)}: {check.title}")
    first = first_to_mend(report)
    if first is not None:
        lines += ["", tell(lang, "Mend this first: {title}", title=first.title), *folded(first.rationale)]
        for names, _, actual in alike(first):
            lines += folded(tell(lang, "{name}: got {actual}", name=names, actual=actual))
        lines += folded(tell(lang, "hint: {hint}", hint=first.hint))
    return lines
