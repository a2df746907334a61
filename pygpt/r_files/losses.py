"""The losses of epochs in R's objects, as the table that a CSV of them would be.

luz keeps them as `fitted$records$metrics` (list(train = list(list(loss = …), …), valid = …)); `luz::get_metrics` gives
a data frame of it. Both may lie in a workspace, a luz_save, or a checkpoint of luz's callbacks.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pygpt.errors import PygptError
from pygpt.output.messages import say
from pygpt.r_files.opening import Opened
from pygpt.r_files.states import robject, saved_as
from pygpt.r_files.values import NA_INTEGER, NUMERIC, RValue, UnreadableError, number, shape, texts

_PARTS = ("train", "valid")
_SHORT = ("train", "valid", "value", "loss")
"""Words one of which stands in a name of a table's columns: Loss_Treino, Loss_Valid, train, value, …"""


@dataclass(frozen=True)
class LossTable:
    """A table as text: the name of each column in lower case, and a line an element, each cell as R would print it."""

    header: list[str]
    lines: list[list[str]]


def losses_of(file: Opened, path: Path) -> LossTable | None:
    """The table of losses in an open file; None where there is none.

    Raises:
        PygptError: there are several that differ, or the object that may hold one is damaged.
    """
    try:
        return _losses_of(file)
    except UnreadableError as failed:
        raise PygptError("{path} cannot be read: {why}", path=path, why=failed.message) from failed


def _losses_of(file: Opened) -> LossTable | None:
    # A module's object is its functions, and large.
    in_list = [("", robject(file))] if saved_as(file) == "list" else []
    roots = [*file.objects.items(), *in_list]
    by_place = [(place, table) for name, root in roots for place, table in _tables(name, root)]
    differing = [place for place, table in by_place if table != by_place[0][1]]
    if differing:
        places = ", ".join([by_place[0][0], *differing])
        raise UnreadableError(say("it holds several histories: {places}. Write one of them alone", places=places))
    return by_place[0][1] if by_place else None


def _tables(start: str, root: RValue | None) -> Iterator[tuple[str, LossTable]]:
    open_, seen = [(start or "x", root)], set[int]()
    while open_:
        place, value = open_.pop()
        if value is None or value.kind not in ("list", "double", "environment", "pairlist") or id(value) in seen:
            continue
        seen.add(id(value))
        table = _of_records(value) or _of_frame(value) or _of_matrix(value)
        if table is not None:
            yield place, table
        elif value.kind != "double":
            # luz's profile looks like its metrics, but holds seconds
            open_ += reversed([(where, v) for where, v in value.below(place) if not where.endswith("$profile")])


def _of_records(value: RValue) -> LossTable | None:
    """`fitted$records$metrics`, or the same with a vector of losses for each part."""
    parts = {name: _epochs(value.get(name)) for name in _PARTS}
    if value.kind != "list" or "data.frame" in value.classes or not parts["train"]:
        return None
    if not parts["valid"] and not _is_nested(value.get("train")):  # numbers called train may be anything
        return None
    lines = [
        [part, metric, str(epoch), written]
        for part, epochs in parts.items()
        for epoch, metrics in enumerate(epochs, start=1)
        for metric, written in metrics.items()
    ]
    return LossTable(["set", "metric", "epoch", "value"], lines)


def _epochs(part: RValue | None) -> list[dict[str, str]]:
    """The metrics of each epoch by name."""
    if part is not None and part.kind == "double":
        return [{"loss": text} for text in _cells(part)]
    if part is None or part.kind != "list":
        return []
    epochs = []
    for epoch in part.data:
        if number(epoch) is not None:
            epochs.append({"loss": _cells(epoch)[0]})
        elif epoch is not None and epoch.kind in ("list", "double"):
            held = {name: _cells(v)[0] for name, v in _elements(epoch) if number(v) is not None}
            epochs.append(held)
    return epochs if len(epochs) == len(part.data) and all("loss" in epoch for epoch in epochs) else []


def _is_nested(part: RValue | None) -> bool:
    return (
        part is not None
        and part.kind == "list"
        and all(epoch is not None and epoch.kind == "list" for epoch in part.data)
    )


def _elements(value: RValue) -> list[tuple[str, RValue | None]]:
    if value.kind == "list":
        return list(value.items())
    return [(name, RValue("double", value.data[i : i + 1])) for i, name in enumerate(value.names)]


def _of_frame(value: RValue) -> LossTable | None:
    """A data frame (tibble, data.table), or a list of columns of one length."""
    if value.kind != "list" or not value.data or "" in value.names:
        return None
    columns = [_cells(column) for column in value.data]
    lengths = {len(column) for column in columns}
    if len(lengths) != 1 or lengths == {0} or not _is_losses(value.names):
        return None
    return LossTable(
        [name.strip().lower() for name in value.names], [list(line) for line in zip(*columns, strict=True)]
    )


def _of_matrix(value: RValue) -> LossTable | None:
    """`sapply(metrics, unlist)`: a row an epoch, and no column that says so."""
    held = value.attributes.get("dimnames")
    sizes = shape(value)
    if value.kind != "double" or len(sizes) != 2 or held is None or len(held) != 2 or sizes[0] * sizes[1] != len(value):
        return None
    header = texts(held.data[1])
    if header is None or len(header) != sizes[1] or not _is_losses(header):
        return None
    rows = [_cells(RValue("double", row)) for row in value.data.reshape(sizes, order="F")]
    header = [name.strip().lower() for name in header]
    if "epoch" in header or "epoca" in header:
        return LossTable(header, rows)
    return LossTable(["epoch", *header], [[str(i), *row] for i, row in enumerate(rows, start=1)])


def _is_losses(names: list[str]) -> bool:
    return len(names) > 1 and any(word in name.lower() for name in names for word in _SHORT)


def _cells(column: RValue | None) -> list[str]:
    """A column as text. A number has as many digits as give it back, so a rounded one has few."""
    words = texts(column)
    if words is not None:
        return words
    if column is None or column.kind not in NUMERIC:
        return [] if column is None else ["?"] * len(column)
    if column.kind == "double":
        return [repr(x) for x in column.data.tolist()]
    return ["NA" if x == NA_INTEGER else str(x) for x in column.data.tolist()]
