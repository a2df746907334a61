"""The losses that a run keeps, in nats per character: `history.csv`, an epoch a line; `steps.csv`, a step a line."""

import csv
import io
import os
from pathlib import Path
from typing import Any

import numpy as np

from pygpt.errors import PygptError
from pygpt.files import write_atomically
from pygpt.training import Epoch

HISTORY, STEPS = "history.csv", "steps.csv"


def read_steps(folder: Path) -> list[float]:
    """The losses in a run's steps.csv, from step 1 on.

    Raises:
        PygptError: the file is damaged; the line is named.
    """
    rows = _read_csv(folder / STEPS, {"step": int, "loss": float})
    _check_count(folder / STEPS, [row[0] for row in rows])
    return [loss for _, loss in rows]


def read_history(folder: Path) -> list[Epoch]:
    """The epochs in a run's history.csv.

    Raises:
        PygptError: the file is damaged; the line is named.
    """
    rows = _read_csv(folder / HISTORY, {"epoch": int, "train": float, "valid": float})
    _check_count(folder / HISTORY, [row[0] for row in rows])
    return [Epoch(*row) for row in rows]


def _read_csv(path: Path, columns: dict[str, type]) -> list[list[Any]]:
    """The named columns of a CSV file that pygpt wrote; none where there is no file."""
    try:
        text = path.read_bytes().decode("ascii")
    except FileNotFoundError:
        return []
    except OSError as error:
        raise PygptError("cannot read {path}: {why}", path=path, why=error.strerror) from error
    except UnicodeDecodeError as error:
        raise PygptError("{path} is damaged: byte {place} is not ASCII", path=path, place=error.start + 1) from error
    reader, rows = csv.DictReader(io.StringIO(text)), []
    try:
        for row in reader:
            rows.append([kind(row[name]) for name, kind in columns.items()])
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise PygptError(
            "{path} is damaged: line {line} does not hold {columns} as numbers",
            path=path, line=reader.line_num, columns=", ".join(columns),
        ) from error  # fmt: skip
    return rows


def _check_count(path: Path, numbers: list[int]) -> None:
    wrong = next((line for line, number in enumerate(numbers, start=1) if number != line), None)
    if wrong is not None:
        raise PygptError(
            "{path} is damaged: line {line} should be number {wanted}, and is number {number}",
            path=path, line=wrong + 1, wanted=wrong, number=numbers[wrong - 1],
        )  # fmt: skip


def write_history(path: Path, history: list[Epoch]) -> None:
    """Write the losses of epochs, with their perplexities."""
    out = io.StringIO()
    out.write("epoch,train,valid,train_perplexity,valid_perplexity\n")
    for e in history:
        # nine digits give a float32 back exactly
        out.write(f"{e.epoch},{e.train:.9g},{e.valid:.9g},{np.exp(e.train):.6g},{np.exp(e.valid):.6g}\n")
    write_atomically(path, out.getvalue())


def append_steps(path: Path, losses: list[tuple[int, float]]) -> None:
    """Add the losses of steps, each with its number from 1.

    Raises:
        PygptError: the file cannot be written.
    """
    lines = "".join(f"{step},{loss:.9g}\n" for step, loss in losses)
    try:
        with path.open("a", encoding="ascii") as file:
            file.write(lines if file.tell() else "step,loss\n" + lines)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise PygptError("cannot write {path}: {why}", path=path, why=error.strerror) from error


def cut_steps(path: Path, steps: int) -> None:
    """Leave the first `steps` whole lines: a kill may have left more, and half of one."""
    if not path.exists():
        return
    kept = path.read_bytes().split(b"\n")[: steps + 1]
    write_atomically(path, b"\n".join(kept) + b"\n" if kept[0] else b"")
