"""`validate`: are these the results that the course's code gives?"""

import json
import os
import shutil
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pygpt.errors import PygptError
from pygpt.settings import MODELS, ModelName

if TYPE_CHECKING:
    from pygpt.corpus import Corpus
    from pygpt.validation.attempt import Attempt
    from pygpt.validation.report import Report
    from pygpt.validation.wording import Table

INTERRUPTED = 130
_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command(
    epilog="Example: validate --quick; or of a run, as a page: validate --run runs/gpt --html report.html --lang pt"
)
@click.option(
    "--run",
    "runs",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Folder of a finished run on the course's text; once for each model.",
)
@click.option(
    "--r-history",
    type=_FILE,
    help="CSV of a luz history, as write.csv or write.csv2 give it: epoch, train, valid (or the course's names, or "
    "luz's long form). Needs --model.",
)
@click.option("--r-weights", type=_FILE, help="Weights trained in R (safetensors with R's keys), evaluated here.")
@click.option("--recorded", is_flag=True, help="Validate nothing: the course's results beside R's recording.")
@click.option("--quick", is_flag=True, help="Train the first 200 steps and hold them against R's (about a minute).")
@click.option(
    "--model", type=click.Choice(MODELS), help="Exercise 2 (gpt) or 3 (gpt_noattn). [default when training: both]"
)
@click.option(
    "--out",
    default=Path("runs/validate"),
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the whole training, which goes on from where it was stopped.",
)
@click.option("--figure", "figures", multiple=True, type=_FILE, help="Write the figure there (.png or .svg).")
@click.option("--html", "html_file", type=_FILE, help="Write the report there, as one self-contained page.")
@click.option("--json", "json_file", type=_FILE, help="Write the report there, for programs.")
@click.option(
    "--lang", type=click.Choice(["en", "pt"]), default="en", show_default=True, help="Language of the report."
)
@click.pass_context
def validate(
    ctx: click.Context,
    runs: tuple[Path, ...],
    r_history: Path | None,
    r_weights: Path | None,
    recorded: bool,
    quick: bool,
    model: ModelName | None,
    out: Path,
    figures: tuple[Path, ...],
    html_file: Path | None,
    json_file: Path | None,
    lang: str,
) -> None:
    """Hold a result of exercises 2 and 3 against what the course published and what R gave (seed 42).

    Without --run, --r-history, --r-weights or --recorded it trains: --quick 200 steps, else the three epochs of both
    models, resumable. Losses are in nats per character.

    Exit code 0: the verdict is good; 1: it is not; 2: it could not be reached.
    """
    given = [name for name, value in
             (("--run", runs), ("--r-history", r_history), ("--r-weights", r_weights), ("--recorded", recorded),
              ("--quick", quick)) if value]  # fmt: skip
    if len(given) > 1:
        raise PygptError(f"{' and '.join(given)} do not go together: give one")
    if r_history and not model:
        raise PygptError("--r-history needs --model gpt (exercise 2) or --model gpt_noattn (exercise 3)")

    import torch

    from pygpt.corpus import read_corpus
    from pygpt.files import write_atomically
    from pygpt.memory import keep_freed_memory
    from pygpt.validation import figure, gather, html, report

    keep_freed_memory()
    for path in figures:
        figure.check_kind(path)
    corpus = read_corpus("shakespeare") if quick or r_weights or not given else None
    torch.set_num_threads(1)
    same = gather.same_kernels()
    attempts: list[Attempt]
    if runs or not given:
        folders = runs or _trained(ctx, out, [model] if model else list(MODELS))
        attempts = [gather.from_run(folder, same) for folder in folders]
    elif r_history and model:
        attempts = [gather.from_history(r_history, model)]
    elif r_weights and corpus:
        attempts = [gather.from_weights(r_weights, corpus)]
    elif quick and corpus:
        attempts = [_quick(name, corpus, same) for name in ([model] if model else MODELS)]
    else:
        attempts = []
    _check_models(attempts, model)
    corpus = corpus or _corpus_if_there(lang)

    shown = [attempt.model for attempt in attempts] or ([model] if model else MODELS)
    found = report.build(attempts, shown, corpus, same)
    _show(found, lang)
    for path in figures:
        figure.write(found, path, lang)
    if html_file:
        write_atomically(html_file, html.page(found, lang))
    if json_file:
        write_atomically(json_file, json.dumps(report.to_json(found), ensure_ascii=False, indent=1) + "\n")
    for written in (*figures, html_file, json_file):
        if written:
            click.echo(f"wrote {written}")
    raise click.exceptions.Exit(1 if found.good is False else 0)


