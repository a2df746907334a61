"""`validate`: are these the results that the course's code gives?"""

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pygpt.commands.choice import Choice
from pygpt.commands.exercise import exercise_option, sheet_of
from pygpt.commands.language import Command, Group, current, lang_option
from pygpt.commands.options import r_threads_option, threads_option
from pygpt.commands.terminal import paragraph, table
from pygpt.commands.train import INTERRUPTED
from pygpt.errors import PygptError
from pygpt.output.messages import tell
from pygpt.settings import MODELS, ModelName

if TYPE_CHECKING:
    from pygpt.exercises.exercise import Sheet
    from pygpt.validation.report import Report

_FILE = click.Path(dir_okay=False, path_type=Path)
_FOLDER = click.Path(file_okay=False, path_type=Path)
_OPTIONS = (
    click.option(
        "--figure",
        "figures",
        multiple=True,
        type=_FILE,
        help="Write the figure to this file (.png or .svg); may be given more than once.",
    ),
    click.option("--html", "html_file", type=_FILE, help="Write the report to this file, as one self-contained page."),
    click.option("--json", "json_file", type=_FILE, help="Write the report to this file, for programs."),
    lang_option,
)
_seed_option = click.option(
    "--seed",
    type=click.IntRange(0, 2**63 - 1),
    help="The seed that was set in R just before luz::fit: train that very run here (kept in runs/validate), and say "
    "whether it is the same.",
)
_one_model = click.option("--model", type=Choice(MODELS), help="Only exercise 2 (gpt) or 3 (gpt_noattn).")


def _reports(command: "Callable[..., Report]") -> Callable[..., None]:
    """Print the report that `command` makes, write it where --figure, --html and --json say; its exit code."""

    @functools.wraps(command)
    def reporting(
        figures: tuple[Path, ...], html_file: Path | None, json_file: Path | None, lang: str, **own: Any
    ) -> None:
        from pygpt.files import json_text, write_atomically
        from pygpt.memory import keep_freed_memory
        from pygpt.output.saving import check_kind

        for path in figures:
            check_kind(path)
        keep_freed_memory()
        try:
            report = command(**own)
        except KeyboardInterrupt as stopped:
            click.echo(str(stopped))
            raise click.exceptions.Exit(INTERRUPTED) from None

        from pygpt.validation import figure, page
        from pygpt.validation.report import to_json

        _print(report, lang)
        for path in figures:
            figure.write(report, path, lang)
        if html_file:
            write_atomically(html_file, page.page(report, lang))
        if json_file:
            write_atomically(json_file, json_text(to_json(report)))
        for written in (*figures, html_file, json_file):
            if written:
                click.echo(tell(lang, "wrote {path}", path=written))
        if report.good is False:
            raise click.exceptions.Exit(1)

    for option in reversed(_OPTIONS):
        reporting = option(reporting)
    return reporting


class _Validate(Group):
    """`validate --r FILE` is `validate r FILE`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        given = next((i for i, arg in enumerate(args) if arg == "--r" or arg.startswith("--r=")), None)
        if given is not None and args[0].startswith("-"):
            file = [args[given].removeprefix("--r=")] if "=" in args[given] else args[given + 1 : given + 2]
            args = ["r", *file, *args[:given], *args[given + (1 if "=" in args[given] else 2) :]]
        return super().parse_args(ctx, args)


@click.group(
    cls=_Validate,
    epilog="Example: validate train --quick; or what R wrote: validate --r fitted.rds --html report.html --lang pt",
)
def validate() -> None:
    """Hold a result of exercises 2 and 3 against what the course published and what R gave (seed 42).

    Losses are in nats per character. Exit code 0: the verdict is good; 1: it is not; 2: it could not be reached.
    """


@validate.command(cls=Command, epilog="Example: validate run runs/gpt runs/gpt_noattn --html report.html")
@click.argument("folders", metavar="FOLDER...", nargs=-1, required=True, type=click.Path(path_type=Path))
@exercise_option
@_seed_option
@r_threads_option()
@_reports
def run(folders: tuple[Path, ...], exercise_file: Path | None, seed: int | None, r_threads: int | None) -> "Report":
    """Judge runs, as far as they went. Each FOLDER is what `train` made on the course's text; one for each model."""
    from pygpt.validation import workflow

    _check_threads(seed, r_threads)
    return workflow.of_runs(folders, sheet_of(exercise_file), seed, r_threads)


@validate.command(cls=Command, epilog="Example: validate history history.csv --model gpt")
@click.argument("file", type=_FILE)
@click.option("--model", type=Choice(MODELS), help="Exercise 2 (gpt) or 3 (gpt_noattn); --exercise says it itself.")
@exercise_option
@_seed_option
@r_threads_option()
@_reports
def history(
    file: Path, model: ModelName | None, exercise_file: Path | None, seed: int | None, r_threads: int | None
) -> "Report":
    """Judge the losses that luz reported. FILE is a table, as R or Excel wrote it, or R's own: an RDS, a workspace.

    Its columns are epoch, train, valid; or the course's Epoca, Loss_Treino, Loss_Valid; or luz's own set, metric,
    epoch, value. Comma, semicolon, tab or blanks, either decimal mark, UTF-8 or UTF-16 are told by themselves; JSON,
    dput and what luz prints as it trains are read, too. As many of the course's epochs are judged as there are.
    """
    from pygpt.validation import workflow

    if model is None and exercise_file is None:
        raise PygptError(
            "{path} does not say whose it is: give --model gpt (exercise 2) or --model gpt_noattn (exercise 3), or "
            "--exercise FILE",
            path=file,
        )
    _check_threads(seed, r_threads)
    return workflow.of_history(file, model, sheet_of(exercise_file), seed, r_threads)


