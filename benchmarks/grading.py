"""Seconds for one correct port, and for a class of them in parallel: `python -m benchmarks.grading [N] [JOBS]`."""

import sys
import time
from pathlib import Path

from pygpt.classroom.batch import grade_all
from pygpt.grading.grade import GradingJob
from pygpt.grading.rubric import read_rubric
from pygpt.grading.submission import Submission

CORRECT = Path(__file__).parents[1] / "tests" / "grading" / "submissions" / "correct.py"


def main() -> None:
    size, jobs = (int(a) for a in (*sys.argv[1:], *("30", "2")[len(sys.argv) - 1 :]))
    one = seconds(1, 1)
    print(f"one correct port, one process: {one[0]:.1f} s")
    wall, own = seconds(size, jobs)
    print(f"{size} correct ports, {jobs} jobs: {wall:.1f} s; their sum divided by the jobs: {own / jobs:.1f} s")
    print(f"beyond that: {100 * (wall * jobs / own - 1):.0f}%")


def seconds(size: int, jobs: int) -> tuple[float, float]:
    """Wall clock of a class, and the sum of what its submissions took."""
    submissions = [Submission(CORRECT, f"port {n}") for n in range(size)]
    began = time.monotonic()
    reports = grade_all(submissions, GradingJob(read_rubric(), 1), jobs)
    wall = time.monotonic() - began
    assert all(report.score == report.max_score for report in reports)
    return wall, sum(report.seconds for report in reports)


if __name__ == "__main__":
    main()
