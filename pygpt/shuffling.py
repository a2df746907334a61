"""`torch.randperm(n)` of a text so long that torch draws 64 bits a place: its beginning, in little memory.

libtorch then fills the order from the inside out (TensorFactories.cpp, `randperm_cpu`): in turn i = 0, 1, ..., n - 1 it
draws z from 0 to i, puts the number that stands at place z to place i, and i to place z. So the number at place p is
the last i above p whose z was p; where there is none, it is what the first turns put there. One pass through all draws,
which has to be made for what is drawn after them anyhow, settles the first places.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

LEAST = (2**32 - 1) // 20
"""From so many on torch draws in this way."""
_FIRST, _AT_ONCE = 1 << 23, 1 << 20


class Shuffling:
    """The order that `torch.randperm(n)` would give here; the global generator is left where it would leave it.

    The first 8,388,608 places take 4 bytes each (a day of training, without a GPU). Whoever goes further has the whole
    order made, in 4 bytes a window.
    """

    def __init__(self, n: int) -> None:
        self._n, self._generator = n, torch.Generator()
        self._generator.set_state(torch.get_rng_state())
        first = min(_FIRST, n)
        beginning = _drawn(0, first)
        later = np.full(first, -1, np.int64)
        for start in range(first, n, _AT_ONCE):
            drawn = _drawn(start, min(start + _AT_ONCE, n))
            turns = np.flatnonzero(drawn < first)
            later[drawn[turns]] = start + turns  # of several turns the last one's number stays
        self._order = torch.from_numpy(np.where(later < 0, _inside_out(beginning), later)).to(_kind(n))

    def __len__(self) -> int:
        """How many are shuffled."""
        return self._n

    def __getitem__(self, part: slice) -> Tensor:
        """The numbers at the places from `start` to `stop`."""
        if part.stop > len(self._order) < self._n:
            self._order = torch.randperm(self._n, dtype=_kind(self._n), generator=self._generator)
        return self._order[part]


def _kind(n: int) -> torch.dtype:
    return torch.int32 if n <= 2**31 else torch.int64


def _drawn(start: int, end: int) -> NDArray[np.int64]:
    """The draws of the turns from `start` to `end`, by the global generator."""
    bits = torch.empty(end - start, dtype=torch.int64).random_(-(2**63), None).numpy().view(np.uint64)
    return (bits % np.arange(start + 1, end + 1, dtype=np.uint64)).astype(np.int64)


def _inside_out(drawn: NDArray[np.int64]) -> NDArray[np.int32]:
    """The order after the turns from 0 on that drew these places."""
    n = len(drawn)
    turns = np.argsort(drawn, kind="stable")
    places = drawn[turns]
    again = np.append(False, places[1:] == places[:-1])
    # What each turn put to its own place: the number of the turn before it that drew the same place; or, where it is
    # the first that did, what turn z put there, to be looked up.
    put, look = np.full(n, -1, np.int32), drawn.astype(np.int32)
    put[turns[again]] = turns[:-1][again[1:]]
    own = drawn == np.arange(n)
    put[own] = np.flatnonzero(own)
    open_turns = np.flatnonzero(put < 0)
    while len(open_turns):
        put[open_turns], look[open_turns] = put[look[open_turns]], look[look[open_turns]]
        open_turns = open_turns[put[open_turns] < 0]
    order = put
    last = np.append(places[1:] != places[:-1], True)
    order[places[last]] = turns[last]
    return order
