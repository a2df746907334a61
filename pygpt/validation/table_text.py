"""A table in a text file, in whichever encoding, with whichever separator, header and row names it was written."""

import csv
import re
from pathlib import Path
from typing import NamedTuple

from pygpt import encoding
from pygpt.errors import PygptError
from pygpt.validation.labels import label

# In the order in which they are tried; a blank stands for any number of them.
_SEPARATORS = (";", "\t", ",", "|", " ")
_COMMENT, _EXCEL_SAYS = "#", re.compile(r"sep=(.)\s*", re.IGNORECASE)
# What pillar and kable put between header and numbers: <chr> <dbl>, |:---|---:|
_NO_ROW = re.compile(r"<\w+>|:?-{2,}:?|")


class Row(NamedTuple):
    """A line of a table: its number in the file, from 1, and its cells; None where there is no cell."""

    line: int
    cells: list[str | None]


class Table(NamedTuple):
    """A table, every row as long as its header; a header cell is empty over row names."""

    header: list[str]
    rows: list[Row]


def text_of(content: bytes, path: Path) -> str:
    """The text of a table's file: UTF-8, UTF-16 with or without its mark, or a Western encoding of old.

    Raises:
        PygptError: a packed file (R's own, an Excel workbook).
    """
    if encoding.container(content):
        raise PygptError(
            "{path} is no text but a packed file. Of an Excel workbook, save the sheet as CSV; of R's own (RDS, "
            "RData), write the table: readRDS() or load() it, then write.csv(…, \"history.csv\", row.names = FALSE)",
            path=path,
        )  # fmt: skip
    return encoding.table_text(content)


def read_table(text: str, path: Path) -> Table:
    """The table in a text.

    Raises:
        PygptError: empty, one column only, or a line with more or fewer fields than the header has columns.
    """
    lines = [(n, line) for n, line in enumerate(text.splitlines(), 1) if line.strip() and not _is_comment(line)]
    separators: tuple[str, ...] = _SEPARATORS
    if lines and (said := _EXCEL_SAYS.fullmatch(lines[0][1])):
        separators, lines = (said[1],), lines[1:]
    if not lines:
        raise PygptError("{path} is empty", path=path)
    tables = [(separator, _without_empty_columns(_split(lines, separator, path))) for separator in separators]
    separator, rows = max(tables, key=lambda one: _likeness(one[1]))
    at = _header_at(rows)
    if not rows or not rows[at].cells:
        raise PygptError("{path} is empty", path=path)
    header, body = [cell or "" for cell in rows[at].cells], rows[at + 1 :]
    if len(header) == 1:
        raise PygptError(
            "{path}: one column only, {name!r}. Separate the columns by , (write.csv), ; (write.csv2), tabs or blanks",
            path=path, name=header[0],
        )  # fmt: skip
    if body and all(len(row.cells) == len(header) + 1 for row in body):
        header = ["", *header]  # write.table names the rows and gives their column no name
    for row in body:
        if len(row.cells) != len(header):
            raise _ragged(path, row, header, separator)
    return Table(header, body)


def _is_comment(line: str) -> bool:
    return line.lstrip().startswith(_COMMENT)


def _split(lines: list[tuple[int, str]], separator: str, path: Path) -> list[Row]:
    rows = []
    for number, line in lines:
        bare = line.strip().strip("|") if separator == "|" else line.strip() if separator == " " else line
        try:
            (cells,) = csv.reader([bare], delimiter=separator, skipinitialspace=True)
        except csv.Error as error:
            raise PygptError("{path} is not a CSV file: {why}", path=path, why=error) from error
        cells = [cell.strip() for cell in cells]
        if not all(_NO_ROW.fullmatch(cell) for cell in cells):
            rows.append(Row(number, list(cells)))
    return rows


def _without_empty_columns(rows: list[Row]) -> list[Row]:
    """Without the empty cells at the end of every line, which Excel writes."""
    width = max((i + 1 for row in rows for i, cell in enumerate(row.cells) if cell), default=0)
    return [Row(row.line, row.cells[:width]) for row in rows]


def _header_at(rows: list[Row]) -> int:
    """Which row is the header: the first with two names that a history has; else the first of all."""
    return next((i for i, row in enumerate(rows) if _known(row.cells) >= 2), 0)


def _likeness(rows: list[Row]) -> tuple[int, bool, int]:
    """How much a table looks like a history: by the names of its header that one has, then by those that none has."""
    cells = rows[_header_at(rows)].cells if rows else []
    return _known(cells), len(cells) > 1, -len(cells)


def _known(cells: list[str | None]) -> int:
    return sum(label(cell or "").is_known for cell in cells)


def _ragged(path: Path, row: Row, header: list[str], separator: str) -> PygptError:
    n, columns = len(row.cells), len(header)
    if separator == "," and n > columns and all(re.fullmatch(r"-?\d+(e[+-]\d+)?", cell or "") for cell in row.cells):
        return PygptError(
            "{path}, line {line}: {n} fields under {columns} columns. Decimal commas need ; between the columns "
            "(write.csv2)",
            path=path, line=row.line, n=n, columns=columns,
        )  # fmt: skip
    return PygptError(
        "{path}, line {line}: {n} fields under {columns} columns ({names}), separated by {separator}",
        path=path, line=row.line, n=n, columns=columns, names=", ".join(map(repr, header)), separator=repr(separator),
    )  # fmt: skip
