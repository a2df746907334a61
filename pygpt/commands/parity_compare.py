"""`parity compare`: the port against R, rung by rung of the ladder."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pygpt.commands.options import settings_options
from pygpt.commands.parity_output import report_options, show
from pygpt.errors import PygptError
from pygpt.settings import ModelName, ModelSettings, from_dict

if TYPE_CHECKING:
    from pygpt.parity.ladder import Task

_SHAPE = tuple(f.name for f in dataclasses.fields(ModelSettings))
_TASK = ("padding_row", "lr", "max_norm", "seed")


@click.command(epilog="Example: parity compare --source oracle --model gpt --n-embd 32 --html report.html")
@click.option(
    "--source",
    type=click.Choice(["oracle", "torch", "recorded"]),
    default="oracle",
    show_default=True,
    help="oracle: base R, live, double precision. torch: R torch, live. recorded: what R torch gave.",
)
@click.option(
    "--run", "folder", type=click.Path(path_type=Path), help="Take shape and weights from a run (oracle only)."
)
@settings_options(*_SHAPE, *_TASK)
@click.option("--batch", type=int, default=2, show_default=True, help="Windows in the batch.")
@click.option("--length", type=int, default=0, help="Characters in a window. [default: the whole block]")
@click.option("--steps", type=int, default=5, show_default=True, help="Training steps with dropout and clipping.")
@click.option("--tokens", type=int, default=10, show_default=True, help="Characters to generate.")
@report_options
def compare(
    source: str,
    folder: Path | None,
    config: Path | None,
    json_file: Path | None,
    html_file: Path | None,
    **options: Any,
) -> None:
    """Compute every quantity with the port and with R, and name the first that differs.

    From ids and embedding over each block to logits, loss, gradients, an optimizer's step, training losses and
    generated ids. Exit code 0: all is within limits; 1: something is not; 2: it could not be compared.
    """
    from pygpt.commands.options import given_settings
    from pygpt.parity import sources
    from pygpt.parity.oracle import oracle_session

    ladder_options = {name: options.pop(name) for name in ("batch", "length", "steps", "tokens")}
    given = given_settings(config, options)
    if source == "oracle":
        with oracle_session() as r:
            reports = [sources.compare_with_oracle(_task(folder, given, ladder_options), r)]
    else:
        if folder or given.keys() - {"model"}:
            raise PygptError(
                f"--source {source} compares at the recordings' own sizes and seeds: only --model can be chosen. "
                "Other settings and --run go with --source oracle."
            )
        model: ModelName = given.get("model", "gpt")
        reports = sources.compare_with_torch(model) if source == "torch" else sources.compare_with_recorded(model)
    show(reports, json_file, html_file)


def _task(folder: Path | None, given: dict[str, Any], ladder_options: dict[str, int]) -> "Task":
    from pygpt.checkpoints import load_model, open_run
    from pygpt.parity.ladder import Task

    for name, value in ladder_options.items():
        if value < (0 if name == "length" else 1):
            raise PygptError(f"{name} = {value} is not allowed: it must be a whole number from 1")
    for_task = {name: given[name] for name in _TASK if name in given} | ladder_options
    if folder is None:
        settings = from_dict(ModelSettings, {name: given[name] for name in _SHAPE if name in given})
        return Task(settings, **for_task)
    if given.keys() & set(_SHAPE):
        raise PygptError("--run brings its own shape: leave the model's settings out")
    run = open_run(folder)
    weights = {name: value.double() for name, value in load_model(run).state_dict().items()}
    return Task(run.model, **{"padding_row": run.training.padding_row, **for_task}, run_weights=weights)
