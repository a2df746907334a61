"""Grading groups of submissions once a test session, several at a time."""

import dataclasses
import tempfile
import textwrap
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest

from pygpt.classroom.batch import grade_all
from pygpt.grading.check import Item
from pygpt.grading.checks import CHECKS
from pygpt.grading.exam import Exam
from pygpt.grading.grade import GradingJob
from pygpt.grading.port import Port
from pygpt.grading.report import GradeReport
from pygpt.grading.rubric import Rubric, read_rubric
from pygpt.grading.submission import Submission, staged
from pygpt.isolation.bubblewrap import isolation_missing
from pygpt.isolation.session import Session

SUBMISSIONS = Path(__file__).parent / "submissions"
CORRECT = SUBMISSIONS / "correct.py"
SEED = 20261122

_MISSING = isolation_missing()
needs_isolation = pytest.mark.skipif(
    _MISSING is not None,
    reason=f"submissions cannot be isolated here: {_MISSING.render('en') if _MISSING else ''}",
)


def small_rubric() -> Rubric:
    """GPT alone, and limits that a hostile submission meets soon."""
    rubric = read_rubric()
    limits = dataclasses.replace(
        rubric.limits, check_seconds=3.0, load_seconds=6.0, total_seconds=40.0, memory_mib=2048, restarts=2
    )
    return dataclasses.replace(rubric, parts=("GPT",), limits=limits)


def at_load(source: str) -> str:
    """A submission that does this when it is loaded: the body of a class is run, whatever of the file is needed."""
    return f"def act():\n{textwrap.indent(source, '    ')}\nclass Acts:\n    act()\n"


def mutated(source: str, *changes: tuple[str, str]) -> str:
    """A source with every occurrence replaced; a change that no longer applies is a stale test."""
    for old, new in changes:
        assert old in source, f"stale: {old!r} is not in the source"
        source = source.replace(old, new)
    return source


def grade_sources(sources: Mapping[str, str | bytes], rubric: Rubric | None = None) -> dict[str, GradeReport]:
    """Grade files with these contents, two at a time; reports by name."""
    with tempfile.TemporaryDirectory() as folder:
        submissions = []
        for name, source in sources.items():
            path = Path(folder) / f"{name}.py"
            path.write_bytes(source if isinstance(source, bytes) else source.encode())
            submissions.append(Submission(path, name))
        reports = grade_all(submissions, GradingJob(rubric or read_rubric(), SEED), processes=2)
    return {report.submission: report for report in reports}


@cache
def grade_file(name: str) -> GradeReport:
    """The report of a file under `submissions`."""
    return grade_sources({name: (SUBMISSIONS / f"{name}.py").read_bytes()})[name]


def lost(report: GradeReport) -> dict[str, float]:
    """Points lost, by check; only checks that lost any."""
    return {c.id: round(c.max_score - c.score, 3) for c in report.checks if c.score < c.max_score}


def examined(source: str, *stages: str, seed: int = SEED, rubric: Rubric | None = None) -> dict[str, list[Item]]:
    """The items of the checks of some stages (or single checks), asked of a file with this content."""
    rubric = rubric or read_rubric()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "port.py"
        path.write_text(source)
        with (
            staged(Submission(path, "port")) as copy,
            Session(copy.path, rubric.limits, False) as session,
        ):
            session.load()
            exam = Exam(Port(session), rubric, seed)
            for check in CHECKS:
                if check.id.startswith(stages):
                    exam.run(check)
            return exam.items


def failed(items: Mapping[str, list[Item]]) -> dict[str, set[str]]:
    """What is said of each item that has not passed, by check."""
    told = {id: {i.actual.render("en") for i in some if not i.passed} for id, some in items.items()}
    return {id: words for id, words in told.items() if words}
