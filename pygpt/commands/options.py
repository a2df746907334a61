"""Command line options made from the settings' fields, so that each setting is described once."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from pygpt.commands.choice import Choice
from pygpt.commands.language import current
from pygpt.errors import PygptError
from pygpt.kinds import Kind, kinds
from pygpt.output.messages import Message
from pygpt.settings import MOST_THREADS, ModelSettings, TrainingSettings, read_toml

if TYPE_CHECKING:
    from pygpt.api import Trained

Command = TypeVar("Command", bound=Callable[..., Any])


def settings_options(*names: str) -> Callable[[Command], Command]:
    """Add `--config` and an option for each setting named; one that is not given arrives as None."""
    fields = {f.name: f for f in (*dataclasses.fields(ModelSettings), *dataclasses.fields(TrainingSettings))}
    kind_of = kinds(ModelSettings) | kinds(TrainingSettings)

    def decorate(command: Command) -> Command:
        for name in reversed(names):
            command = _option(fields[name], kind_of[name])(command)
        return click.option(
            "--config",
            type=click.Path(dir_okay=False, path_type=Path),
            help="TOML file with settings as keys (n_embd = 128); an option wins over it.",
        )(command)

    return decorate


def threads_option(command: Command) -> Command:
    """Add `--threads`; without it None arrives."""
    return click.option(
        "--threads",
        type=click.IntRange(1, MOST_THREADS),
        help="Threads to compute a training on; they change no bit. [default: all cores]",
    )(command)


def r_threads_option(default: str = "1") -> Callable[[Command], Command]:
    """Add `--r-threads`; without it None arrives, which stands for `default`."""
    words = f"How many threads R's torch had. [default: {default}]"
    return click.option("--r-threads", type=click.IntRange(1, MOST_THREADS), help=words)


def given_settings(config: Path | None, options: dict[str, Any]) -> dict[str, Any]:
    """What the user set, by file and by option; nothing that was left at its default."""
    values = read_toml(config) if config else {}
    return values | {name: value for name, value in options.items() if value is not None}


weights_option = click.option(
    "--weights",
    "--r",
    "weights_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Weights alone, as R wrote them (torch_save, luz_save, safe_save_file, saveRDS of arrays), or safetensors.",
)
heads_option = click.option(
    "--n-head", type=click.IntRange(1), help="With --weights: attention heads. [default: what the file says, else 2]"
)


def trained_options(command: Command) -> Command:
    """Add `--run` and `--weights`, of which one is given, and what goes with weights; `trained` opens it."""
    command = heads_option(command)
    command = click.option(
        "--vocabulary",
        help="With --weights: a vocabulary.json, R's vocab by saveRDS, or the text that the model was trained on.",
    )(command)
    command = weights_option(command)
    return click.option("--run", "folder", type=click.Path(path_type=Path), help="Folder of the run.")(command)


def trained(folder: Path | None, weights_file: Path | None, vocabulary: str | None, n_head: int | None) -> "Trained":
    """The model that the options name; what was changed in a file of weights is printed.

    Raises:
        PygptError: neither a run nor weights, or both; or they cannot be read.
    """
    from pygpt import api

    if (folder is None) == (weights_file is None):
        raise PygptError("give --run FOLDER, or --weights FILE: one of the two")
    if folder is not None:
        if vocabulary is not None or n_head is not None:
            raise PygptError("--vocabulary and --n-head go with --weights: a run has its own")
        return api.load(folder)
    assert weights_file is not None
    opened = api.load_weights(weights_file, vocabulary, n_head)
    tell_note(opened.weights.note())
    return opened


def tell_note(note: Message | None) -> None:
    """Print what a user should know of what was read, beside the results."""
    if note is not None:
        click.echo(note.render(current()), err=True)


def _option(f: dataclasses.Field[Any], kind: Kind) -> Callable[[Command], Command]:
    flag, words = "--" + f.name.replace("_", "-"), f.metadata["help"]
    if f.default is not None and kind.type is not bool:
        words += f" [default: {f.default}]"
    if kind.type is bool:
        return click.option(f"{flag}/--no-{f.name}", f.name, default=None, help=words)
    allowed: Any = Choice(kind.choices, case_sensitive=False) if kind.choices else kind.type
    return click.option(flag, f.name, type=allowed, help=words)