def _corpus_if_there(lang: str) -> "Corpus | None":
    """The course's text; where it is not at hand, that is said and goes without."""
    from pygpt.corpus import read_corpus
    from pygpt.validation.words import say

    try:
        return read_corpus("shakespeare")
    except PygptError as error:
        # A text that the user points at and that is not the course's is a mistake to speak of.
        if os.environ.get("PYGPT_CORPUS"):
            raise
        click.echo(say(lang, "no_corpus", why=error), err=True)
        return None


def _trained(ctx: click.Context, out: Path, models: list[str]) -> list[Path]:
    """Train what is not trained yet, as the recording was; `train` stops cleanly at Ctrl-C and goes on later."""
    from pygpt.checkpoints import SETTINGS
    from pygpt.commands.train import train

    folders = [out / name for name in models]
    for name, folder in zip(models, folders, strict=True):
        ctx.invoke(train, config=None, out=folder, resume=(folder / SETTINGS).exists(), model=name,
                   corpus="shakespeare", seed=42, engine="r", epochs=3)  # fmt: skip
    return folders


def _quick(model: ModelName, corpus: "Corpus", same: bool) -> "Attempt":
    from pygpt.validation import gather

    try:
        with click.progressbar(length=gather.QUICK_STEPS, label=f"{model}, {gather.QUICK_STEPS} steps") as bar:
            return gather.first_steps(model, corpus, same, on_step=lambda: bar.update(1))
    except KeyboardInterrupt:
        raise click.exceptions.Exit(INTERRUPTED) from None


def _check_models(attempts: "list[Attempt]", model: ModelName | None) -> None:
    for attempt in attempts:
        if model and attempt.model != model:
            raise PygptError(f"{attempt.name} is a {attempt.model} model, but --model says {model}")
    if len({attempt.model for attempt in attempts}) < len(attempts):
        raise PygptError(f"two runs of {attempts[0].model}: give --run once for each model")


def _show(found: "Report", lang: str) -> None:
    from pygpt.validation import wording
    from pygpt.validation.words import say

    for section in found.sections:
        click.echo(click.style(wording.heading(section, lang), bold=True) + "\n")
        _print_table(wording.loss_table(section, lang))
        _paragraph(say(lang, "precision"))
        for line in wording.published_lines(section, lang):
            _paragraph(line)
        for line, good in wording.verdict_lines(section, lang):
            _paragraph(line, good)
        click.echo()
    for line, good in wording.claim_lines(found, lang):
        _paragraph(line, good)
    table = wording.text_table(found, lang)
    if table[1]:
        click.echo("\n" + click.style(say(lang, "texts"), bold=True) + "\n")
        _print_table(table)
        _paragraph(say(lang, "texts_note"))


def _print_table(table: "Table") -> None:
    header, rows = table
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    for row in [header, *rows]:
        cells = [
            c.ljust(w) if i < 2 and c[:1].isalpha() else c.rjust(w)
            for i, (c, w) in enumerate(zip(row, widths, strict=True))
        ]
        click.echo("  " + "  ".join(cells).rstrip())


def _paragraph(text: str, good: bool = True) -> None:
    # Not narrower than a short sentence; a pipe has no width.
    width = max(60, min(shutil.get_terminal_size((120, 24)).columns, 120))
    click.echo(click.style(textwrap.fill(text, width, subsequent_indent="  "), fg=None if good else "red"))
