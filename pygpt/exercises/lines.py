"""On which line of a TOML file a key stands; `tomllib` tells that of faults in the syntax alone."""

import tomllib
from typing import Any


def line_of(text: str, keys: tuple[str | int, ...]) -> int | None:
    """The line (from 1) on which the value at `keys` begins; None where it is not there.

    Ever longer beginnings of the file are read: the line before which the last one ends that has not got it. So any
    way to write a key is understood (dotted, quoted, in an inline table), and a value of several lines is named by its
    first.

    Args:
        keys: names of tables and keys, and numbers (from 0) in lists: `("model", "n_embd")`.
    """
    lines = [line + "\n" for line in text.split("\n")]
    without, having = 0, len(lines)
    if not _holds(_read("".join(lines)), keys):
        return None
    while without + 1 < having:
        at = (without + having) // 2
        # a beginning that ends within a value cannot be read: on to where the value ends
        whole = next((n for n in range(at, having) if _read("".join(lines[:n])) is not None), None)
        if whole is None:
            having = at
        elif _holds(_read("".join(lines[:whole])), keys):
            having = whole
        else:
            without = whole
    # what cannot be read began on the first line after what can
    while without + 1 < having and _read("".join(lines[: without + 1])) is not None:
        without += 1
    return without + 1


def _read(beginning: str) -> dict[str, Any] | None:
    try:
        return tomllib.loads(beginning)
    except (tomllib.TOMLDecodeError, RecursionError):
        return None


def _holds(value: Any, keys: tuple[str | int, ...]) -> bool:
    for key in keys:
        try:
            value = value[key]
        except (KeyError, IndexError, TypeError):
            return False
    return True
