"""R's bits on any number of threads: each operation is computed as quickly as R's bits allow, and that is found out.

Whether an operation is split between threads, and whether that shows in its bits, depends on its shapes, on the
libraries and on the processor. So nothing is taken for granted: before a training its very steps are rehearsed, and
each operation is computed on R's number of threads and on ours, from the same numbers. What differs in a bit is then
computed on R's number; a matrix product that oneDNN computes to the same bits and sooner is left to it (`products`).

On the recordings' kind of processor two of the course's operations depend on the threads: the gradient of LayerNorm's
weight and bias, which `r_semantics.layer_norm_backward` computes as R's threads do on any number of ours; and, from 4
threads on, the output layer's product, whose last columns, beyond a multiple of 16, are then rounded otherwise.
"""

import itertools
import math
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Self, TypeAlias

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

from pygpt import r_semantics
from pygpt.ahead import Ahead
from pygpt.determinism import on_threads
from pygpt.products import by_onednn

Operation: TypeAlias = tuple[Any, tuple[tuple[int, ...], ...]]
"""One of torch's operations, and the shapes of the tensors that it takes."""
Layout: TypeAlias = tuple[Any, ...]
"""The same with strides, types and all other arguments."""

# An operation that gives few numbers may give the same bits by chance: it is tried with other numbers, too.
_ENOUGH_NUMBERS, _MOST_TRIES = 128, 8
_LAYER_NORM = torch.ops.aten.native_layer_norm_backward.default
_MASK = torch.ops.aten.bernoulli_.float
_SECONDS_TO_LOOK = 6e-6
"""What it costs an operation to pass through `_AsFound`."""
_SECONDS_TO_DRAW = 5e-9
"""What a number of a mask costs, about."""


@dataclass(frozen=True)
class Exactness:
    """How a training keeps the bits of R on `r_threads` threads while it computes on `threads`.

    Attributes:
        fallback: what is computed on R's number of threads.
        count: how many operations of a step these are (they have other shapes in a short last batch).
        quick: what is computed otherwise than PyTorch does by itself, with the same bits and sooner.
        ahead: where dropout's masks come from, if not from the generator.
        fused: whether the model asks for its masks by itself (`pygpt.fused`).
    """

    threads: int
    r_threads: int
    fallback: frozenset[Operation] = frozenset()
    count: int = 0
    quick: Mapping[Layout, Callable[..., Any]] = field(default_factory=dict)
    ahead: Ahead | None = None
    fused: bool = False

    def __str__(self) -> str:
        told = f"exact on {self.threads} thread{'s' * (self.threads > 1)}"
        if not self.fallback:
            return told
        return f"{told}; {self.count} operation{'s' * (self.count > 1)} on {self.r_threads}"

    @property
    def facts(self) -> dict[str, Any]:
        """For the provenance of what was trained."""
        return {"exactness": str(self), "on_r_threads": self.names, "products_by_onednn": len(self.quick)}

    @property
    def names(self) -> list[str]:
        """The operations of `fallback` in words: `aten::mm 4096x128 128x66`."""
        return sorted(" ".join([f.name(), *("x".join(map(str, s)) for s in shapes)]) for f, shapes in self.fallback)

    def prepare(self, model: nn.Module) -> None:
        """Let every LayerNorm of `model` compute its gradient as this says."""
        own = self.threads == self.r_threads or any(function is _LAYER_NORM for function, _ in self.fallback)
        for module in model.modules():
            if isinstance(module, r_semantics.LayerNorm):
                module.r_threads = None if own else self.r_threads

    def computing(self) -> AbstractContextManager[object]:
        """Around a training step, and around the loss of a validation batch."""
        if self.fallback or self.quick or (self.ahead and not self.fused):
            return _AsFound(self)
        return self.ahead or nullcontext()


class _AsFound(TorchDispatchMode):  # type: ignore[no-untyped-call]
    def __init__(self, exactness: Exactness) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._found = exactness
        self._functions = {f for f, _ in exactness.fallback} | {layout[0] for layout in exactness.quick} | {_MASK}

    def __enter__(self) -> Self:
        if self._found.ahead is not None:
            self._found.ahead.__enter__()
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)  # type: ignore[no-untyped-call]
        if self._found.ahead is not None:
            self._found.ahead.__exit__()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func not in self._functions:
            return func(*args, **kwargs)
        if func is _MASK and self._found.ahead is not None:
            return self._found.ahead.draw(*args)
        quick = self._found.quick.get(_layout(func, args, kwargs))
        if quick is not None:
            return quick(*args, **kwargs)
        if _operation(func, args, kwargs) in self._found.fallback:
            with on_threads(self._found.r_threads):
                return func(*args, **kwargs)
        return func(*args, **kwargs)


