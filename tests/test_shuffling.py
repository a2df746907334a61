"""The beginning of a very long shuffle is torch's own."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pygpt import r_semantics, shuffling
from pygpt.shuffling import LEAST, Shuffling


def turn_by_turn(n: int, seed: int) -> list[int]:
    """As libtorch writes it, with the bits that it draws."""
    torch.manual_seed(seed)
    bits = torch.empty(n, dtype=torch.int64).random_(-(2**63), None).numpy().view(np.uint64)
    order = [0] * n
    for i, drawn in enumerate(bits.tolist()):
        z = drawn % (i + 1)
        order[i] = i
        order[i] = order[z]
        order[z] = i
    return order


@given(n=st.integers(1, 300), first=st.integers(1, 300), at_once=st.integers(1, 90), seed=st.integers(0, 2**31))
def test_it_is_what_the_turns_make(n: int, first: int, at_once: int, seed: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shuffling, "_FIRST", first)
        patch.setattr(shuffling, "_AT_ONCE", at_once)
        expected, then = turn_by_turn(n, seed), torch.rand(3)
        torch.manual_seed(seed)
        order = Shuffling(n)
        assert torch.equal(torch.rand(3), then)
        assert order[0 : min(first, n)].tolist() == expected[:first]
        assert len(order) == n


def test_short_texts_have_torchs_own() -> None:
    torch.manual_seed(3)
    expected = torch.randperm(1000)
    torch.manual_seed(3)
    assert torch.equal(r_semantics.shuffle(1000), expected)


@pytest.mark.slow
@pytest.mark.parametrize("n", [LEAST - 1, LEAST, LEAST + 1001])
def test_torch_goes_over_where_it_is_thought_to(n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shuffling, "_FIRST", 1 << 20)
    torch.manual_seed(5)
    expected, then = torch.randperm(n, dtype=torch.int32), torch.rand(3)
    torch.manual_seed(5)
    order = r_semantics.shuffle(n)
    assert isinstance(order, Shuffling) == (n >= LEAST)
    assert torch.equal(torch.rand(3), then)
    assert torch.equal(order[0 : 1 << 20], expected[: 1 << 20])
    torch.manual_seed(1)  # what is drawn meanwhile does not matter
    assert torch.equal(order[(1 << 20) - 3 : (1 << 20) + 9], expected[(1 << 20) - 3 : (1 << 20) + 9])
