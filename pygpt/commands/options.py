"""Command line options made from the settings' fields, so that each setting is described once."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from pygpt.commands.choice import Choice
from pygpt.settings import MOST_THREADS, Kind, ModelSettings, TrainingSettings, kinds, read_toml

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


def _option(f: dataclasses.Field[Any], kind: Kind) -> Callable[[Command], Command]:
    flag, words = "--" + f.name.replace("_", "-"), f.metadata["help"]
    if f.default is not None and kind.type is not bool:
        words += f" [default: {f.default}]"
    if kind.type is bool:
        return click.option(f"{flag}/--no-{f.name}", f.name, default=None, help=words)
    allowed: Any = Choice(kind.choices, case_sensitive=False) if kind.choices else kind.type
    return click.option(flag, f.name, type=allowed, help=words)
