"""Grading one submission: load it, run every check, and put all that came out into one report."""

import hashlib
import time
import traceback
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import torch

from pygpt.determinism import ALL_CORES
from pygpt.errors import PygptError
from pygpt.grading.check import STAGES, Check, Item
from pygpt.grading.exam import Exam
from pygpt.grading.ladder import ladders
from pygpt.grading.left_out import sentences
from pygpt.grading.points import capped, counted, in_total, most_points, needed
from pygpt.grading.port import Port
from pygpt.grading.report import FORMAT, CheckReport, GradeReport, ItemReport
from pygpt.grading.rubric import Rubric
from pygpt.grading.submission import IN_R, Submission, UnusableError, is_r, staged
from pygpt.isolation.sandbox import stays_root
from pygpt.isolation.session import COURSE_PARTS, AnswerError, Session
from pygpt.module_grading import grading as module_grading
from pygpt.output.messages import Message, plain, render, say
from pygpt.r_files.weights import Weights, read_weights
from pygpt.settings import R_MODELS
from pygpt.version import __version__
from pygpt.weights import weights_sha256

NOT_PROTECTED = say(
    "graded with --unsafe: the submission could read and write files, use the network and see other processes"
)
AS_ROOT = say("it ran as root, since no other user may read Python and torch here")


@dataclass(frozen=True)
class GradingJob:
    """What all submissions of a class are graded by."""

    rubric: Rubric
    seed: int | None = None
    """Of the drawn cases; None until one is drawn for the class."""
    lang: str = "en"
    """Of the report, one of `output.messages.LANGUAGES`."""
    unsafe: bool = False
    """Without isolation."""
    r_threads: int = 1
    """How many threads R's torch had: so many compute what a port is held against, or all cores, where these are fewer.
    More would wait for each other, and no tolerance is that narrow."""
    weights: Path | None = None
    """A file of weights that the forward pass is asked about, too; see `with_weights`."""
    recording: Path | None = None
    """Of any module: the port is held against it, and not against the course's models (`pygpt/module_grading`)."""

    @property
    def models(self) -> tuple[str, ...]:
        """What a submission defines one of."""
        return ("build",) if self.recording else tuple(R_MODELS.values())


def grade(submission: Submission, job: GradingJob) -> GradeReport:
    """The report of one submission. Nothing that a submission does raises an error here."""
    began = time.monotonic()
    report = failed_report(submission, job)
    try:
        torch.set_num_threads(min(job.r_threads, ALL_CORES))
        with staged(submission, job.models) as copy:
            report = replace(report, sha256=copy.sha256)
            limits, unsafe = job.rubric.limits, job.unsafe
            asked = module_grading.PARTS if job.recording else COURSE_PARTS
            with Session(copy.path, limits, unsafe, copy.root, asked) as session:
                report = _examined(report, session, job)
    except (UnusableError, AnswerError) as failed:
        report = replace(report, state="ungradable", message=failed.message.render(job.lang))
    except PygptError as error:
        report = replace(report, message=plain(render(error, job.lang)))
    except Exception as error:  # a fault of the grader itself must not end a class
        last = traceback.extract_tb(error.__traceback__)[-1]
        report = replace(report, message=plain(f"{type(error).__name__}: {error} ({last.name}:{last.lineno})"))
    return replace(report, seconds=round(time.monotonic() - began, 2))


def with_weights(job: GradingJob, weights: Weights) -> GradingJob:
    """The same job with weights to ask about; grades made without them, or with others, are not taken for these."""
    both = f"{job.rubric.sha256} {weights_sha256(weights.tensors)}"
    rubric = replace(job.rubric, sha256=hashlib.sha256(both.encode()).hexdigest())
    return replace(job, rubric=rubric, weights=weights.path)


def failed_report(submission: Submission, job: GradingJob, message: str = "") -> GradeReport:
    """The report where the grader itself failed."""
    assert job.seed is not None
    stamp = [NOT_PROTECTED, *([AS_ROOT] if stays_root() else [])] if job.unsafe else []
    return GradeReport(
        format=FORMAT,
        pygpt=__version__,
        submission=submission.name,
        sha256=None,
        state="grader_error",
        message=message,
        score=0.0,
        max_score=(job.rubric.total or module_grading.MOST) if job.recording else most_points(job.rubric),
        seed=job.seed,
        rubric_sha256=job.rubric.sha256,
        lang=job.lang,
        unsafe="; ".join(words.render(job.lang) for words in stamp) or None,
        padding_row=None,
        seconds=0.0,
        checks=(),
        ladders={},
        only=job.rubric.only,
    )


def _examined(report: GradeReport, session: Session, job: GradingJob) -> GradeReport:
    if job.recording is not None:
        report = module_grading.graded(report, session, job.recording, job.rubric)
        return replace(report, message=_joined(sentences(session.notes, session.submission.name), job))
    session.load()
    left_out = sentences(session.notes, session.submission.name)
    if not {*R_MODELS.values()} & set(session.parts) & set(job.rubric.parts):
        why = [IN_R] if is_r(session.submission) else [say("Neither GPT nor GPT_NoAttn is defined."), *left_out]
        return replace(report, state="ungradable", message=_joined(why, job))
    exam = Exam(Port(session), job.rubric, report.seed, _trained(job.weights))
    for check in needed(job.rubric):
        exam.run(check)
    by_stage = sorted(counted(job.rubric), key=lambda check: list(STAGES).index(check.stage))
    reports = tuple(_check(check, exam.results(check.id), job) for check in by_stage)
    score, bounds = capped(exam, reports)
    whole = not job.rubric.only or any(check.stage == "forward" for check in by_stage)
    return replace(
        report,
        state="graded",
        message=_joined([*bounds, *left_out], job),
        score=round(score, 4),
        padding_row=exam.padding_row,
        checks=reports,
        ladders=ladders(exam, job.lang) if whole else {},
    )


@cache
def _trained(path: Path | None) -> Weights | None:
    return None if path is None else read_weights(path)


def _joined(sentences: list[Message], job: GradingJob) -> str:
    return " ".join(sentence.render(job.lang) for sentence in sentences)


def _check(check: Check, items: list[Item], job: GradingJob) -> CheckReport:
    def words(message: Message) -> str:
        return message.render(job.lang)

    points, passed = in_total(job.rubric, job.rubric.points[check.id]), sum(item.passed for item in items)
    told = next((item for item in items if not item.passed), items[0])
    return CheckReport(
        id=check.id,
        stage=check.stage,
        title=words(check.title),
        status="passed" if passed == len(items) else "partial" if passed else "failed",
        score=points * passed / len(items),
        max_score=points,
        rationale=words(check.rationale),
        expected=words(told.expected),
        actual=words(told.actual),
        hint="" if passed == len(items) else words(check.hint),
        items=tuple(ItemReport(words(i.name), i.passed, words(i.expected), words(i.actual)) for i in items),
    )
