"""What the rubric asks about, and from the checks' points to the grade: the total, caps and gates, days late."""

import math
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256

from pygpt.errors import PygptError
from pygpt.grading.check import STAGES, Check
from pygpt.grading.checks import CHECKS
from pygpt.grading.exam import Exam
from pygpt.grading.report import CheckReport, GradeReport
from pygpt.grading.rubric import VISIBILITIES, Rubric
from pygpt.output.messages import Message, say
from pygpt.output.spelling import did_you_mean

_TITLES = {**STAGES, **{check.id: check.title for check in CHECKS}}


def asked(rubric: Rubric) -> list[Check]:
    """The checks that this rubric asks for, whatever the submission has, in the order in which they run."""
    return [check for check in CHECKS if set(check.needs) <= set(rubric.parts)]


def counted(rubric: Rubric) -> list[Check]:
    """Those of them that are counted."""
    return [check for check in asked(rubric) if not rubric.only or check.id in rubric.only]


def needed(rubric: Rubric) -> list[Check]:
    """Those that are counted, and those whose results they read: so each says what it says in the whole."""
    ids = {check.id for check in counted(rubric)}
    for check in reversed(CHECKS):
        if check.id in ids:
            ids |= {*check.after}
    return [check for check in asked(rubric) if check.id in ids]


def narrowed(rubric: Rubric, names: Sequence[str]) -> Rubric:
    """The same rubric for some checks alone; no grade by one is taken for a grade by the other.

    Args:
        names: checks or whole stages; none changes nothing.

    Raises:
        PygptError: a name of neither, or of nothing that the rubric asks for.
    """
    if not names:
        return rubric
    for name in names:
        if name not in _TITLES:
            raise PygptError(
                "there is no check or stage {name}.{meant} The stages are {stages}; `grade rubric` lists the checks",
                name=repr(name), meant=did_you_mean(name, _TITLES), stages=", ".join(STAGES),
            )  # fmt: skip
        if not any(name in (check.id, check.stage) for check in asked(rubric)):
            raise PygptError("the rubric does not ask for what {name} is about: see its [parts]", name=name)
    only = tuple(check.id for check in asked(rubric) if {check.id, check.stage} & {*names})
    return replace(rubric, only=only, sha256=sha256(repr((rubric.sha256, only)).encode()).hexdigest())


def public(rubric: Rubric) -> Rubric:
    """The same rubric for students who check their own port: what everyone may see, and nothing that speaks of points.

    Raises:
        PygptError: there is nothing that everyone may see.
    """
    names = [check.id for check in asked(rubric) if rubric.seen(check.id) == VISIBILITIES[0]]
    if not names:
        raise PygptError("the rubric hides all that it asks for: see its [visibility]")
    return narrowed(replace(rubric, caps={"unexplained": math.inf}, gates={}), names)


def in_total(rubric: Rubric, points: float) -> float:
    """Points of the rubric as the grade counts them: rescaled where it has a total."""
    most = sum(rubric.points[check.id] for check in asked(rubric))
    return points * rubric.total / most if rubric.total and most else points


def most_points(rubric: Rubric) -> float:
    """What a grade by this rubric can be."""
    return round(in_total(rubric, sum(rubric.points[check.id] for check in counted(rubric))), 4)


def capped(exam: Exam, reports: Sequence[CheckReport]) -> tuple[float, list[Message]]:
    """The sum of the points, at most what the rubric's caps and gates allow, and which of them bound it.

    The cap is for logits that are not R's for no known reason: at most what one wrong part would get.
    """
    rubric, told = exam.rubric, []
    score, cap = sum(check.score for check in reports), in_total(rubric, rubric.caps["unexplained"])
    over = sum(check.score for check in reports if check.stage in ("forward", "gradients", "training")) - cap
    if over > 0 and not all(exam.explained(model) for model in exam.models):
        score -= over
        told.append(
            say(
                "forward, gradients and training give at most {cap:g} points, since no usual mistake explains the "
                "logits.",
                cap=cap,
            )
        )
    missed = {name for check in reports if check.status != "passed" for name in (check.id, check.stage)}
    gates = [(most, name) for name, most in rubric.gates.items() if name in missed]
    if gates and (gate := min(gates))[0] < score:
        score = gate[0]
        told.append(
            say(
                "At most {most:g} points in all, since this is not passed: {title}.", most=score, title=_TITLES[gate[1]]
            )
        )
    return score, told


def late(report: GradeReport, days: float, rubric: Rubric) -> GradeReport:
    """The grade with what these days late take off, whatever was taken off before."""
    score = report.score + report.deducted
    off = days * (rubric.late["points"] + rubric.late["percent"] / 100 * report.max_score)
    off = round(min(score, off), 4)
    return replace(report, score=round(score - off, 4), days_late=days, deducted=off)
