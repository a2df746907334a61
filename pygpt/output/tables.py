"""Tables for a terminal, a pipe or a file."""

import io
from collections.abc import Collection, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

# A pipe has no width: there nothing is folded.
_NO_WIDTH = 10_000


def lines(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    left: Collection[int] = (0,),
    width: int | None = None,
    indent: int = 2,
) -> list[str]:
    """A table as lines without colour; cells that do not fit `width` are folded.

    Args:
        left: the columns that are set to the left; the others hold numbers and are set to the right.
        width: of the terminal; None where there is none.
    """
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_edge=False)
    for i, name in enumerate(header):
        table.add_column(Text(name), justify="left" if i in left else "right", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    out = io.StringIO()
    Console(file=out, width=(width or _NO_WIDTH) - indent, color_system=None, emoji=False).print(table)
    return [(" " * indent + line).rstrip() for line in out.getvalue().splitlines()]
