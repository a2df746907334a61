"""`parity`: pygpt against R."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from pygpt.commands.choice import Choice
from pygpt.commands.language import Command, Group, current, translated
from pygpt.commands.options import (
    given_settings,
    r_threads_option,
    settings_options,
    tell_note,
    threads_option,
    weights_option,
)
from pygpt.errors import PygptError
from pygpt.output.messages import render
from pygpt.settings import ModelName, ModelSettings, TrainingSettings, from_dict

if TYPE_CHECKING:
    from pygpt.parity.ladder import Task
    from pygpt.parity.modules.optimizers import Engine
    from pygpt.parity.report import Report

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

_SHAPE = tuple(f.name for f in dataclasses.fields(ModelSettings))
_TASK = ("padding_row", "lr", "max_norm", "seed", "r_threads")


def _report_options(command: Decorated) -> Decorated:
    """Add `--json FILE` and `--html FILE`, which arrive as json_file and html_file."""
    file = click.Path(dir_okay=False, path_type=Path)
    command = click.option("--html", "html_file", type=file, help="Write the report as one HTML page, too.")(command)
    return click.option("--json", "json_file", type=file, help="Write the report as JSON, too.")(command)


@click.group(cls=Group)
def parity() -> None:
    """Hold pygpt against what R computes."""


@parity.command(
    cls=Command,
    epilog="Examples: parity check parity_tests/recordings/tiny_gpt.safetensors; "
    "parity check net.safetensors --model port.py:build",
)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--model",
    "spec",
    metavar="FILE.py:FUNCTION",
    help="Your Python port of a module that record_module.R recorded: the function returns a torch.nn.Module. "
    "It is run in this process, as your own code.",
)
@click.option(
    "--weight-map",
    "map_file",
    type=click.Path(path_type=Path),
    help='JSON: R\'s parameters with the port\'s, where names and values do not tell, as {"fc.weight": "dense.T"}.',
)
@click.option(
    "--engine",
    type=Choice(["r", "plain"]),
    default="r",
    show_default=True,
    help="With --model: whose optimizers train. r: R's, bit for bit, slips included. plain: PyTorch's.",
)
@threads_option
@r_threads_option("as each recording says")
@_report_options
def check(
    files: tuple[Path, ...],
    spec: str | None,
    map_file: Path | None,
    engine: "Engine",
    threads: int | None,
    r_threads: int | None,
    json_file: Path | None,
    html_file: Path | None,
) -> None:
    """Repeat recordings of R and compare every quantity, in the order of computation.

    With --model a port of yours is held against a module's recording: its weights, each submodule, loss, gradients
    and training steps; where the two part first is named, with the cause, which is tried on the port.

    Exit code 0: all is within limits; 1: something is not; 2: a file could not be checked.
    """
    from pygpt.parity.check import check_recording
    from pygpt.parity.modules.check import check_module
    from pygpt.parity.modules.port import read_weight_map
    from pygpt.parity.modules.recording import is_module_recording

    if spec is None and (map_file or engine != "r"):
        raise PygptError("--weight-map and --engine go with --model, which names your port")
    weight_map = read_weight_map(map_file) if map_file else None

    reports, failed = [], {}
    for file in files:
        try:
            if spec is not None:
                reports.append(check_module(file, spec, weight_map, engine, r_threads))
            elif is_module_recording(file):
                raise PygptError("{path} is a recording of a module: name your port, --model port.py:build", path=file)
            else:
                reports.append(check_recording(file, threads, r_threads))
        except PygptError as error:
            failed[str(file)] = error
    _show(reports, json_file, html_file, failed)


@parity.command(
    cls=Command, epilog="Example: parity compare --source oracle --model gpt --n-embd 32 --html report.html"
)
@click.option(
    "--source",
    type=Choice(["oracle", "torch", "recorded"]),
    default="oracle",
    show_default=True,
    help="oracle: base R, live, double precision. torch: R torch, live. recorded: what R torch gave.",
)
@click.option(
    "--run", "folder", type=click.Path(path_type=Path), help="Take shape and weights from a run (oracle only)."
)
@weights_option
@settings_options(*_SHAPE, *_TASK)
@click.option("--batch", type=int, default=2, show_default=True, help="Windows in the batch.")
@click.option("--length", type=int, default=0, help="Characters in a window. [default: the whole block]")
@click.option("--steps", type=int, default=5, show_default=True, help="Training steps with dropout and clipping.")
@click.option("--tokens", type=int, default=10, show_default=True, help="Characters to generate.")
@_report_options
def compare(
    source: str,
    folder: Path | None,
    weights_file: Path | None,
    config: Path | None,
    json_file: Path | None,
    html_file: Path | None,
    batch: int,
    length: int,
    steps: int,
    tokens: int,
    **options: Any,
) -> None:
    """Compute every quantity with pygpt and with R, and name the first that differs.

    From ids and embedding over each block to logits, loss, gradients, an optimizer's step, training losses and
    generated ids. Exit code 0: all is within limits; 1: something is not; 2: it could not be compared.
    """
    from pygpt.parity import sources
    from pygpt.parity.oracle import oracle_session

    given = given_settings(config, options)
    if source == "oracle":
        task = _task(folder, weights_file, given, batch=batch, length=length, steps=steps, tokens=tokens)
        with oracle_session() as r:
            reports = [sources.compare_with_oracle(task, r)]
    else:
        if folder or weights_file or given.keys() - {"model", "r_threads"}:
            raise PygptError(
                "--source {source} compares at the recordings' own sizes and seeds: only --model can be chosen. "
                "Other settings, --run and --weights go with --source oracle.",
                source=source,
            )
        model: ModelName = given.get("model", "gpt")
        r_threads = TrainingSettings(r_threads=given.get("r_threads", 1)).r_threads
        by_source = {"torch": sources.compare_with_torch, "recorded": sources.compare_with_recorded}
        reports = by_source[source](model, r_threads)
    _show(reports, json_file, html_file)


@parity.command(cls=Command, epilog="Example: parity record --out recordings --corpus Shakespeare.txt")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("recordings"),
    show_default=True,
    help="Folder for the recordings.",
)
@click.option(
    "--corpus", type=click.Path(path_type=Path), help="Shakespeare.txt: record the whole exercises, too (hours)."
)
@r_threads_option()
def record(out: Path, corpus: Path | None, r_threads: int | None) -> None:
    """Make the recordings anew from R torch, which must be installed (see: parity doctor)."""
    from pygpt.parity import recorder

    recorder.record(out, corpus, r_threads=r_threads or 1)
    click.echo(f"The recordings are in {out}")


@parity.command(cls=Command, epilog="Example: parity quirks port.py:build")
@click.argument("module", metavar="MODULE.py|FILE")
@click.option("--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), help="Write JSON, too.")
def quirks(module: str, json_file: Path | None) -> None:
    """List what R torch does otherwise than PyTorch for the layers and functions that occur, each with its evidence.

    MODULE.py is read and not run; with MODULE.py:build its function build() is called for the layers, too.
    FILE is R code (model.R, read and not run) or a recording of R.
    """
    from pygpt.files import json_text, write_atomically
    from pygpt.parity.quirks.places import matches
    from pygpt.parity.quirks.report import as_json, as_text

    looked_at, concerned = matches(module)
    for line in as_text(looked_at, concerned):
        click.echo(line)
    if json_file:
        write_atomically(json_file, json_text(as_json(looked_at, concerned)))


@parity.command(cls=Command, epilog="Example: parity doctor --json")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def doctor(as_json: bool) -> None:
    """Say what is here of R, rpy2 and R's torch, what is missing, and the line that installs it.

    Exit code 0: pygpt can be held against live R (the oracle); 1: it cannot.
    """
    from pygpt.commands.terminal import echo_json
    from pygpt.parity.doctor import doctor_json, doctor_text, examine

    diagnosis = examine()
    if as_json:
        echo_json(doctor_json(diagnosis))
    else:
        for line, good in doctor_text(diagnosis):
            click.echo(line if good else click.style(line, fg="red"))
    raise click.exceptions.Exit(0 if diagnosis.sources["oracle"] else 1)


def _task(folder: Path | None, weights_file: Path | None, given: dict[str, Any], **numbers: Any) -> "Task":
    from pygpt.parity.ladder import Task

    for_task = {name: given[name] for name in _TASK if name in given}
    shape = {name: given[name] for name in _SHAPE if name in given}
    if folder and weights_file:
        raise PygptError("--run and --weights both bring weights: give one of them")
    if weights_file:
        if shape.keys() - {"n_head", "dropout"}:
            raise PygptError("--weights brings its own shape: of it, give --n-head and --dropout alone")
        task = Task.of_weights(weights_file, **shape, **for_task, **numbers)
        assert task.weights is not None
        tell_note(task.weights.note())
        return task
    if folder is None:
        return Task(from_dict(ModelSettings, shape), **for_task, **numbers)
    if shape:
        raise PygptError("--run brings its own shape: leave the model's settings out")
    return Task.of_run(folder, **for_task, **numbers)


def _show(
    reports: "list[Report]",
    json_file: Path | None,
    html_file: Path | None,
    failed: dict[str, PygptError] | None = None,
) -> None:
    """Print reports, write them where asked, and leave with 0 (all agree), 1 (not), or 2 (something failed).

    Args:
        failed: what could not be compared, and why.
    """
    from pygpt.files import json_text, write_atomically
    from pygpt.parity.html import report_html
    from pygpt.parity.report import report_json, report_text

    for report in reports:
        for line, good in report_text(report):
            click.echo(click.style(line, fg=_colour(line, good)))
    problems = failed or {}
    for error in problems.values():
        click.echo(f"{translated('Error')}: {render(error, current())}", err=True)
    if json_file:
        checks = [report_json(report) for report in reports]
        checks += [{"file": name, "agrees": None, "error": str(error)} for name, error in problems.items()]
        write_atomically(json_file, json_text({"format": 1, "checks": checks}))
    if html_file:
        write_atomically(html_file, report_html(reports))
    agrees = all(report.comparison.agrees for report in reports)
    raise click.exceptions.Exit(2 if problems else int(not agrees))


def _colour(line: str, good: bool) -> str | None:
    if not good:
        return "red"
    return "green" if line.startswith("  all ") else None
