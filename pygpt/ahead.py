"""Dropout's masks, drawn by a thread of its own while the step before computes: the same numbers, in the same order.

libtorch draws a mask number by number, on one thread however many there are. Masks depend on no data. So while a step
computes, those that the next will ask for can be drawn, from where the generator will then be.
"""

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

Draw = tuple[torch.Size, torch.dtype, float]
"""A mask's shape and type, and the share of ones."""

_inside: "Ahead | None" = None


@dataclass(frozen=True)
class _Step:
    """What is drawn for a step: each mask, with the generator's state after it."""

    start: Tensor
    draws: list[Draw]
    masks: list[Future[tuple[Tensor, Tensor]]]


def drawn(mask: Tensor, share: float) -> Tensor:
    """`mask.bernoulli_(share)`, drawn ahead where the step is inside of an `Ahead`."""
    return mask.bernoulli_(share) if _inside is None else _inside.draw(mask, share)


class Ahead:
    """Stands for torch's global generator within steps that draw masks and nothing else; `with` is around each."""

    def __init__(self) -> None:
        self._worker = ThreadPoolExecutor(1, "masks", torch.set_num_threads, (1,))
        self._next: _Step | None = None
        self._drawn: list[Draw] = []
        self._state: Tensor | None = None  # of the generator, where masks of `_next` are being taken

    def __enter__(self) -> Self:
        """A step begins. What was drawn for it holds if the generator is where it was thought to be."""
        now = torch.get_rng_state()
        self._drawn = []
        self._state = now if self._next is not None and torch.equal(self._next.start, now) else None
        global _inside
        _inside = self
        return self

    def draw(self, mask: Tensor, share: float) -> Tensor:
        """`mask.bernoulli_(share)`"""
        place, draw = len(self._drawn), (mask.shape, mask.dtype, share)
        self._drawn.append(draw)
        if self._next is not None and self._state is not None:
            if place < len(self._next.draws) and self._next.draws[place] == draw:
                ready, self._state = self._next.masks[place].result()
                # Its memory itself, where numbers lie in it as in `mask`: a copy takes longer.
                return mask.set_(ready) if mask.is_contiguous() else mask.copy_(ready)  # type: ignore[call-overload]
            # This step is another than the last: it draws by itself from here on.
            torch.set_rng_state(self._state)
            self._state = None
        return mask.bernoulli_(share)

    def __exit__(self, *error: object) -> None:
        """The step is over: the generator is where its draws leave it, and those of the next begin."""
        global _inside
        _inside = None
        if not self._drawn:
            return
        if self._state is not None:
            torch.set_rng_state(self._state)
        elif self._next is not None:
            for mask in self._next.masks:
                mask.cancel()
        start, generator = torch.get_rng_state(), torch.Generator()
        generator.set_state(start)
        masks = [self._worker.submit(_mask, generator, *draw) for draw in self._drawn]
        self._next = _Step(start, self._drawn, masks)


def _mask(generator: torch.Generator, shape: torch.Size, dtype: torch.dtype, share: float) -> tuple[Tensor, Tensor]:
    mask = torch.empty(shape, dtype=dtype).bernoulli_(share, generator=generator)
    return mask, generator.get_state()
