"""`grade`: students' ports of the R code."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pygpt.commands.language import Command, Group, lang_option
from pygpt.commands.options import r_threads_option, tell_note
from pygpt.errors import PygptError

if TYPE_CHECKING:
    from pygpt.classroom.class_page import Class
    from pygpt.grading.grade import GradingJob
    from pygpt.grading.report import GradeReport
    from pygpt.grading.rubric import Rubric
    from pygpt.grading.submission import Submission

UNUSABLE = 1
_FILE = click.Path(dir_okay=False, path_type=Path)
_rubric_option = click.option(
    "--rubric", "rubric_file", type=_FILE, help="TOML file with points, parts, tolerances, limits; see: grade rubric"
)
_exercise_option = click.option(
    "--exercise",
    "exercise_file",
    type=click.Path(path_type=Path),
    help="Grade by this exercise: its models, sizes, points and parts. [default: the course's own]",
)
_unsafe_option = click.option(
    "--unsafe",
    is_flag=True,
    help="Grade without isolation. NOT protected: your files, the network, other processes, other submissions.",
)


@click.group(cls=Group, epilog="Example: grade run class/ --out results --jobs 2")
def grade() -> None:
    """Grade students' Python ports of the course's R code."""


@grade.command(cls=Command, epilog="Example: grade run port.py; grade run class/ --out results --jobs 2 --lang pt")
@click.argument("submissions", metavar="SUBMISSION...", nargs=-1, required=True, type=click.Path(path_type=Path))
@_rubric_option
@_exercise_option
@click.option(
    "--weights",
    "--r",
    "weights_file",
    type=_FILE,
    help="Ask about these trained weights, too, as R wrote them (torch_save, luz_save, …) or safetensors.",
)
@click.option(
    "--recording",
    type=_FILE,
    help="Hold ports of any module against this recording (record_module.R): each defines build(**args).",
)
@click.option("--only", multiple=True, metavar="CHECK", help="Run and count only this check or stage; repeatable.")
@click.option("--roster", "roster_file", type=_FILE, help="The class's list (CSV): submission, name, id, days_late.")
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), help="Of the drawn cases. [default: drawn, in the report]")
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), help="Folder for results; goes on where it stopped."
)
@click.option("--jobs", type=click.IntRange(1), default=1, show_default=True, help="Submissions at a time.")
@click.option("--gradescope", type=_FILE, help="One submission: write Gradescope's results.json there.")
@click.option("--prairielearn", type=_FILE, help="One submission: write PrairieLearn's results.json there.")
@_unsafe_option
@r_threads_option()
@lang_option
def run(
    submissions: tuple[Path, ...],
    rubric_file: Path | None,
    exercise_file: Path | None,
    weights_file: Path | None,
    recording: Path | None,
    only: tuple[str, ...],
    roster_file: Path | None,
    seed: int | None,
    out: Path | None,
    jobs: int,
    gradescope: Path | None,
    prairielearn: Path | None,
    unsafe: bool,
    r_threads: int | None,
    lang: str,
) -> None:
    """Grade ports: a file, a package folder, a notebook, a student's folder, or a class's folder.

    With --out: NAME.json and NAME.html for each submission; for all, class.csv, class.xml (JUnit) and class.html, which
    is the teacher's: what to look at first, how it went, what is alike.

    Exit code 0: all were graded; 1: one could not be (0 with --gradescope and --prairielearn, whose file says so); 2:
    nothing was graded.
    """
    from pygpt.classroom import services
    from pygpt.classroom.batch import sole_use
    from pygpt.classroom.class_page import Class, remarks
    from pygpt.classroom.finding import find
    from pygpt.classroom.roster import read_roster, rows_of, whose
    from pygpt.classroom.similarity import alike
    from pygpt.commands.terminal import width
    from pygpt.files import write_atomically
    from pygpt.grading.grade import GradingJob, with_weights
    from pygpt.grading.points import narrowed
    from pygpt.grading.reports.text import of_class, one
    from pygpt.module_grading.grading import rubric_for
    from pygpt.r_files.weights import read_weights

    if recording and (only or weights_file or exercise_file):
        raise PygptError("--only, --weights and --exercise are of the course's models: not with --recording")
    by = rubric_for(recording, rubric_file) if recording else narrowed(_rubric(rubric_file, exercise_file), only)
    job = GradingJob(by, seed, lang, unsafe, r_threads or 1, recording=recording)
    if weights_file:
        weights = read_weights(weights_file)
        tell_note(weights.note(heads=False))  # any number of heads asks as well
        job = with_weights(job, weights)
    students = read_roster(roster_file) if roster_file else []
    _require_isolation(unsafe)
    for_service = gradescope is not None or prairielearn is not None
    with sole_use(out):
        named = find(submissions, folder_is_one=for_service, out=out)
        if for_service and len(named) > 1:
            raise PygptError("--gradescope and --prairielearn are for one submission, and here are {n}", n=len(named))
        submitted = whose(students, named, roster_file) if roster_file else {}
        reports = _graded(named, job, jobs, out, {submitted[s].name: s.days_late for s in submitted})
        if gradescope is not None:
            write_atomically(gradescope, services.gradescope(reports[0], job.rubric))
        if prairielearn is not None:
            write_atomically(prairielearn, services.prairielearn(reports[0]))
        pairs = alike(named, {report.submission: report.sha256 for report in reports})
        of = Class(rows_of(reports, students, submitted, job), pairs, lang)
        if out is not None:
            _write_class(of, out)
    if len(of.reports) > 1:
        lines = [*of_class(of.reports, lang, width(60) if sys.stdout.isatty() else None), *remarks(of)]
    else:
        lines = [*one(reports[0], width(60, 120)), *remarks(of)]
    for line in lines:
        click.echo(line)
    # PrairieLearn reads the file only where the exit code is 0.
    unusable = not for_service and any(report.state != "graded" for report in reports)
    raise click.exceptions.Exit(UNUSABLE if unusable else 0)


@grade.command(cls=Command, epilog="Example: grade check port.py --lang pt")
@click.argument("submission", type=click.Path(path_type=Path))
@_rubric_option
@_exercise_option
@_unsafe_option
@lang_option
def check(submission: Path, rubric_file: Path | None, exercise_file: Path | None, unsafe: bool, lang: str) -> None:
    """Tell students what is right in their own port, and the first thing to mend. No points.

    It asks what the rubric hides from no one, each time with other numbers than any grading.

    Exit code 0: all is right; 1: something is not; 2: nothing was checked.
    """
    from pygpt.classroom.batch import grade_all
    from pygpt.classroom.finding import find
    from pygpt.commands.terminal import width
    from pygpt.grading.grade import GradingJob
    from pygpt.grading.points import public
    from pygpt.grading.reports.self_check import self_check

    job = GradingJob(public(_rubric(rubric_file, exercise_file)), None, lang, unsafe)
    _require_isolation(unsafe)
    (report,) = grade_all(find([submission], folder_is_one=True), job)
    for line in self_check(report, width(60, 120)):
        click.echo(line)
    right = report.state == "graded" and all(one.status == "passed" for one in report.checks)
    raise click.exceptions.Exit(0 if right else 1)


@grade.command(cls=Command, epilog="Example: grade doctor")
@lang_option
def doctor(lang: str) -> None:
    """Say what this machine offers to isolate submissions, and how to get the rest.

    Exit code 0: submissions are isolated here; 1: they are not.
    """
    from pygpt.isolation.doctor import findings

    lines = findings()
    for good, line in lines:
        words = line.render(lang)
        click.echo(words if good else click.style(words, fg="red"))
    raise click.exceptions.Exit(0 if lines[-1][0] else 1)


@grade.command(cls=Command, epilog="Example: grade template --lang pt > port.py")
@lang_option
def template(lang: str) -> None:
    """Print a starting file for students: every part with its contract, and no body."""
    from pygpt.classroom import template

    click.echo(template.template(lang), nl=False)


@grade.command(cls=Command, epilog="Example: grade rubric > mine.toml; grade run class/ --rubric mine.toml")
@_rubric_option
@_exercise_option
@lang_option
def rubric(rubric_file: Path | None, exercise_file: Path | None, lang: str) -> None:
    """Print the rubric, a TOML file that explains itself: points, parts, tolerances, limits."""
    from pygpt.grading.explained import explained

    click.echo(explained(_rubric(rubric_file, exercise_file), lang), nl=False)


@grade.command(cls=Command, epilog="Example: grade gradescope-zip autograder.zip --lang pt")
@click.argument("file", type=_FILE)
@_rubric_option
@_exercise_option
@lang_option
def gradescope_zip(file: Path, rubric_file: Path | None, exercise_file: Path | None, lang: str) -> None:
    """Write Gradescope's autograder: a zip that installs pygpt and grades one submission."""
    from pygpt.classroom.gradescope import autograder_zip
    from pygpt.files import write_atomically
    from pygpt.output.messages import tell

    _rubric(rubric_file, exercise_file)
    write_atomically(file, autograder_zip(rubric_file, lang, exercise_file))
    click.echo(tell(lang, "{path}: upload it as the autograder of a programming assignment", path=file))


