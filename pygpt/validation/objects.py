"""A history that is an object, of JSON or of R's `dput`, as a table."""

from itertools import zip_longest
from typing import Any

from pygpt.validation.labels import label
from pygpt.validation.table_text import Row, Table

_DEEPEST = 50


def table_of(value: Any) -> Table:
    """The table in lists, dictionaries and texts.

    Rows (`[{epoch, train, valid}, …]`), columns (`{epoch: […], train: […]}`), luz's records
    (`{train: [{loss}, …], valid: […]}`), and any of them within other dictionaries. No rows where there is none.
    """
    columns = _columns(value, "", 0)
    epochs = [name for name in columns if label(name).kind == "epoch"]
    if not epochs and len(set(map(len, columns.values()))) > 1:
        # Of unequal length: what there is of each, an epoch an entry. (Of one length, `cells` counts them as well.)
        longest = max(map(len, columns.values()))
        columns = {"epoch": [str(n) for n in range(1, longest + 1)], **columns}
    rows = [Row(n, list(cells)) for n, cells in enumerate(zip_longest(*columns.values()), 1)]
    return Table(list(columns), rows)


def _columns(value: Any, name: str, depth: int) -> dict[str, list[str | None]]:
    """Every list of texts within, by the names on the way to it."""
    if depth > _DEEPEST:
        return {}
    columns_held: dict[str, list[str | None]] = {}
    if isinstance(value, dict):
        for key, inner in value.items():
            columns_held |= _columns(inner, f"{name}.{key}".lstrip("."), depth + 1)
    elif isinstance(value, list) and any(isinstance(inner, dict) for inner in value):
        rows = [_columns(inner, name, depth + 1) for inner in value]
        # as long as there are rows, with a gap where one lacks a name
        columns_held = {
            key: [(row.get(key) or [None])[0] for row in rows] for key in dict.fromkeys(k for r in rows for k in r)
        }
    elif isinstance(value, list):
        columns_held[name] = [_cell(inner) for inner in value]
    else:
        columns_held[name] = [_cell(value)]
    return columns_held


def _cell(value: Any) -> str | None:
    """A cell; jsonlite writes a single number as a list of one."""
    while isinstance(value, list) and len(value) == 1:
        (value,) = value
    return None if value is None or isinstance(value, dict | list) else str(value)
