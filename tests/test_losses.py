"""history.csv and steps.csv: what is written comes back; what is damaged is refused, and the line is named."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pygpt.errors import PygptError
from pygpt.losses import HISTORY, STEPS, append_steps, cut_steps, read_history, read_steps, write_history
from pygpt.training import Epoch


def as_float32(values: list[float]) -> list[float]:
    return np.array(values, dtype=np.float32).tolist()


float32 = st.floats(width=32, allow_nan=False, min_value=0, max_value=600)


@given(st.lists(float32, max_size=8), st.integers(0, 8))
def test_steps_come_back(tmp_path_factory: pytest.TempPathFactory, values: list[float], kept: int) -> None:
    folder = tmp_path_factory.mktemp("steps")
    append_steps(folder / STEPS, list(enumerate(values, start=1)))
    assert as_float32(read_steps(folder)) == as_float32(values)
    cut_steps(folder / STEPS, kept)
    assert as_float32(read_steps(folder)) == as_float32(values[:kept])


@given(st.lists(st.tuples(float32, float32), max_size=5))
def test_history_comes_back(tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[float, float]]) -> None:
    folder = tmp_path_factory.mktemp("history")
    history = [Epoch(number, *pair) for number, pair in enumerate(pairs, start=1)]
    write_history(folder / HISTORY, history)
    read = read_history(folder)
    assert [e.epoch for e in read] == [e.epoch for e in history]
    assert as_float32([x for e in read for x in (e.train, e.valid)]) == as_float32([x for pair in pairs for x in pair])


def test_a_diverged_training_is_read(tmp_path: Path) -> None:
    append_steps(tmp_path / STEPS, [(1, 2.5), (2, math.nan)])
    assert math.isnan(read_steps(tmp_path)[1])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"step,loss\n1,2.5\n2,many\n", "line 3 does not hold step, loss as numbers"),
        (b"step\n1\n", "line 2 does not hold"),
        (b"step,loss\n1\n", "line 2 does not hold"),
        ("step,loss\n1,2,5é\n".encode(), "byte 16 is not ASCII"),
        (b"step,loss\n1,2.5\n3,2.4\n", "line 3 should be number 2, and is number 3"),
        (b"step,loss\n1,2.5\n1.5,2.4\n", "line 3 does not hold"),
    ],
)
def test_damaged_steps_are_refused(content: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / STEPS).write_bytes(content)
    with pytest.raises(PygptError, match=words):
        read_steps(tmp_path)


def test_no_file_is_no_losses(tmp_path: Path) -> None:
    assert read_steps(tmp_path) == read_history(tmp_path) == []
