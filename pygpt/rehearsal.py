"""The first step of each kind, in which is found how its bits are R's: on R's number of threads and on ours.

Kinds are batches of a size, to train on and to validate on: an epoch has at most four. What a rehearsed step gives is
what R's number of threads gives. So it is a step like any other, and costs what computing its operations twice costs.
"""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only

from pygpt import r_semantics
from pygpt.ahead import Ahead
from pygpt.determinism import on_threads
from pygpt.exactness import LAYER_NORM, MASK, Exactness, Layout, Operation, layout_of, operation_of, tensors_of
from pygpt.products import by_onednn

# An operation that gives few numbers may give the same bits by chance: it is tried with other numbers, too.
_ENOUGH_NUMBERS, _MOST_TRIES = 128, 8
_SECONDS_TO_LOOK = 6e-6
"""What it costs an operation to be looked at in each step (`Exactness.computing`)."""
_SECONDS_TO_DRAW = 5e-9
"""What a number of a mask costs, about."""


class Rehearsed:
    """How a training computes: as `exactness` says, which grows with each rehearsal."""

    def __init__(self, model: nn.Module, exactness: Exactness, rehearses: bool) -> None:
        """Begin with `exactness`; where nothing is rehearsed it stays so."""
        self.exactness, self._unrehearsed, self._model = exactness, exactness, model
        self._rehearsal = Rehearsal(exactness.threads, exactness.r_threads) if rehearses else None
        self._kinds: set[tuple[torch.Size, bool]] = set()
        exactness.prepare(model)

    @contextmanager
    def computing(self, x: Tensor) -> Iterator[None]:
        """Around a training step, or the loss of a validation batch, with the rows `x`."""
        kind = x.shape, self._model.training
        if self._rehearsal is None or kind in self._kinds:
            with self.exactness.computing():
                yield
            return
        replace(self._unrehearsed, r_threads=self._unrehearsed.threads).prepare(self._model)
        with self._rehearsal.begin():
            yield
        self._kinds.add(kind)
        self.exactness = self._rehearsal.result(self._unrehearsed)
        self.exactness.prepare(self._model)
        if self.exactness.threads == self.exactness.r_threads:
            self._rehearsal = None  # nothing can differ, and what is computed by oneDNN is in the first step