class Rehearsal(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Inside of it, every operation that is new is computed on R's number of threads, too, and the bits are compared.

    The generator is left where the operations on our threads leave it.
    """

    def __init__(self, threads: int, r_threads: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._threads, self._r_threads = threads, r_threads
        self._same: dict[Layout, bool] = {}
        self._quick: dict[Layout, Callable[..., Any]] = {}
        self._saved: dict[Layout, float] = {}  # seconds, each time
        self._steps: list[list[Layout]] = []
        self._operations: dict[Layout, Operation] = {}
        self._noise = torch.Generator().manual_seed(0)

    def begin(self) -> Self:
        """For `with`: a step of other shapes begins."""
        self._steps.append([])
        return self

    def result(self) -> Exactness:
        """What was found."""
        step = self._steps[0]
        saved = sum(self._saved.get(layout, 0.0) for layout in step)
        drawing = self._seconds_of_drawing()
        pays = saved + drawing > _SECONDS_TO_LOOK * len(step)
        quick = self._quick if pays and saved else {}
        differing = {x for x, same in self._same.items() if not same and x not in quick}
        ahead = Ahead() if pays and drawing and not any(x[0] is _MASK for x in differing) else None
        if any(x[0] is _LAYER_NORM for x in differing):
            # The sum in R's parts is not R's here: then every LayerNorm is left to PyTorch, on R's threads.
            differing |= {x for x in self._same if x[0] is _LAYER_NORM}
        fallback = frozenset(self._operations[x] for x in differing)
        by_step = [{self._operations[x] for x in step if x in differing} for step in self._steps]
        count = sum(max(sum(g is f for g, _ in of_step) for of_step in by_step) for f in {f for f, _ in fallback})
        return Exactness(self._threads, self._r_threads, fallback, count, quick, ahead)

    def _seconds_of_drawing(self) -> float:
        """Of the masks that another thread can draw: where there is one, and the generator draws nothing but masks."""
        drawing = [x for x in self._steps[0] if torch.Tag.nondeterministic_seeded in x[0].tags]
        if self._threads == 1 or any(x[0] is not _MASK or len(x) != 3 for x in drawing):
            return 0.0
        return _SECONDS_TO_DRAW * sum(math.prod(shape) for x in drawing for shape in self._operations[x][1])

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        ours, layout = self._ours(func), _layout(func, args, kwargs)
        # What an empty tensor holds is nobody's result.
        if func.is_view or "empty" in func.name() or not _tensors((args, kwargs)):
            return func(*args, **kwargs)
        self._steps[-1].append(layout)
        if layout in self._same:
            return ours(*args, **kwargs)
        self._operations[layout] = _operation(func, args, kwargs)
        result, self._same[layout] = self._compared(func, ours, args, kwargs)
        quick = by_onednn(func, args, kwargs)
        if quick is not None:
            self._try(quick, layout, func, args)
        return result

    def _try(self, quick: Callable[..., Any], layout: Layout, func: Any, args: Any) -> None:
        """Keep `quick` where it has R's bits and takes less time than `func` on the same threads.

        Which is sooner depends on their number: oneDNN does not share out the products of two transposes (the gradients
        of weights), so on two threads MKL is ahead there.
        """
        with on_threads(self._threads if self._same[layout] else self._r_threads):
            as_r, seconds = func(*args), _seconds(func, args)
        if _same_bits(quick(*args), as_r):
            saved = seconds - _seconds(quick, args)
            if saved > 0:
                self._quick[layout], self._saved[layout] = quick, saved

    def _compared(self, func: Any, ours: Callable[..., Any], args: Any, kwargs: Any) -> tuple[Any, bool]:
        """The result on our threads, and whether R's threads give the same bits."""
        changes, draws = func._schema.is_mutable, torch.Tag.nondeterministic_seeded in func.tags
        once = draws or torch.Tag.pointwise in func.tags
        given = (args, kwargs)
        result, same, numbers = None, True, 0
        for attempt in range(1 if once else _MOST_TRIES):
            before = tree_map_only(Tensor, torch.clone, given) if changes else given
            state = torch.get_rng_state() if draws else None
            with on_threads(self._r_threads):
                as_r = func(*before[0], **before[1])
            if state is not None:
                torch.set_rng_state(state)
            here = ours(*given[0], **given[1])
            if attempt == 0:
                result = here
            sides = [_tensors(side) for side in (((as_r, before), (here, given)) if changes else (as_r, here))]
            same &= all(_same_bits(a, b) for a, b in zip(*sides, strict=True))
            numbers += sum(x.numel() for x in sides[0])
            if not same or numbers >= _ENOUGH_NUMBERS:
                break
            given = tree_map_only(Tensor, self._other_numbers, (args, kwargs))
        return result, same

    def _other_numbers(self, tensor: Tensor) -> Tensor:
        """A copy; real numbers are between half and three halves of what they were."""
        if not tensor.is_floating_point():
            return tensor.clone()
        return tensor * (0.5 + torch.rand(tensor.shape, generator=self._noise, dtype=tensor.dtype))

    def _ours(self, func: Any) -> Callable[..., Any]:
        if func is not _LAYER_NORM:
            return func  # type: ignore[no-any-return]
        return lambda g, x, shape, mean, rstd, weight, bias, which: r_semantics.layer_norm_backward(
            g, x, mean, rstd, weight, bias, self._r_threads
        )


def _seconds(function: Callable[..., Any], args: Any) -> float:
    """The less of two times, since others may be using this machine, too."""
    moments = [time.perf_counter()]
    for _ in range(2):
        function(*args)
        moments.append(time.perf_counter())
    return min(b - a for a, b in itertools.pairwise(moments))


def _tensors(tree: Any) -> list[Tensor]:
    return [x for x in tree_leaves(tree) if isinstance(x, Tensor)]


def _operation(func: Any, args: Any, kwargs: Any) -> Operation:
    return func, tuple(tuple(x.shape) for x in _tensors((args, kwargs)))


def _layout(func: Any, args: Any, kwargs: Any) -> Layout:
    leaves = tree_leaves((args, kwargs))
    return func, *((x.shape, x.stride(), x.dtype) if isinstance(x, Tensor) else x for x in leaves)


def _same_bits(a: Tensor, b: Tensor) -> bool:
    return torch.equal(a.reshape(-1).view(torch.uint8), b.reshape(-1).view(torch.uint8))
