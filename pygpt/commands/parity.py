"""`parity`: the port against R."""

import json
from pathlib import Path

import click

from pygpt.commands.parity_compare import compare
from pygpt.commands.parity_output import report_options, show
from pygpt.errors import PygptError


@click.group()
def parity() -> None:
    """Hold the port against what R computes."""


parity.add_command(compare)


@parity.command(epilog="Example: parity check parity_tests/recordings/tiny_gpt.safetensors")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@report_options
def check(files: tuple[Path, ...], json_file: Path | None, html_file: Path | None) -> None:
    """Repeat recordings of R and compare every quantity, in the order of computation.

    Exit code 0: all is within limits; 1: something is not; 2: a file could not be checked.
    """
    from pygpt.parity.check import check_recording

    reports, failed = [], {}
    for file in files:
        try:
            reports.append(check_recording(file))
        except PygptError as error:
            failed[str(file)] = str(error)
    show(reports, json_file, html_file, failed)


@parity.command(epilog="Example: parity record --out recordings --corpus Shakespeare.txt")
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
def record(out: Path, corpus: Path | None) -> None:
    """Make the recordings anew from R torch, which must be installed (see: parity doctor)."""
    from pygpt.parity import recorder

    recorder.record(out, corpus)
    click.echo(f"The recordings are in {out}")


@parity.command(epilog="Example: parity doctor --json")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def doctor(as_json: bool) -> None:
    """Say what is here of R, rpy2 and R's torch, what is missing, and the line that installs it.

    Exit code 0: the port can be held against live R (the oracle); 1: it cannot.
    """
    from pygpt.parity.doctor import doctor_json, doctor_text, examine

    diagnosis = examine()
    if as_json:
        click.echo(json.dumps(doctor_json(diagnosis), ensure_ascii=False, indent=1))
    else:
        for line, good in doctor_text(diagnosis):
            click.echo(line if good else click.style(line, fg="red"))
    raise click.exceptions.Exit(0 if diagnosis.sources["oracle"] else 1)
