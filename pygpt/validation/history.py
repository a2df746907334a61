"""Reading a luz history that was exported from R, as CSV or in R's own files.

Wide, a line an epoch: the course's `df_metrics` (Epoca, Loss_Treino, Loss_Valid) or epoch, train, valid.
Long, a line a loss: `luz::get_metrics(fitted)` (set, metric, epoch, value).
`write.csv` and `write.csv2` alike: row names, quotes, `;` with decimal commas.
"""

import csv
import io
import math
from pathlib import Path

from pygpt.errors import PygptError
from pygpt.output.messages import Listed, Message, say
from pygpt.r_files.losses import LossTable, losses_of
from pygpt.r_files.opening import is_r, opened
from pygpt.validation.course import EPOCHS, KEYS, Losses

_EPOCH = ("epoch", "epoca", "época", "epochs")
_WIDE = {
    "train": ("train", "loss_treino", "treino", "train_loss", "loss_train"),
    "valid": ("valid", "loss_valid", "validacao", "validação", "valid_loss", "loss_validacao"),
}
_SET, _METRIC, _VALUE = ("set",), ("metric",), ("value", "loss")

_Line = tuple[int, dict[str, str]]


def read_luz_history(path: Path, table: LossTable | None = None) -> tuple[Losses, int]:
    """The losses of a luz history, and with how many decimals they were written.

    Args:
        table: what one of R's own files was found to hold; None to open the file.

    Raises:
        PygptError: unreadable, a wrong separator, missing columns, text or NaN in numbers, an epoch missing, given
            twice, or beyond the course's three. The line is named.
    """
    header, lines = _table(path) if table is None else _numbered(table)
    losses: Losses = {}
    texts: list[str] = []
    for line, part, epoch_text, loss_text in _cells(path, header, lines):
        epoch = _number(epoch_text, say("{path}, line {line}, the epoch", path=path, line=line))
        loss = _number(loss_text, say("{path}, line {line}, {column}", path=path, line=line, column=part))
        key = (int(epoch), part)
        if epoch != int(epoch) or key not in KEYS:
            raise PygptError(
                "{path}, line {line}: epoch {epoch}; the course trains {epochs} epochs, numbered from 1",
                path=path,
                line=line,
                epoch=epoch_text,
                epochs=EPOCHS,
            )
        if key in losses:
            raise PygptError(
                "{path}, line {line}: epoch {epoch} has a second {part} loss",
                path=path,
                line=line,
                epoch=key[0],
                part=part,
            )
        losses[key] = loss
        texts.append(loss_text)
    missing = [
        say("{part} of epoch {epoch}", part=part, epoch=epoch) for epoch, part in KEYS if (epoch, part) not in losses
    ]
    if missing:
        raise PygptError(
            "{path} lacks {losses}: the course trains {epochs} epochs", path=path, losses=Listed(missing), epochs=EPOCHS
        )
    return losses, max(map(_decimals, texts))


def _table(path: Path) -> tuple[list[str], list[_Line]]:
    if is_r(path):
        return _table_of_r(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise PygptError("cannot read {path}: {why}", path=path, why=error.strerror) from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")  # R on an older Windows
    separator = ";" if ";" in text.partition("\n")[0] else ","
    reader = csv.reader(io.StringIO(text), delimiter=separator)
    try:
        rows = [(number, row) for number, row in enumerate(reader, 1) if row]
    except csv.Error as error:
        raise PygptError("{path} is not a CSV file: {why}", path=path, why=error) from error
    if not rows:
        raise PygptError("{path} is empty", path=path)
    header = [name.strip().lower() for name in rows[0][1]]
    if len(header) == 1:
        raise PygptError(
            "{path}: one column only, {name!r}. Separate the columns by , (write.csv) or ; (write.csv2)",
            path=path,
            name=rows[0][1][0],
        )
    for number, row in rows[1:]:
        if len(row) != len(header):
            raise PygptError(
                "{path}, line {line}: {n} fields under {columns} columns. "
                "Decimal commas need ; between the columns (write.csv2)",
                path=path,
                line=number,
                n=len(row),
                columns=len(header),
            )
    return header, [(number, dict(zip(header, row, strict=True))) for number, row in rows[1:]]


def _table_of_r(path: Path) -> tuple[list[str], list[_Line]]:
    """The same of R's own files: an RDS, a workspace, a luz_save, a checkpoint of luz's."""
    table = losses_of(opened(path), path)
    if table is None:
        raise PygptError(
            "{path} holds no losses of epochs: expected is what luz::get_metrics(fitted) gives, or "
            "fitted$records$metrics, or a data frame with the columns epoch, train, valid",
            path=path,
        )
    return _numbered(table)


def _numbered(table: LossTable) -> tuple[list[str], list[_Line]]:
    return table.header, [(n, dict(zip(table.header, row, strict=True))) for n, row in enumerate(table.lines, start=2)]


def _cells(path: Path, header: list[str], lines: list[_Line]) -> list[tuple[int, str, str, str]]:
    """Line number, part, epoch and loss of every loss in the table."""
    epoch, kind, value = (_find(path, header, names) for names in (_EPOCH, _SET, _VALUE))
    if epoch and kind and value:
        metric = _find(path, header, _METRIC)
        kept = [(n, line) for n, line in lines if metric is None or line[metric].strip().lower() == "loss"]
        for number, line in kept:
            if line[kind].strip().lower() not in _WIDE:
                raise PygptError(
                    "{path}, line {line}: set {name!r} is neither train nor valid",
                    path=path,
                    line=number,
                    name=line[kind],
                )
        return [(n, line[kind].strip().lower(), line[epoch], line[value]) for n, line in kept]
    columns = {part: _find(path, header, names) for part, names in _WIDE.items()}
    if not epoch or not all(columns.values()):
        raise PygptError(
            "{path} has the columns {columns}; expected are epoch, train, valid (or Epoca, Loss_Treino, Loss_Valid; or "
            "set, metric, epoch, value)",
            path=path,
            columns=", ".join(map(repr, header)),
        )
    return [(n, part, line[epoch], line[name]) for n, line in lines for part, name in columns.items() if name]


def _find(path: Path, header: list[str], names: tuple[str, ...]) -> str | None:
    columns = [name for name in header if name in names]
    if len(columns) > 1:
        raise PygptError(
            "{path} has the columns {columns}, which say the same: keep one", path=path, columns=", ".join(columns)
        )
    return columns[0] if columns else None


def _number(text: str, where: Message) -> float:
    try:
        # Python reads 1_7 as 17; nobody writes losses so.
        number = float(text.strip().replace(",", ".").replace("_", "?"))
    except ValueError as error:
        raise PygptError("{where}: {text!r} is not a number", where=where, text=text) from error
    if not math.isfinite(number):
        raise PygptError("{where}: {text!r} is not a finite number", where=where, text=text)
    return number


def _decimals(text: str) -> int:
    return len(text.strip().replace(",", ".").partition(".")[2])
