"""What commands print with: paragraphs, tables, JSON; nothing that the terminal cannot show ends in an error."""

import json
import shutil
import sys
import textwrap
from collections.abc import Collection, Sequence

import click

from pygpt.files import json_text

# A pipe has no width.
_WITHOUT_TERMINAL = (120, 24)


def escape_what_cannot_be_shown() -> None:
    r"""Characters that an output's encoding lacks are written as \u2764, where else Python would raise an error."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def width(least: int = 40, most: int | None = None) -> int:
    """Columns to fill: the terminal's, within bounds."""
    columns = max(least, shutil.get_terminal_size(_WITHOUT_TERMINAL).columns)
    return columns if most is None else min(columns, most)


def paragraph(text: str, good: bool = True) -> None:
    """Print a sentence, folded, in red where it is not good news."""
    words = textwrap.fill(text, width(60, 120), subsequent_indent="  ")
    click.echo(words if good else click.style(words, fg="red"))


def table(header: Sequence[str], rows: Sequence[Sequence[str]], left: Collection[int] = (0,)) -> None:
    """Print a table; in a terminal, cells that do not fit are folded."""
    from pygpt.output import tables

    for line in tables.lines(header, rows, left, width() if sys.stdout.isatty() else None):
        click.echo(line)


def echo_json(content: object) -> None:
    """Print JSON; characters that the output cannot hold are escaped as JSON escapes them."""
    text = json_text(content)
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        text = json.dumps(json.loads(text), indent=1) + "\n"
    click.echo(text, nl=False)
