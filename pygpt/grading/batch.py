"""A class: each result is written at once and atomically, what is done is not done again, several at a time."""

import json
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from pygpt.files import write_atomically
from pygpt.grading.grade import FORMAT, GRADER_ERROR, failed_report, grade
from pygpt.grading.reports.html import page
from pygpt.grading.rubric import Rubric
from pygpt.grading.submission import Submission, UnusableError, staged

Report = dict[str, Any]


def grade_all(
    submissions: Sequence[Submission],
    rubric: Rubric,
    seed: int | None,
    lang: str,
    unsafe: bool,
    jobs: int,
    out: Path | None,
    done: Callable[[Report], None],
) -> list[Report]:
    """Grade every submission, in this process or in `jobs` of them; reports come in the order of `submissions`.

    Args:
        seed: None draws one for the class, or takes that of results which are already there.
        out: folder of the results; one that holds a submission's result for the same files, rubric, language and
            seed is taken as it is.
        done: called with each report as it comes.
    """
    held = {s.name: report for s in submissions if out and (report := _held(out, s, rubric, lang, unsafe)) is not None}
    if seed is None:
        seed = next((int(report["seed"]) for report in held.values()), None) or _drawn()
    reports = {name: report for name, report in held.items() if report["seed"] == seed}
    for report in reports.values():
        done(report)
    todo = [s for s in submissions if s.name not in reports]

    def finish(submission: Submission, report: Report) -> None:
        reports[submission.name] = report
        if out is not None:
            write_atomically(out / f"{submission.name}.html", page(report))
            write_atomically(result_file(out, submission), json.dumps(report, ensure_ascii=False, indent=1) + "\n")
        done(report)

    if jobs == 1 or len(todo) < 2:
        for submission in todo:
            finish(submission, grade(submission, rubric, seed, lang, unsafe))
    else:
        _in_parallel(todo, rubric, seed, lang, unsafe, jobs, finish)
    return [reports[s.name] for s in submissions]


def result_file(out: Path, submission: Submission) -> Path:
    """Where a submission's own JSON is."""
    return out / f"{submission.name}.json"


def _in_parallel(
    todo: Sequence[Submission],
    rubric: Rubric,
    seed: int,
    lang: str,
    unsafe: bool,
    jobs: int,
    finish: Callable[[Submission, Report], None],
) -> None:
    # Begun anew, not forked: threads of torch do not survive a fork.
    with ProcessPoolExecutor(min(jobs, len(todo)), get_context("spawn")) as pool:
        futures: dict[Future[Report], Submission] = {
            pool.submit(grade, submission, rubric, seed, lang, unsafe): submission for submission in todo
        }
        for future in as_completed(futures):
            submission = futures[future]
            try:
                report = future.result()
            except BrokenProcessPool:
                words = "the grading process died; call again to go on"
                report = failed_report(submission, rubric, seed, lang, unsafe, words)
            finish(submission, report)


def _held(out: Path, submission: Submission, rubric: Rubric, lang: str, unsafe: bool) -> Report | None:
    try:
        report: Report = json.loads(result_file(out, submission).read_text(encoding="utf-8"))
        with staged(submission) as (_, digest):
            same = (FORMAT, digest, rubric.sha256, lang, unsafe, submission.name) == (
                report["format"], report["sha256"], report["rubric_sha256"], report["lang"],
                report["unsafe"] is not None, report["submission"],
            )  # fmt: skip
        return report if same and report["state"] != GRADER_ERROR and isinstance(report["seed"], int) else None
    except (OSError, ValueError, KeyError, TypeError, UnusableError):
        return None


def _drawn() -> int:
    import secrets

    return secrets.randbelow(2**31)
