"""From a table's columns to its losses: which cell is the loss of which part and epoch."""

import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pygpt.errors import PygptError
from pygpt.exercises.exercise import PARTS
from pygpt.validation.labels import label
from pygpt.validation.table_text import Table


class Cell(NamedTuple):
    """A loss as it was written; `epoch` is None where the table has no epochs: they follow one another."""

    line: int
    part: str
    epoch: str | None
    text: str


class _Column(NamedTuple):
    name: str
    cells: list[tuple[int, str]]  # with their lines; what is not there is left out

    @property
    def is_text(self) -> bool:
        """Whether no cell is a number."""
        return bool(self.cells) and not any(_is_number(text) for _, text in self.cells)


def cells_of(table: Table, path: Path) -> list[Cell]:
    """The losses of a table, in its order.

    Raises:
        PygptError: no column says that it holds train or validation losses, two say the same, or a line of a long table
            is of neither.
    """
    columns = [
        _Column(name, [(row.line, cell) for row in table.rows if (cell := row.cells[i]) is not None])
        for i, name in enumerate(table.header)
    ]
    epochs = [column for column in columns if label(column.name).kind == "epoch"]
    _refuse_twins(epochs, path)
    epoch = dict(epochs[0].cells) if epochs else None
    parts = [column for column in columns if column.is_text and _names_parts(column)]
    return list(_long(columns, parts[0], epoch, path) if parts else _wide(columns, epoch, path))


def _names_parts(column: _Column) -> bool:
    return label(column.name).kind == "set" or any(label(text).part for _, text in column.cells)


def _long(columns: list[_Column], parts: _Column, epoch: dict[int, str] | None, path: Path) -> Iterator[Cell]:
    """A line a loss, its part in a column; or, without epochs, a line a part and a column an epoch."""
    metrics = [c for c in columns if c.is_text and c is not parts and any(label(t).kind == "loss" for _, t in c.cells)]
    is_loss = {line: label(text).kind == "loss" for column in metrics[:1] for line, text in column.cells}
    kept = [(line, text) for line, text in parts.cells if is_loss.get(line, True)]
    for line, text in kept:
        if not label(text).part:
            raise PygptError(
                "{path}, line {line}: set {name!r} is neither train nor valid", path=path, line=line, name=text
            )
    kept = [(line, text) for line, text in kept if label(text).kind == "loss"]
    values = _values(columns, path, across=epoch is None and len({label(t).part for _, t in kept}) == len(kept))
    by_line = [dict(value.cells) for value in values]
    for line, text in kept:
        for value in by_line:
            yield Cell(line, str(label(text).part), epoch.get(line) if epoch else None, value.get(line, ""))


def _values(columns: list[_Column], path: Path, across: bool) -> list[_Column]:
    """The columns that hold the losses of a long table: one; or, across, one an epoch."""
    numbers = [c for c in columns if not c.is_text and label(c.name).kind != "epoch" and not _is_numbering(c)]
    for kind in ("loss", "value"):
        named = [c for c in numbers if label(c.name) == (None, kind)]
        if len(named) == 1 or (named and across):
            return named
        _refuse_twins(named, path)
    if len(numbers) == 1 or (numbers and across):
        return numbers
    raise _no_losses(columns, path)


def _wide(columns: list[_Column], epoch: dict[int, str] | None, path: Path) -> Iterator[Cell]:
    """A column a part and a line an epoch; or, in one line without epochs, a column a loss."""
    numbers = [column for column in columns if not column.is_text]
    own = {part: [c for c in columns if label(c.name) == (part, "loss")] for part in PARTS}
    # Text beside numbers is a remark; text alone is a fault that is named where the number is read.
    own = {part: [c for c in named if not c.is_text] or named for part, named in own.items()}
    if own["valid"] and not own["train"]:
        own["train"] = [c for c in numbers if label(c.name) == (None, "loss")]  # Keras: loss, val_loss
    # Where one part is missing and a name is not understood, that may be the one.
    strange = [c for c in numbers if label(c.name).kind == "other" and not label(c.name).part and not _is_numbering(c)]
    if not any(own.values()) or (strange and not all(own.values())):
        raise _no_losses(columns, path)
    across = epoch is None and len({line for column in columns for line, _ in column.cells}) == 1
    for part, own_columns in own.items():
        if not across:
            _refuse_twins(own_columns, path)
        for line, text in itertools.chain.from_iterable(column.cells for column in own_columns):
            yield Cell(line, part, epoch.get(line) if epoch else None, text)


def _refuse_twins(columns: list[_Column], path: Path) -> None:
    if len(columns) > 1:
        names = ", ".join(column.name for column in columns)
        raise PygptError("{path} has the columns {columns}, which say the same: keep one", path=path, columns=names)


def _no_losses(columns: list[_Column], path: Path) -> PygptError:
    if all(_is_number(column.name) for column in columns if column.name):
        return PygptError(
            "{path} has no line of column names. Write one above the numbers: epoch, train, valid", path=path
        )
    return PygptError(
        "{path} has the columns {columns}; expected are epoch, train, valid (or Epoca, Loss_Treino, Loss_Valid; or "
        "set, metric, epoch, value)",
        path=path, columns=", ".join(repr(column.name) for column in columns),
    )  # fmt: skip


def _is_numbering(column: _Column) -> bool:
    """Whether a column only counts the rows, as R's row names do."""
    return label(column.name).kind == "other" and [text for _, text in column.cells] in (
        [str(n) for n in range(first, first + len(column.cells))] for first in (0, 1)
    )


def _is_number(text: str) -> bool:
    """Whether R or a spreadsheet writes a number so, one that is missing or not finite included."""
    if text.lower() in ("", "na", "nan", "inf", "-inf", "null", "none"):
        return True
    return bool(re.fullmatch(r"[-+]?(\d+[.,]?\d*|[.,]\d+)([eE][-+]?\d+)?", text))


def number(text: str) -> float | None:
    """The number that a cell holds, with either decimal mark; None where it holds none."""
    return float(text.replace(",", ".")) if _is_number(text) and any(map(str.isdigit, text)) else None
