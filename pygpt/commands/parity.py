"""`parity`: the port against R."""

import json
from pathlib import Path

import click

from pygpt.errors import PygptError

COULD_NOT_CHECK = 2


@click.group()
def parity() -> None:
    """Hold the port against what R computes."""


@parity.command(epilog="Example: parity check parity_tests/recordings/tiny_gpt.safetensors")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), help="Write the report there, too."
)
def check(files: tuple[Path, ...], json_file: Path | None) -> None:
    """Repeat recordings of R and compare every quantity, in the order of computation.

    Exit code 0: all is within limits; 1: something is not; 2: a file could not be checked.
    """
    from pygpt.files import write_atomically
    from pygpt.parity.check import check_recording
    from pygpt.parity.report import check_json, check_text

    reports, code = [], 0
    for file in files:
        try:
            checked = check_recording(file)
        except PygptError as error:
            click.echo(f"Error: {error}", err=True)
            reports.append({"file": str(file), "agrees": None, "error": str(error)})
            code = COULD_NOT_CHECK
            continue
        for line, good in check_text(checked):
            click.echo(line if good else click.style(line, fg="red"))
        reports.append(check_json(checked))
        code = code or int(not checked.comparison.agrees)
    if json_file:
        write_atomically(json_file, json.dumps({"format": 1, "checks": reports}, indent=1) + "\n")
    raise click.exceptions.Exit(code)
