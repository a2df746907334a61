"""How the parity commands print, write and end."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from pygpt.parity.report import Report

Command = TypeVar("Command", bound=Callable[..., Any])


def report_options(command: Command) -> Command:
    """Add `--json FILE` and `--html FILE`, which arrive as json_file and html_file."""
    file = click.Path(dir_okay=False, path_type=Path)
    command = click.option("--html", "html_file", type=file, help="Write the report as one HTML page, too.")(command)
    return click.option("--json", "json_file", type=file, help="Write the report as JSON, too.")(command)


def show(
    reports: "list[Report]", json_file: Path | None, html_file: Path | None, failed: dict[str, str] | None = None
) -> None:
    """Print reports, write them where asked, and leave with 0 (all agree), 1 (not), or 2 (something failed).

    Args:
        failed: what could not be compared, and why.
    """
    from pygpt.files import write_atomically
    from pygpt.parity.html import report_html
    from pygpt.parity.report import report_json, report_text

    for report in reports:
        for line, good in report_text(report):
            click.echo(click.style(line, fg=_colour(line, good)))
    problems = failed or {}
    for problem in problems.values():
        click.echo(f"Error: {problem}", err=True)
    if json_file:
        checks = [report_json(report) for report in reports]
        checks += [{"file": name, "agrees": None, "error": problem} for name, problem in problems.items()]
        write_atomically(json_file, json.dumps({"format": 1, "checks": checks}, indent=1) + "\n")
    if html_file:
        write_atomically(html_file, report_html(reports))
    agrees = all(report.comparison.agrees for report in reports)
    raise click.exceptions.Exit(2 if problems else int(not agrees))


def _colour(line: str, good: bool) -> str | None:
    if not good:
        return "red"
    return "green" if line.startswith("  all ") else None
