"""Reading a luz history, however it was exported from R: a table, JSON, `dput`, what luz printed, or R's own files.

Wide, a line an epoch: the course's `df_metrics` (Epoca, Loss_Treino, Loss_Valid) or epoch, train, valid.
Long, a line a loss: `luz::get_metrics(fitted)` (set, metric, epoch, value), or luz's CSV logger.
Across, a column an epoch: `as.data.frame(fitted$records$metrics)`.
"""

import json
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pygpt.errors import PygptError
from pygpt.exercises.exercise import PARTS, Losses
from pygpt.output.messages import Message, say
from pygpt.r_files.losses import LossTable, losses_of
from pygpt.r_files.opening import is_r, opened
from pygpt.validation import r_literal
from pygpt.validation.cells import Cell, cells_of, number
from pygpt.validation.objects import table_of
from pygpt.validation.table_text import Row, Table, read_table, text_of

_LUZ_EPOCH = re.compile(r"\s*Epoch (\d+)/\d+\s*")
_LUZ_LOSS = re.compile(r"\s*(Train|Valid) metrics:.*?\bLoss: ([^\s]+)")
_R_CODE = re.compile(r"\s*(structure|list|data\.frame)\(")


@dataclass(frozen=True)
class History:
    """The losses of a history.

    Attributes:
        losses: of the exercise's epochs, as far as they are there.
        decimals: with how many the losses were written.
        notes: what was taken for granted in reading.
    """

    losses: Losses
    decimals: int
    notes: tuple[Message, ...]


def read_luz_history(path: Path, epochs: int, table: LossTable | None = None) -> History:
    """The losses of a luz history.

    Args:
        epochs: how many the exercise trains.
        table: what one of R's own files was found to hold; None to open the file.

    Raises:
        PygptError: unreadable, missing columns, text or NaN in numbers, an epoch given twice, or no epoch of the
            exercise's. The line is named.
    """
    if table is None and is_r(path):
        table = losses_of(opened(path), path)
        if table is None:
            raise PygptError(
                "{path} holds no losses of epochs: expected is what luz::get_metrics(fitted) gives, or "
                "fitted$records$metrics, or a data frame with the columns epoch, train, valid",
                path=path,
            )
    if table is not None:
        return of_table(
            Table(table.header, [Row(n, [*row]) for n, row in enumerate(table.lines, start=2)]), path, epochs
        )
    try:
        content = path.read_bytes()
    except OSError as error:
        raise PygptError("cannot read {path}: {why}", path=path, why=error.strerror) from error
    return of_table(_table(text_of(content, path), path), path, epochs)


def of_table(table: Table, path: Path, epochs: int) -> History:
    """The losses of a table.

    Raises:
        PygptError: see `read_luz_history`.
    """
    cells = cells_of(table, path)
    numbered, notes = _epochs(cells, path, epochs)
    losses: Losses = {}
    texts, beyond = [], 0
    for cell, epoch in zip(cells, numbered, strict=True):
        key = (epoch, cell.part)
        loss = _finite(cell, path)
        if key in losses:
            raise PygptError(
                "{path}, line {line}: epoch {epoch} has a second {part} loss",
                path=path, line=cell.line, epoch=epoch, part=cell.part,
            )  # fmt: skip
        losses[key] = loss
        texts.append(cell.text)
        beyond = max(beyond, epoch)
    keys = [(epoch, part) for epoch in range(1, epochs + 1) for part in PARTS]
    judged = {key: losses[key] for key in keys if key in losses}
    if not judged:
        raise PygptError("{path} has no losses of the epochs 1 to {epochs}", path=path, epochs=epochs)
    return History(judged, max(map(_decimals, texts)), (*notes, *not_judged_after(beyond, epochs)))


def not_judged_after(there: int, epochs: int) -> tuple[Message, ...]:
    """Says so where there are more epochs than the exercise trains."""
    said = say("Epochs after {epochs} are not judged: the course trains {epochs}.", epochs=epochs)
    return (said,) if there > epochs else ()


