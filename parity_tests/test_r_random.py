"""R's own random numbers: `runif()` and `sample.int()` after `set.seed()`, the same in Python, to the last bit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pygpt.corpus import sampled, split
from pygpt.errors import PygptError
from pygpt.r.session import RSession
from pygpt.r_random import RGenerator

SEEDS = (0, 1, 42, -1, 2**31 - 1, 1 - 2**31)


# What R 4.2.2 prints for set.seed(42); runif(3) and set.seed(42); sample(10), and for set.seed(1); sample(1e6, 3).
def test_what_r_printed() -> None:
    assert RGenerator(42).uniform(3).round(7).tolist() == [0.9148060, 0.9370754, 0.2861395]
    assert RGenerator(42).sample_int(10).tolist() == [1, 5, 10, 8, 2, 4, 6, 9, 7, 3]
    assert RGenerator(1).sample_int(1_000_000, 3).tolist() == [548676, 452737, 124413]


@pytest.mark.parametrize("seed", SEEDS)
def test_uniform_numbers_are_rs(seed: int, r: RSession) -> None:
    r.evaluate(f"set.seed({seed})")
    assert np.array_equal(r.evaluate("runif(5000)"), RGenerator(seed).uniform(5000))


populations = st.one_of(
    st.integers(1, 40),
    st.integers(1, 16).flatmap(lambda bits: st.integers(2**bits - 1, 2**bits + 1)),
    st.sampled_from([2**16, 2**16 + 1, 10**6, 2**24, 2**31 + 5, 2**32, 4_500_000_000_000_000]),
)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1 - 2**31, 2**31 - 1), st.lists(st.tuples(populations, st.integers(0, 30), st.booleans()), max_size=8)
)
def test_samples_are_rs(r: RSession, seed: int, calls: list[tuple[int, int, bool]]) -> None:
    r.evaluate(f"set.seed({seed})")
    generator = RGenerator(seed)
    for n, size, replace in calls:
        taken = replace or n > 10**6
        k = size if taken else min(size, n)
        theirs = np.atleast_1d(r.evaluate(f"sample.int({n}, {k}, replace = {str(taken).upper()})"))
        assert np.array_equal(theirs, generator.sample_int(n, k, taken)), (n, k, taken)
    assert r.evaluate("runif(1)") == generator.uniform(1)[0]


def test_a_small_sample_of_many_is_r_s(r: RSession) -> None:
    r.evaluate("set.seed(5)")
    generator = RGenerator(5)
    for n, size in ((10_000_001, 300), (20_000_000, 1000), (12_000_000, 1)):
        assert np.array_equal(np.atleast_1d(r.evaluate(f"sample.int({n}, {size})")), generator.sample_int(n, size))


def test_windows_of_two_epochs_are_one_stream(r: RSession) -> None:
    theirs = r.evaluate("set.seed(3); vapply(1:70, function(i) sample(1:999, size = 1), 1L)") - 1
    assert np.array_equal(sampled(1000, 50, 3, 0), theirs[:50])
    assert np.array_equal(sampled(1000, 20, 3, 2), theirs[40:60])


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: RGenerator(2**31), "R's set.seed"),
        (lambda: RGenerator(1).sample_int(0), "takes n from 1"),
        (lambda: RGenerator(1).sample_int(4_500_000_000_000_001), "takes n from 1"),
        (lambda: RGenerator(1).sample_int(5, -1), "takes a size from 0"),
        (lambda: RGenerator(1).sample_int(5, 6), "cannot draw 6 of 5"),
    ],
)
def test_what_r_refuses(call: object, sentence: str) -> None:
    with pytest.raises(PygptError, match=sentence):
        call()  # type: ignore[operator]


@given(st.integers(1, 3000), st.sampled_from([0.1, 0.5, 0.9, 0.25]))
def test_a_split_at_rs_round(r: RSession, n: int, share: float) -> None:
    train, valid = split(np.arange(n), 1.0, share, "round")
    assert len(train) == r.call("round", share * n)
    assert len(train) + len(valid) == n
