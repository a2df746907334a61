"""A class: each result is written at once and atomically, what is done is not done again, several at a time."""

import secrets
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

from pygpt.errors import PygptError
from pygpt.files import write_atomically
from pygpt.grading.grade import GradingJob, failed_report, grade
from pygpt.grading.report import GradeReport, from_json
from pygpt.grading.reports.html import page
from pygpt.grading.submission import Submission, UnusableError, staged
from pygpt.output.messages import tell


def grade_all(
    submissions: Sequence[Submission],
    job: GradingJob,
    processes: int = 1,
    out: Path | None = None,
    done: Callable[[GradeReport], object] = lambda _: None,
) -> list[GradeReport]:
    """Grade every submission; reports come in the order of `submissions`.

    Args:
        job: where its seed is None, one is drawn for the class, or taken from results which are already there.
        processes: submissions that are graded at a time; with 1 in this process.
        out: folder of the results; one that holds a submission's result for the same files, rubric, language and
            seed is taken as it is.
        done: called with each report as it comes.
    """
    held = {s.name: report for s in submissions if out and (report := _held(out, s, job)) is not None}
    if job.seed is None:
        seed = next((report.seed for report in held.values()), secrets.randbelow(2**31))
        job = replace(job, seed=seed)
    reports = {name: report for name, report in held.items() if report.seed == job.seed}
    for report in reports.values():
        done(report)

    def finish(submission: Submission, report: GradeReport) -> None:
        reports[submission.name] = report
        if out is not None:
            write_atomically(out / f"{submission.name}.html", page(report))
            write_atomically(_result_file(out, submission), report.to_json())
        done(report)

    todo = [s for s in submissions if s.name not in reports]
    if processes == 1 or len(todo) < 2:
        for submission in todo:
            finish(submission, grade(submission, job))
    else:
        _in_parallel(todo, job, processes, finish)
    return [reports[s.name] for s in submissions]


def _in_parallel(
    todo: Sequence[Submission], job: GradingJob, processes: int, finish: Callable[[Submission, GradeReport], None]
) -> None:
    # Begun anew, not forked: threads of torch do not survive a fork.
    with ProcessPoolExecutor(min(processes, len(todo)), get_context("spawn")) as pool:
        futures: dict[Future[GradeReport], Submission] = {pool.submit(grade, s, job): s for s in todo}
        for future in as_completed(futures):
            try:
                report = future.result()
            except BrokenProcessPool:
                why = tell(job.lang, "the grading process died; call again to go on")
                report = failed_report(futures[future], job, why)
            finish(futures[future], report)


def _result_file(out: Path, submission: Submission) -> Path:
    return out / f"{submission.name}.json"


def _held(out: Path, submission: Submission, job: GradingJob) -> GradeReport | None:
    """The result that is there already, if it is of these files, this rubric and this language, whatever its seed."""
    try:
        report = from_json(_result_file(out, submission).read_text(encoding="utf-8"))
        with staged(submission) as (_, digest):
            pass
    except (OSError, UnicodeDecodeError, PygptError, UnusableError):
        return None
    wanted = (digest, job.rubric.sha256, job.lang, job.unsafe, submission.name)
    there = (report.sha256, report.rubric_sha256, report.lang, report.unsafe is not None, report.submission)
    return report if wanted == there and report.state != "grader_error" else None
