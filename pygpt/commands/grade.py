"""`grade`: students' ports of the R code."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pygpt.errors import PygptError

if TYPE_CHECKING:
    from pygpt.grading.rubric import Rubric
    from pygpt.grading.submission import Submission

UNUSABLE = 1
_DOCTOR = (Path("doctor"),)
_file = click.Path(dir_okay=False, path_type=Path)


@click.command(epilog="Example: grade port.py; grade class/ --out results --jobs 2 --lang pt; grade doctor")
@click.argument("submissions", nargs=-1, type=click.Path(path_type=Path))
@click.option("--template", is_flag=True, help="Print a starting file for students and stop.")
@click.option("--explain-rubric", is_flag=True, help="Print the rubric (of --rubric, else the built-in one) and stop.")
@click.option("--rubric", type=_file, help="TOML file with points, tolerances, parts, limits.")
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), help="Of the drawn cases. [default: drawn, in the report]")
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), help="Folder for results; goes on where it stopped."
)
@click.option("--jobs", type=click.IntRange(1), default=1, show_default=True, help="Submissions at a time.")
@click.option("--lang", type=click.Choice(["en", "pt"]), default="en", show_default=True, help="Of the feedback.")
@click.option("--gradescope", type=_file, help="One submission: write Gradescope's results.json there.")
@click.option("--prairielearn", type=_file, help="One submission: write PrairieLearn's results.json there.")
@click.option("--gradescope-zip", type=_file, help="Write Gradescope's autograder zip there and stop.")
@click.option(
    "--unsafe",
    is_flag=True,
    help="Grade without isolation. NOT protected: your files, the network, other processes, other submissions.",
)
def grade(submissions: tuple[Path, ...], template: bool, explain_rubric: bool, **options: Any) -> None:
    """Grade ports: a file, a package folder, a notebook, or a class's folder. `grade doctor` looks at this machine.

    With --out: NAME.json and NAME.html for each submission, class.csv and class.xml (JUnit) for all.
    Exit code 0: all were graded; 1: one could not be (0 with --gradescope and --prairielearn, whose file says so);
    2: nothing was graded.
    """
    if template:
        from pygpt.grading.template import TEMPLATE

        click.echo(TEMPLATE, nl=False)
    elif explain_rubric:
        _explain(options["rubric"])
    elif options["gradescope_zip"]:
        _write_zip(options["gradescope_zip"], options["lang"], options["rubric"])
    elif submissions == _DOCTOR and not _DOCTOR[0].exists():
        _doctor()
    elif not submissions:
        raise click.UsageError("name a submission: a .py file, a package folder, an .ipynb, or a class's folder")
    else:
        _grade(submissions, **options)


def _grade(submissions: tuple[Path, ...], unsafe: bool, **options: Any) -> None:
    from pygpt.files import write_atomically
    from pygpt.grading.isolation.sandbox import isolation_missing
    from pygpt.grading.reports import services
    from pygpt.grading.rubric import read_rubric
    from pygpt.grading.submission import find

    rubric = read_rubric(options["rubric"])
    missing = None if unsafe else isolation_missing()
    if missing is not None:
        raise PygptError(
            f"submissions cannot be isolated here: {missing}. `grade doctor` says more; --unsafe grades without "
            "isolation, where a submission can read and write your files and use the network."
        )
    one_file = options["gradescope"] or options["prairielearn"]
    found = find(submissions, folder_is_one=one_file is not None)
    if one_file and len(found) > 1:
        raise click.UsageError("--gradescope and --prairielearn are for one submission")
    reports = _graded(found, rubric, unsafe, options)
    for name, write in (("gradescope", services.gradescope), ("prairielearn", services.prairielearn)):
        if options[name]:
            write_atomically(options[name], write(reports[0]))
    if options["out"]:
        _write_class(options["out"], reports)
    _show(reports, options["lang"])
    # PrairieLearn reads the file only where the exit code is 0.
    unusable = not one_file and any(report["state"] != "graded" for report in reports)
    raise click.exceptions.Exit(UNUSABLE if unusable else 0)


def _graded(found: "list[Submission]", rubric: "Rubric", unsafe: bool, options: dict[str, Any]) -> list[dict[str, Any]]:
    from rich.console import Console
    from rich.progress import Progress

    from pygpt.grading.batch import grade_all

    with Progress(console=Console(stderr=True), disable=len(found) == 1, transient=True) as bar:
        task = bar.add_task("grading", total=len(found))
        return grade_all(
            found,
            rubric,
            options["seed"],
            options["lang"],
            unsafe,
            options["jobs"],
            options["out"],
            lambda _report: bar.advance(task),
        )


def _write_class(out: Path, reports: list[dict[str, Any]]) -> None:
    from pygpt.files import write_atomically
    from pygpt.grading.reports.services import junit
    from pygpt.grading.reports.table import to_csv

    write_atomically(out / "class.csv", to_csv(reports))
    write_atomically(out / "class.xml", junit(reports))


def _show(reports: list[dict[str, Any]], lang: str) -> None:
    from pygpt.grading.reports.text import of_class, one

    for line in one(reports[0]) if len(reports) == 1 else of_class(reports, lang):
        click.echo(line)


def _explain(rubric: Path | None) -> None:
    from pygpt.grading.rubric import DEFAULT, read_rubric

    read = read_rubric(rubric)
    click.echo((rubric or DEFAULT).read_text(encoding="utf-8"), nl=False)
    click.echo(f"# {sum(read.points.values()):g} points in all; a file given as --rubric changes what it names.")


def _doctor() -> None:
    from pygpt.grading.isolation.doctor import findings

    found = findings()
    for good, line in found:
        click.echo(line if good else click.style(line, fg="red"))
    raise click.exceptions.Exit(0 if found[-1][0] else 1)


def _write_zip(path: Path, lang: str, rubric: Path | None) -> None:
    from pygpt.files import write_atomically
    from pygpt.grading.gradescope import autograder_zip
    from pygpt.grading.rubric import read_rubric

    read_rubric(rubric)
    write_atomically(path, autograder_zip(lang, rubric))
    click.echo(f"{path}: upload it as the autograder of a programming assignment")