def _table(text: str, path: Path) -> Table:
    if text.lstrip().startswith(("{", "[")):
        return table_of(_json(text, path))
    if _R_CODE.match(text):
        try:
            return table_of(r_literal.parse(text))
        except (r_literal.NotALiteralError, ValueError, TypeError, LookupError, RecursionError) as error:
            raise PygptError(
                "{path} is R code that cannot be read. Write the table in R: "
                "write.csv(luz::get_metrics(fitted), \"history.csv\", row.names = FALSE)",
                path=path,
            ) from error  # fmt: skip
    printed = _luz_printed(text)
    return Table(["epoch", "set", "loss"], printed) if printed else read_table(text, path)


def _json(text: str, path: Path) -> Any:
    """JSON, its numbers as they were written; or a line of JSON each."""
    as_written: dict[str, Any] = {"parse_float": str, "parse_int": str, "parse_constant": str}
    try:
        try:
            return json.loads(text, **as_written)
        except json.JSONDecodeError as error:
            if error.msg != "Extra data":
                raise
            return [json.loads(line, **as_written) for line in text.splitlines() if line.strip()]
    except (ValueError, RecursionError) as error:
        raise PygptError("{path} is not JSON: {why}", path=path, why=str(error)) from error


def _luz_printed(text: str) -> list[Row]:
    """What `luz::fit` prints as it trains: Epoch 1/3, Train metrics: Loss: …, Valid metrics: Loss: …"""
    rows, epoch = [], ""
    for line, words in enumerate(text.splitlines(), 1):
        if match := _LUZ_EPOCH.fullmatch(words):
            epoch = match[1]
        elif match := _LUZ_LOSS.match(words):
            rows.append(Row(line, [epoch, match[1], match[2]]))
    return rows


def _epochs(cells: list[Cell], path: Path, most: int) -> tuple[list[int], list[Message]]:
    """The epoch of each cell, from 1; and what was taken for granted."""
    if any(cell.epoch is None for cell in cells):
        seen: Counter[str] = Counter()
        epochs = []
        for cell in cells:
            seen[cell.part] += 1
            epochs.append(seen[cell.part])
        return epochs, [say("It does not number its epochs: they are taken in their order.")] if cells else []
    epochs = [_epoch(cell, path, most) for cell in cells]
    if 0 not in epochs:
        return epochs, []
    return [epoch + 1 for epoch in epochs], [say("It numbers its epochs from 0: 0 is taken as the course's 1.")]


def _epoch(cell: Cell, path: Path, most: int) -> int:
    """`1`, `1.0`, or `Epoch 1/3`."""
    written = str(cell.epoch)
    match = re.fullmatch(r"(?:[^\W\d]+\s*)?(\d{1,9})(?:[.,]0*|\s*/\s*\d+)?", written)
    if match:
        return int(match[1])
    where = say("{path}, line {line}, the epoch", path=path, line=cell.line)
    if number(written) is None:
        raise PygptError("{where}: {text!r} is not a number", where=where, text=written)
    raise PygptError(
        "{path}, line {line}: epoch {epoch}; the course trains {epochs} epochs, numbered from 1",
        path=path, line=cell.line, epoch=written, epochs=most,
    )  # fmt: skip


def _finite(cell: Cell, path: Path) -> float:
    where = say("{path}, line {line}, {column}", path=path, line=cell.line, column=cell.part)
    loss = number(cell.text)
    if cell.text.lower().lstrip("+-") in ("nan", "inf") or loss in (float("inf"), float("-inf")):
        raise PygptError("{where}: {text!r} is not a finite number", where=where, text=cell.text)
    if loss is None:
        raise PygptError("{where}: {text!r} is not a number", where=where, text=cell.text)
    return loss


def _decimals(text: str) -> int:
    """How many decimals a number was written with: 4 for 1.7568, 1,7568 and 17.568e-01 less one."""
    digits, _, exponent = text.lower().replace(",", ".").partition("e")
    return max(0, len(digits.partition(".")[2]) - int(exponent or 0))
