"""`exercise`: a teacher's own exercise, from its file to what students' results are held against."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pygpt.commands.choice import Choice
from pygpt.commands.language import Command, Group, lang_option
from pygpt.commands.options import settings_options
from pygpt.commands.train import INTERRUPTED
from pygpt.errors import PygptError
from pygpt.output.messages import tell

if TYPE_CHECKING:
    from pygpt.exercises.exercise import Sheet

_FILE = click.Path(dir_okay=False, path_type=Path)
_OF_AN_EXERCISE = ("model", "block_size", "n_embd", "n_layer", "n_head", "dropout", "train_share", "batch_size", "lr",
                   "max_norm", "epochs", "seed", "r_threads")  # fmt: skip


@click.group(cls=Group, epilog="Example: exercise new sheet4 --corpus novel.txt --epochs 5")
def exercise() -> None:
    """Write an exercise of your own, and compute what R gives for it.

    `validate` and `grade` take it with --exercise.
    """


@exercise.command(cls=Command, epilog="Example: exercise new sheet4 --corpus novel.txt --epochs 5 --compare")
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option("--corpus", default="sample", show_default=True, help="sample, shakespeare, or the path of a UTF-8 text.")
@click.option("--share", type=float, default=1.0, show_default=True, help="Share of it that is used, from its start.")
@click.option(
    "--vocabulary", type=Choice(("icu", "c")), default="icu", show_default=True, help="How R sorts the characters."
)
@settings_options(*_OF_AN_EXERCISE)
@click.option("--title", help="What reports call it. [default: the folder's name]")
@click.option("--prompt", help="What a trained model's text begins with. [default: the text's beginning]")
@click.option("--compare", is_flag=True, help="Write a second file, with the other model: what attention buys is said.")
@lang_option
def new(
    folder: Path,
    config: Path | None,
    title: str | None,
    prompt: str | None,
    compare: bool,
    lang: str,
    **options: Any,
) -> None:
    """Write DIR/exercise.toml, with every key explained, and put the text beside it."""
    from pygpt.commands.options import given_settings
    from pygpt.exercises.begin import begin

    for path in begin(folder, given_settings(config, options), title, prompt, compare, lang):
        click.echo(tell(lang, "wrote {path}", path=path))
    click.echo(tell(lang, "Then: exercise check {path}, and exercise prepare {path}", path=folder / "exercise.toml"))


@exercise.command(cls=Command, epilog="Example: exercise check sheet4/exercise.toml")
@click.argument("file", type=_FILE)
@lang_option
def check(file: Path, lang: str) -> None:
    """Say what is wrong with an exercise's file, line by line, or how much work preparing it is.

    Exit code 0: it is right; 2: it is not.
    """
    from pygpt.exercises.opening import files
    from pygpt.exercises.preparation import check_prompt
    from pygpt.exercises.text import read_text, vocabulary_of, windows
    from pygpt.grading.rubric import exercise_rubric
    from pygpt.training import epoch_windows

    both = files(file)
    exercise_rubric(both)
    for one in both.values():
        text = read_text(one)
        check_prompt(one, text)
        vocabulary = vocabulary_of(one, text)
        train, valid = windows(one, text, vocabulary)
        steps = one.training.epochs * -(-epoch_windows(len(train), one.training) // one.training.batch_size)
        click.echo(
            tell(
                lang,
                "{path} is right: {model}, vocabulary of {rows} (PAD included), {train:,} windows to train on, "
                "{valid:,} to validate, {steps:,} steps in {epochs} epochs",
                path=one.path, model=one.model.model, rows=len(vocabulary), train=len(train), valid=len(valid),
                steps=steps, epochs=one.training.epochs,
            )
        )  # fmt: skip


@exercise.command(cls=Command, epilog="Example: exercise prepare sheet4/exercise.toml --out sheet4.zip")
@click.argument("file", type=_FILE)
@click.option("--out", type=click.Path(path_type=Path), help="Folder, or a .zip. [default: FILE's name and _prepared]")
@click.option("--seeds", type=int, default=5, show_default=True, help="Seeds from which the spread is measured.")
@click.option("--with-r", is_flag=True, help="Have R torch train the same, and demand that no bit differs.")
@lang_option
def prepare(file: Path, out: Path | None, seeds: int, with_r: bool, lang: str) -> None:
    """Compute what R gives for an exercise, how far seeds spread, and what likely mistakes give.

    The result is all that --exercise needs: students need neither R nor this work. Ctrl-C saves; the same command goes
    on from there.
    """
    from pygpt.exercises import prepare as preparing
    from pygpt.exercises.opening import default_out, files
    from pygpt.exercises.preparation import Preparation
    from pygpt.exercises.watching import watch
    from pygpt.memory import keep_freed_memory

    if file.suffix.lower() != ".toml":
        raise PygptError("{path} is not an exercise's file (.toml): that is what is prepared", path=file)
    keep_freed_memory()
    out = out or default_out(file)
    work = file.with_name(f"{file.stem}_work")
    preparations = [Preparation(one, work, seeds) for one in files(file).values()]
    if with_r:
        from pygpt.exercises.with_r import check_known, compare_with_r

        for preparation in preparations:
            check_known(preparation.file)
    if not watch([(one, part) for one in preparations for part in one.parts], lang):
        click.echo(tell(lang, "Stopped; everything is saved. The same command goes on from there."))
        raise click.exceptions.Exit(INTERRUPTED)
    if with_r:
        for preparation in preparations:
            click.echo(tell(lang, "R trains {path} …", path=preparation.file.path), err=True)
            compare_with_r(preparation)
            click.echo(tell(lang, "{path}: R gives the same, bit for bit", path=preparation.file.path))
    preparing.write(preparing.bundle(preparations, by_r=with_r), out)
    click.echo(tell(lang, "wrote {path}", path=out))
    click.echo(tell(lang, "The trainings are kept in {path}; it may be deleted.", path=work))


# None stands for the course's own.
exercise_option = click.option(
    "--exercise",
    "exercise_file",
    type=click.Path(path_type=Path),
    help="Of this exercise: its file, or what `exercise prepare` made of it. [default: the course's own]",
)


def sheet_of(path: Path | None) -> "Sheet | None":
    """The exercises that `--exercise` names, with their truth; None for the course's own.

    Raises:
        PygptError: they cannot be read or are not prepared.
    """
    if path is None:
        return None
    from pygpt.exercises.opening import opened

    if not path.exists():
        raise PygptError("cannot read {path}: {why}", path=path, why="No such file or directory")
    return opened(path)
