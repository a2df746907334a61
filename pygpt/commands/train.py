"""`train`: train a model on a text and keep the run in a folder."""

from pathlib import Path
from typing import Any

import click

from pygpt.commands.language import Command
from pygpt.commands.options import given_settings, settings_options
from pygpt.settings import setting_names

INTERRUPTED = 130


@click.command(cls=Command, epilog="Example: train --model gpt --corpus sample --epochs 1 --seed 42 --out runs/first")
@settings_options(*setting_names())
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), help="Folder of the run. [default: runs/MODEL]"
)
@click.option("--resume", is_flag=True, help="Go on with the run in --out, exactly as if it had never stopped.")
def train(config: Path | None, out: Path | None, resume: bool, **options: Any) -> None:
    """Train a model on a text, as exercises 2 and 3 do in R.

    The defaults are the course's. The same seed gives R's losses and weights, bit for bit (engine r).
    Lengths are in characters, losses in nats per character.

    Several processes share every batch when torchrun starts them:
    torchrun --nproc-per-node 2 -m pygpt train --out runs/two
    """
    given = given_settings(config, options)

    from pygpt import api, progress
    from pygpt.memory import keep_freed_memory

    keep_freed_memory()
    try:
        api.train(out, resume=resume, **given)
    except progress.StoppedError as stopped:
        if str(stopped):
            click.echo(str(stopped))
        raise click.exceptions.Exit(INTERRUPTED) from None
