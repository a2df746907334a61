"""What a view says of itself, and where it refuses."""

import json

import numpy as np
import pytest

from pygpt.attention.text import all_heads
from pygpt.attention.view import AttentionView, to_json
from pygpt.errors import PygptError


def _view(weights: np.ndarray) -> AttentionView:
    return AttentionView("ab\n", 2, weights.astype(np.float32), weights.astype(np.float32))


EVEN = np.broadcast_to(np.tril(np.ones((3, 3))) / np.arange(1, 4)[:, None], (2, 4, 3, 3))


def test_a_view_is_short_in_a_notebook() -> None:
    assert repr(_view(EVEN)) == "AttentionView(text='ab\\n', left_out=2)"


@pytest.mark.parametrize("place", [(0, 1, 1), (3, 1, 1), (1, 0, 1), (1, 5, 1), (-1, 1, 1)])
def test_an_unknown_head_is_refused(place: tuple[int, int, int]) -> None:
    with pytest.raises(PygptError, match=r"there is no layer -?\d, head \d: layers are 1 to 2, heads 1 to 4"):
        _view(EVEN).largest(*place)


@pytest.mark.parametrize("position", [-1, 0, 4])
def test_an_unknown_position_is_refused(position: int) -> None:
    with pytest.raises(PygptError, match=rf"position = {position} is not in the text .* 1 to 3"):
        _view(EVEN).largest(1, 1, position)


def test_ties_keep_the_order_of_the_text() -> None:
    contributions = _view(EVEN).largest(2, 4, 3)
    assert [(c.layer, c.head, c.key, c.character) for c in contributions] == [
        (2, 4, 1, "a"), (2, 4, 2, "b"), (2, 4, 3, "\n"),
    ]  # fmt: skip


def test_weights_that_are_no_numbers_are_null_in_the_file_and_said_in_the_text() -> None:
    broken = _view(np.where(np.arange(3) == 1, np.nan, EVEN))

    def no_constant(name: str) -> float:
        raise AssertionError(f"{name} is no JSON")

    content = json.loads(to_json(broken, "run", None), parse_constant=no_constant)
    assert content["heads"][0]["weights"][2][1] is None
    lines = list(all_heads(broken, 80, "utf-8", "en"))
    assert lines[lines.index("\nlayer 1, head 1") + 4] == "  3 ↵  33 nan  33"