class Rehearsal(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Inside of it, every operation that is new is computed on both numbers of threads, and the bits are compared."""

    def __init__(self, threads: int, r_threads: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._threads, self._r_threads = threads, r_threads
        self._same: dict[Layout, bool] = {}
        self._quick: dict[Layout, Callable[..., Any]] = {}
        self._saved: dict[Layout, float] = {}  # seconds, each time
        self._steps: list[list[Layout]] = []
        self._operations: dict[Layout, Operation] = {}
        self._noise = torch.Generator().manual_seed(0)
        self._ahead: Ahead | None = None

    def begin(self) -> Self:
        """For `with`: a step of another kind begins."""
        self._steps.append([])
        return self

    def result(self, unrehearsed: Exactness) -> Exactness:
        """What is found so far, in place of what was thought before."""
        step = self._steps[0]
        saved = sum(self._saved.get(layout, 0.0) for layout in step)
        drawing = 0.0 if unrehearsed.fused else self._seconds_of_drawing()
        pays = saved + drawing > _SECONDS_TO_LOOK * len(step)
        quick = self._quick if pays and saved else {}
        differing = {x for x, same in self._same.items() if not same and x not in quick}
        if pays and drawing and self._ahead is None:
            self._ahead = Ahead()
        ahead = None if any(x[0] is MASK for x in differing) else self._ahead or unrehearsed.ahead
        if any(x[0] is LAYER_NORM for x in differing):
            # The sum in R's parts is not R's here: then every LayerNorm is left to PyTorch, on R's threads.
            differing |= {x for x in self._same if x[0] is LAYER_NORM}
        fallback = frozenset(self._operations[x] for x in differing)
        by_step = [{self._operations[x] for x in step if x in differing} for step in self._steps]
        count = sum(max(sum(g is f for g, _ in of_step) for of_step in by_step) for f in {f for f, _ in fallback})
        return replace(unrehearsed, fallback=fallback, count=count, quick=quick, ahead=ahead)

    def _seconds_of_drawing(self) -> float:
        """Of the masks that another thread can draw: where there is one, and the generator draws nothing but masks."""
        drawing = [x for x in self._steps[0] if torch.Tag.nondeterministic_seeded in x[0].tags]
        if self._threads == 1 or any(x[0] is not MASK or len(x) != 3 for x in drawing):
            return 0.0
        return _SECONDS_TO_DRAW * sum(math.prod(shape) for x in drawing for shape in self._operations[x][1])

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        # What an empty tensor holds is nobody's result.
        if func.is_view or "empty" in func.name() or not tensors_of((args, kwargs)):
            return func(*args, **kwargs)
        layout = layout_of(func, args, kwargs)
        self._steps[-1].append(layout)
        if self._same.get(layout):
            return self._ours(func)(*args, **kwargs)
        if layout in self._same:
            with on_threads(self._r_threads):
                return func(*args, **kwargs)
        self._operations[layout] = operation_of(func, args, kwargs)
        result, self._same[layout] = self._compared(func, args, kwargs)
        for quick in by_onednn(func, args, kwargs):
            self._try(quick, layout, args, result)
        return result

    def _try(self, quick: Callable[..., Any], layout: Layout, args: Any, as_r: Tensor) -> None:
        """Keep `quick` where it has R's bits and takes less time than what would be taken without it.

        Which is sooner depends on the threads: oneDNN does not share out the products of two transposes (the gradients
        of weights), so on two threads MKL is ahead there of all but blocks of columns.
        """
        first, seconds = _timed(quick, args, {})
        if not _same_bits(first, as_r):
            return
        with on_threads(self._threads if self._same[layout] else self._r_threads):
            usual = _timed(layout[0], args, {})[1]  # the first time took longer than others will
        if seconds > usual:
            seconds = _timed(quick, args, {})[1]
        saved = usual - seconds
        if saved > self._saved.get(layout, 0.0):
            self._quick[layout], self._saved[layout] = quick, saved

    def _compared(self, func: Any, args: Any, kwargs: Any) -> tuple[Any, bool]:
        """What R's threads give, and whether ours give the same bits."""
        if self._threads == self._r_threads:
            return func(*args, **kwargs), True
        given, draws = (args, kwargs), torch.Tag.nondeterministic_seeded in func.tags
        result, same, numbers = self._on_both(func, given, draws)
        if not draws and torch.Tag.pointwise not in func.tags:
            for _ in range(_MOST_TRIES - 1):
                if not same or numbers >= _ENOUGH_NUMBERS:
                    break
                _, same, more = self._on_both(func, tree_map_only(Tensor, self._other_numbers, given), draws)
                numbers += more
        return result, same

    def _on_both(self, func: Any, given: Any, draws: bool) -> tuple[Any, bool, int]:
        """The same, and how many numbers were compared; what `func` changes is left as R's threads leave it."""
        changes, start = func._schema.is_mutable, torch.get_rng_state() if draws else None
        copy = tree_map_only(Tensor, torch.clone, given) if changes else given
        with on_threads(self._r_threads):
            as_r = func(*copy[0], **copy[1])
        end = torch.get_rng_state() if draws else None
        if start is not None:
            torch.set_rng_state(start)
        here = self._ours(func)(*given[0], **given[1])
        ours, of_r = (tensors_of(side) for side in (((here, given), (as_r, copy)) if changes else (here, as_r)))
        same, numbers = all(map(_same_bits, ours, of_r)), sum(x.numel() for x in ours)
        if same:
            return here, same, numbers
        if end is not None:
            torch.set_rng_state(end)
        for mine, true in zip(tensors_of(given), tensors_of(copy), strict=True) if changes else ():
            mine.copy_(true)
        return here if changes else as_r, same, numbers

    def _other_numbers(self, tensor: Tensor) -> Tensor:
        """A copy; real numbers are between half and three halves of what they were."""
        if not tensor.is_floating_point():
            return tensor.clone()
        return tensor * (0.5 + torch.rand(tensor.shape, generator=self._noise, dtype=tensor.dtype))

    def _ours(self, func: Any) -> Callable[..., Any]:
        if func is not LAYER_NORM or self._threads == self._r_threads:
            return func  # type: ignore[no-any-return]
        return lambda g, x, shape, mean, rstd, weight, bias, which: r_semantics.layer_norm_backward(
            g, x, mean, rstd, weight, bias, self._r_threads
        )


def _timed(function: Callable[..., Any], args: Any, kwargs: Any) -> tuple[Any, float]:
    began = time.perf_counter()
    result = function(*args, **kwargs)
    return result, time.perf_counter() - began


def _same_bits(a: Tensor, b: Tensor) -> bool:
    return torch.equal(a.reshape(-1).view(torch.uint8), b.reshape(-1).view(torch.uint8))