def _rubric(rubric_file: Path | None, exercise_file: Path | None) -> "Rubric":
    """What is graded by: a rubric's file, an exercise's, or the course's own."""
    from pygpt.exercises.opening import files
    from pygpt.grading.rubric import exercise_rubric, read_rubric

    if exercise_file is None:
        return read_rubric(rubric_file)
    if rubric_file is not None:
        raise PygptError("--rubric and --exercise do not go together: an exercise's file holds its rubric, [grading]")
    return exercise_rubric(files(exercise_file))


def _write_class(of: "Class", out: Path) -> None:
    from pygpt.classroom import class_page, services, table
    from pygpt.files import write_atomically

    write_atomically(out / "class.csv", table.to_csv(of.rows))
    write_atomically(out / "class.xml", services.junit([r for r in of.reports if r.state != "missing"]))
    if len(of.reports) > 1:
        write_atomically(out / "class.html", class_page.page(of))


def _require_isolation(unsafe: bool) -> None:
    from pygpt.isolation.bubblewrap import isolation_missing

    missing = None if unsafe else isolation_missing()
    if missing is not None:
        raise PygptError(
            "submissions cannot be isolated here: {why}. `grade doctor` says more; --unsafe grades without isolation, "
            "where a submission can read and write your files and use the network.",
            why=missing,
        )


def _graded(
    submissions: "list[Submission]", job: "GradingJob", processes: int, out: Path | None, days_late: dict[str, float]
) -> "list[GradeReport]":
    from rich.console import Console
    from rich.progress import Progress

    from pygpt.classroom.batch import grade_all
    from pygpt.output.messages import tell

    with Progress(console=Console(stderr=True), disable=len(submissions) == 1, transient=True) as bar:
        task = bar.add_task(tell(job.lang, "grading"), total=len(submissions))
        return grade_all(submissions, job, processes, out, lambda _report: bar.advance(task), days_late)