@validate.command(cls=Command, epilog="Example: validate weights weights.safetensors")
@click.argument("file", type=_FILE)
@exercise_option
@_seed_option
@r_threads_option()
@_reports
def weights(file: Path, exercise_file: Path | None, seed: int | None, r_threads: int | None) -> "Report":
    """Judge weights that were trained in R. FILE is R's own (torch_save, luz_save, saveRDS, …) or safetensors.

    They are evaluated here on the course's validation text, as luz does it.
    """
    from pygpt.validation import workflow

    return workflow.of_weights(file, r_threads or 1, sheet_of(exercise_file), seed)


@validate.command(cls=Command, epilog="Example: validate r fitted.rds; or validate --r history.rds --model gpt")
@click.argument("file", type=_FILE)
@click.option("--model", type=Choice(MODELS), help="Of a history: exercise 2 (gpt) or 3 (gpt_noattn).")
@exercise_option
@_seed_option
@r_threads_option()
@_reports
def r(
    file: Path, model: ModelName | None, exercise_file: Path | None, seed: int | None, r_threads: int | None
) -> "Report":
    """Judge whatever R wrote: losses, weights, or both. What FILE is, it says itself; --r FILE is the same.

    R's torch_save, luz_save, safe_save_file, saveRDS and save, luz's checkpoints, and tables of losses are read without
    R, and nothing in them is run.
    """
    from pygpt.validation import workflow

    return workflow.of_r_file(file, model, r_threads, sheet_of(exercise_file), seed)


@validate.command(cls=Command, epilog="Example: validate train --quick --model gpt")
@_one_model
@exercise_option
@click.option("--quick", is_flag=True, help="Train only the first 200 steps (about a minute); nothing is kept.")
@click.option("--out", type=_FOLDER, help="Folder of the whole training. [default: runs/validate]")
@threads_option
@r_threads_option()
@_reports
def train(
    model: ModelName | None,
    exercise_file: Path | None,
    quick: bool,
    out: Path | None,
    threads: int | None,
    r_threads: int | None,
) -> "Report":
    """Train here as R was recorded, and judge the result.

    Both models are trained whole, three epochs each. Ctrl-C saves; the same command goes on from there.
    """
    if quick and out:
        raise PygptError("--quick keeps nothing, so it does not go with --out: leave one of them out")

    from pygpt.validation import gather, workflow

    sheet = sheet_of(exercise_file)
    models = _chosen(model, sheet)
    if not quick:
        place = out or Path("runs/validate") / (next(iter(sheet.values())).file.name if sheet else "")
        return workflow.of_training(models, place, threads, r_threads, sheet)
    with click.progressbar(length=gather.QUICK_STEPS * len(models), label=tell(current(), "steps")) as bar:
        return workflow.of_first_steps(models, lambda: bar.update(1), threads, r_threads, sheet)


@validate.command(cls=Command, epilog="Example: validate recorded --figure recorded.png")
@_one_model
@exercise_option
@_reports
def recorded(model: ModelName | None, exercise_file: Path | None) -> "Report":
    """Show the course's results beside R's recording; nothing of yours is judged."""
    from pygpt.validation import workflow

    sheet = sheet_of(exercise_file)
    return workflow.of_recording(_chosen(model, sheet), sheet)


def _check_threads(seed: int | None, r_threads: int | None) -> None:
    if seed is None and r_threads is not None:
        raise PygptError("--r-threads goes with --seed: it says on how many threads that run was made")


def _chosen(model: ModelName | None, sheet: "Sheet | None") -> Sequence[ModelName]:
    if model and sheet and model not in sheet:
        raise PygptError(
            "{what} is a {model} model; the exercise {exercise} trains {due}",
            what="--model", model=model, exercise=next(iter(sheet.values())).file.path, due=", ".join(sheet),
        )  # fmt: skip
    return [model] if model else list(sheet or MODELS)


def _print(report: "Report", lang: str) -> None:
    from pygpt.validation.bought import bought_lines
    from pygpt.validation.claims import claim_lines
    from pygpt.validation.published import published_lines
    from pygpt.validation.sentences import (
        heading,
        precision,
        texts_note,
        verdict_lines,
        without_corpus,
    )
    from pygpt.validation.tables import loss_table, text_table

    missing = without_corpus(report, lang)
    if missing:
        click.echo(missing, err=True)
    for section in report.sections:
        if section.attempt and section.attempt.note:
            click.echo(section.attempt.note.render(lang), err=True)
        click.echo(click.style(heading(section, lang), bold=True) + "\n")
        table(*loss_table(section, lang), left=(1,))
        for text in (precision(section.exercise, lang), *published_lines(section, lang)):
            paragraph(text)
        for line in verdict_lines(section, lang):
            paragraph(line.text, line.good is not False)
        click.echo()
    for line in (*claim_lines(report, lang), *bought_lines(report, lang)):
        paragraph(line.text, line.good is not False)
    texts = text_table(report, lang)
    if texts.rows:
        click.echo("\n" + click.style(tell(lang, "Texts"), bold=True) + "\n")
        table(*texts)
        paragraph(texts_note(report, lang))
