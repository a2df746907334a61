"""From what came of a port to its report: titles, points, hints, the ladder."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pygpt.errors import PygptError
from pygpt.grading.check import Verdict
from pygpt.grading.report import CheckReport, GradeReport, ItemReport, LadderRow, Status
from pygpt.grading.rubric import Rubric, read_rubric
from pygpt.isolation.session import Session
from pygpt.module_grading.judge import examine, recording_of
from pygpt.output.messages import Message, say
from pygpt.parity.compare import Comparison
from pygpt.parity.modules.recording import ModuleRecording

PARTS = ("build", "loss")
"""What a port of any module can define; `loss` is asked for where R's is not known here."""
MOST = 100.0
"""What a grade by a recording can be; what the recording does not hold is shared out among the rest."""
_POINTS = Path(__file__).with_name("rubric.toml")
_Texts = tuple[Message, Message, Message]

_TEXTS: dict[str, _Texts] = {
    "loads.build": (
        say("build is defined"),
        say("build(**args) returns the nn.Module with the arguments that R's generator got."),
        say("Define build at the top level of the file: def build(hidden, classes): return Net(hidden, classes)."),
    ),
    "builds.module": (
        say("build gives a module"),
        say("It is called with R's arguments by their names; a dot in a name is an underscore."),
        say("Look at the line that is named. A function that needs fewer arguments may have fewer."),
    ),
    "builds.weights": (
        say("every weight has its counterpart"),
        say("R's names are matched by name (R's block.1 is block.0), by weight_map, by value, by shape."),
        say("Give the layers R's names, or define weight_map = {{R's name: yours}}."),
    ),
    "forward.parts": (
        say("every submodule computes what R's does"),
        say("Each is called by itself, in eval mode, with R's weights and the input that R's had."),
        say("Begin with the first that is wrong: its settings (eps, momentum, padding), then its forward."),
    ),
    "forward.output": (
        say("the module computes what R's does"),
        say("forward() in eval mode with R's weights and inputs; ids are counted from 0."),
        say("Where the submodules are right by themselves, it is the order in which forward() uses them."),
    ),
    "gradients.weights": (
        say("the gradients are R's"),
        say("Of R's loss, in eval mode, for every weight that is trained."),
        say("Look for detach(), no_grad(), numbers taken out of tensors, weights used twice or not at all."),
    ),
    "training.first": (
        say("one step gives R's weights"),
        say("In train mode, R's seed, R's optimizer: the grader takes the steps, the port gives loss and gradients."),
        say("Dropout must be drawn where R draws it and in R's order; batch norms must keep their momentum."),
    ),
    "training.last": (
        say("all steps give R's losses and weights"),
        say("The same, going on: dropout draws from where it was, running statistics go along."),
        say("Where one step is right and more are not, something is kept between the calls of forward()."),
    ),
}


def rubric_for(path: Path, rubric_file: Path | None) -> Rubric:
    """The rubric of grades by this recording; no grade by another is taken for one of these.

    Raises:
        PygptError: the recording or the rubric cannot be read, or no port can be graded by this recording.
    """
    rubric = read_rubric(rubric_file, _POINTS)
    recording_of(path)
    content = hashlib.sha256(path.read_bytes()).hexdigest()
    return replace(rubric, sha256=hashlib.sha256(f"{rubric.sha256} {content}".encode()).hexdigest())


def graded(report: GradeReport, session: Session, recording_file: Path, rubric: Rubric) -> GradeReport:
    """The report of the port whose session this is.

    Args:
        report: one that is filled in.
    """
    recording = recording_of(recording_file)
    session.load()
    examined = examine(session, recording)
    worth = _worth(recording, rubric)
    checks = tuple(_check(id, points, examined.results.get(id, ()), report.lang) for id, points in worth.items())
    ladder = examined.ladder
    return replace(
        report,
        state="graded",
        checks=checks,
        score=round(sum(check.score for check in checks), 4),
        ladders={recording.model: _rows(ladder, report.lang)} if ladder is not None else {},
    )


def _worth(recording: ModuleRecording, rubric: Rubric) -> dict[str, float]:
    """Each check's points: of those that the recording has something for."""
    there = {
        "forward.parts": bool(recording.calls), "gradients.weights": bool(recording.gradients),
        "training.first": bool(recording.trainings),
        "training.last": any(training.steps > 1 for training in recording.trainings),
    }  # fmt: skip
    points = {id: rubric.points[id] for id in _TEXTS if there.get(id, True)}
    total = sum(points.values())
    if not total:
        raise PygptError("the rubric gives no points for anything that the recording holds")
    return {id: (rubric.total or MOST) * value / total for id, value in points.items()}


def _check(id: str, points: float, items: Sequence[tuple[Message, Verdict]], lang: str) -> CheckReport:
    title, rationale, hint = _TEXTS[id]
    told = [
        ItemReport(name.render(lang), verdict.passed, verdict.expected.render(lang), verdict.actual.render(lang))
        for name, verdict in items
    ]
    if not told:
        nothing = say("not run, since what comes before it failed").render(lang)
        told = [ItemReport(title.render(lang), False, say("an answer").render(lang), nothing)]
    passed = sum(item.passed for item in told)
    status: Status = "passed" if passed == len(told) else "partial" if passed else "failed"
    first = next((item for item in told if not item.passed), told[0])
    return CheckReport(
        id=id,
        stage=id.split(".")[0],
        title=title.render(lang),
        status=status,
        score=points * passed / len(told),
        max_score=points,
        rationale=rationale.render(lang),
        expected=first.expected,
        actual=first.actual,
        hint="" if status == "passed" else hint.render(lang),
        items=tuple(told),
    )


def _rows(ladder: Comparison, lang: str) -> tuple[LadderRow, ...]:
    return tuple(
        LadderRow(
            quantity=line.name, shape=line.shape, difference=_finite(line.absolute), limit=line.limit.absolute,
            where=line.where, expected=_finite(line.expected), actual=_finite(line.actual), agrees=line.agrees,
            first_divergence=line is ladder.first_divergence,
            verdict=_verdict(line.agrees, line is ladder.first_divergence).render(lang),
        )
        for line in ladder.lines
    )  # fmt: skip


def _verdict(agrees: bool, first: bool) -> Message:
    return say("agrees") if agrees else say("first diverges here") if first else say("differs")


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
