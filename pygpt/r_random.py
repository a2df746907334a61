"""R's own random numbers: `set.seed()` and `sample()`, the same numbers in Python (R 3.6 and newer, its defaults).

R has a generator of its own, beside torch's: the Mersenne Twister, whose numbers `sample()` makes into whole ones by
rejection. Held against base R: parity_tests/test_r_random.py.
"""

import math

import numpy as np
from numpy.typing import NDArray

from pygpt.errors import PygptError

_WORDS = 624
_FROM_WORD = 2.3283064365386963e-10
_HALF_STEP = 0.5 * 2.328306437080797e-10
_BLOCK = 4096
_MOST = 4_500_000_000_000_000
"""The largest population of `sample.int()`."""
_HASHED_FROM = 10_000_000
_INTEGERS = 1 << 31


class RGenerator:
    """R's generator just after `set.seed(seed)`.

    Source: R's src/main/RNG.c (set.seed scrambles the seed fifty times, then fills the state), random.c, unique.c.
    """

    def __init__(self, seed: int) -> None:
        if not -_INTEGERS < seed < _INTEGERS:
            raise PygptError("R's set.seed() takes whole numbers from -(2^31 - 1) to 2^31 - 1, not {seed}", seed=seed)
        words, word = np.empty(_WORDS + 1, np.uint32), seed % (1 << 32)
        for _ in range(50):
            word = (69069 * word + 1) % (1 << 32)
        for i in range(_WORDS + 1):
            word = (69069 * word + 1) % (1 << 32)
            words[i] = word
        # R's first word is the place in the state; it is set to the end, so that the next draw makes a new one.
        self._twister = np.random.MT19937()
        self._twister.state = {"bit_generator": "MT19937", "state": {"key": words[1:], "pos": _WORDS}}
        self._ready: list[float] = []

    def uniform(self, count: int) -> NDArray[np.float64]:
        """`runif(count)`: numbers above 0 and below 1, float64 (count,)."""
        return np.array([self._next() for _ in range(count)])

    def sample_int(self, n: int, size: int | None = None, replace: bool = False) -> NDArray[np.int64]:
        """`sample.int(n, size, replace)`: whole numbers from 1 to n, int64 (size,); all n in another order by default.

        `sample(x, size)` of a vector of more than one element is `x` at these places.

        Raises:
            PygptError: n is below 1 or too large, or size is below 0 or larger than what is there.
        """
        size = n if size is None else size
        if not 1 <= n <= _MOST:
            raise PygptError("sample.int() takes n from 1 to 4.5e15, not {n}", n=n)
        if size < 0:
            raise PygptError("sample.int() takes a size from 0, not {size}", size=size)
        if replace:
            return np.array([self._below(n) + 1 for _ in range(size)], np.int64)
        if size > n:
            raise PygptError("sample.int() cannot draw {size} of {n} without putting them back", size=size, n=n)
        if n > _HASHED_FROM and size <= n / 2:
            return np.array(self._distinct(n, size), np.int64)
        if size < 2:
            return np.array([self._below(n) + 1 for _ in range(size)], np.int64)
        left = np.arange(1, n + 1, dtype=np.int64)
        drawn = np.empty(size, np.int64)
        for i in range(size):
            at = self._below(n - i)
            drawn[i] = left[at]
            left[at] = left[n - i - 1]
        return drawn

    def _distinct(self, n: int, size: int) -> list[int]:
        """Of a large population: drawn again while it was drawn before, a hundred times at most."""
        drawn: dict[int, None] = {}
        while len(drawn) < size:
            drawn.setdefault(self._below(n) + 1)
        return list(drawn)

    def _below(self, n: int) -> int:
        """`R_unif_index`: from 0 to n - 1, by rejection from the next power of two."""
        bits = math.ceil(math.log2(n))
        while True:
            value = 0
            for _ in range(0, bits + 1, 16):
                value = 65536 * value + math.floor(self._next() * 65536)
            value &= (1 << bits) - 1
            if value < n:
                return value

    def _next(self) -> float:
        if not self._ready:
            numbers = np.clip(self._twister.random_raw(_BLOCK) * _FROM_WORD, _HALF_STEP, 1 - _HALF_STEP)
            self._ready = numbers[::-1].tolist()
        return self._ready.pop()
