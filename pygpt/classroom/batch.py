"""A class: each result is written at once and atomically, what is done is not done again, several at a time."""

import contextlib
import os
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

from pygpt.errors import PygptError
from pygpt.files import write_atomically
from pygpt.grading.grade import GradingJob, failed_report, grade
from pygpt.grading.points import late
from pygpt.grading.report import GradeReport, from_json
from pygpt.grading.reports.html import page
from pygpt.grading.submission import Submission, UnusableError, staged
from pygpt.isolation.seccomp import end_with_parent
from pygpt.output.messages import say, tell

_WORKER_BYTES = 4 << 30
"""Address space of a worker: torch takes 0.7 GB of it, and what a submission may send some more."""


@contextlib.contextmanager
def sole_use(out: Path | None) -> Iterator[None]:
    """Keep others from grading into this folder; the kernel gives it free when this process ends, however it ends.

    Raises:
        PygptError: another one is at it, or the folder cannot be made.
    """
    if out is None:
        yield
        return
    import fcntl

    path = out / ".grading"
    try:
        out.mkdir(parents=True, exist_ok=True)
        lock = path.open("a+")
    except OSError as error:
        raise PygptError("cannot write {path}: {why}", path=out, why=error.strerror) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not path.exists() or not os.path.samestat(path.stat(), os.fstat(lock.fileno())):
                raise BlockingIOError  # another has just ended, and a third has begun
        except BlockingIOError as error:
            lock.seek(0)
            raise PygptError(
                "{path} is in use: process {pid} is grading into it. Wait for it, or take another --out",
                path=out,
                pid=lock.read(20).strip() or "?",
            ) from error
        except OSError as error:  # a file system without locks
            raise PygptError("cannot write {path}: {why}", path=path, why=error.strerror) from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def grade_all(
    submissions: Sequence[Submission],
    job: GradingJob,
    processes: int = 1,
    out: Path | None = None,
    done: Callable[[GradeReport], object] = lambda _: None,
    days_late: Mapping[str, float] | None = None,
) -> list[GradeReport]:
    """Grade every submission; reports come in the order of `submissions`.

    Args:
        job: where its seed is None, one is drawn for the class, or taken from results which are already there.
        processes: submissions that are graded at a time; with 1 in this process.
        out: folder of the results; one that holds a submission's result for the same files, rubric, language and
            seed is taken as it is.
        done: called with each report as it comes.
        days_late: of submissions by name; the others are in time.

    Raises:
        PygptError: `out` holds grades by some checks alone and these are by all, or the other way round.
    """
    held = {s.name: report for s in submissions if out and (report := _held(out, s, job)) is not None}
    if job.seed is None:
        seed = next((report.seed for report in held.values()), secrets.randbelow(2**31))
        job = replace(job, seed=seed)
    reports: dict[str, GradeReport] = {}

    def finish(submission: Submission, graded: GradeReport) -> None:
        report = late(graded, (days_late or {}).get(submission.name, 0.0), job.rubric)
        reports[submission.name] = report
        if out is not None and report != held.get(submission.name):
            write_atomically(out / f"{submission.name}.html", page(report))
            write_atomically(_result_file(out, submission), report.to_json())
        done(report)

    for submission in submissions:
        if submission.name in held and held[submission.name].seed == job.seed:
            finish(submission, held[submission.name])
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
    workers = min(processes, len(todo))
    with ProcessPoolExecutor(workers, get_context("spawn"), _begin_worker, (os.getpid(),)) as pool:
        futures: dict[Future[GradeReport], Submission] = {pool.submit(grade, s, job): s for s in todo}
        for future in as_completed(futures):
            try:
                report = future.result()
            except BrokenProcessPool:
                why = tell(job.lang, "the grading process died; call again to go on")
                report = failed_report(futures[future], job, why)
            finish(futures[future], report)


def _begin_worker(parent: int) -> None:
    import resource

    end_with_parent()
    if os.getppid() != parent:  # it ended before this was asked for
        os._exit(1)
    resource.setrlimit(resource.RLIMIT_AS, (_WORKER_BYTES, resource.getrlimit(resource.RLIMIT_AS)[1]))


def _result_file(out: Path, submission: Submission) -> Path:
    return out / f"{submission.name}.json"


def _held(out: Path, submission: Submission, job: GradingJob) -> GradeReport | None:
    """The result that is there already, if it is of these files, this rubric and this language, whatever its seed."""
    try:
        report = from_json(_result_file(out, submission).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, PygptError):
        return None
    if report.only != job.rubric.only:
        raise PygptError(
            "{path} is a grade by {checks}: grade by others into another folder (--out)",
            path=_result_file(out, submission),
            checks=", ".join(report.only) or say("all checks"),
        )
    try:
        with staged(submission, job.models) as copy:
            digest = copy.sha256
    except (OSError, UnusableError):
        return None
    wanted = (digest, job.rubric.sha256, job.lang, job.unsafe, submission.name)
    there = (report.sha256, report.rubric_sha256, report.lang, report.unsafe is not None, report.submission)
    return report if wanted == there and report.state != "grader_error" else None
