"""R's bits on any number of threads: the operations that depend on how many are found, and computed on R's number.

Whether an operation is split between threads, and whether that shows in its bits, depends on its shapes, on the
libraries and on the processor. So nothing is taken for granted: before a training its very steps are rehearsed, and
each operation is computed on R's number of threads and on ours, from the same numbers.

On the recordings' kind of processor two of the course's operations depend on it: the gradient of LayerNorm's weight
and bias, which `r_semantics.layer_norm_backward` computes as R's threads do on any number of ours; and, from 4 threads
on, the output layer's product, whose last columns, beyond a multiple of 16, are then rounded otherwise.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

from pygpt import r_semantics
from pygpt.determinism import on_threads

Operation: TypeAlias = tuple[Any, tuple[tuple[int, ...], ...]]
"""One of torch's operations, and the shapes of the tensors that it takes."""

# An operation that gives few numbers may give the same bits by chance: it is tried with other numbers, too.
_ENOUGH_NUMBERS, _MOST_TRIES = 128, 8
_LAYER_NORM = torch.ops.aten.native_layer_norm_backward.default


@dataclass(frozen=True)
class Exactness:
    """How a training keeps the bits of R on `r_threads` threads while it computes on `threads`.

    Attributes:
        fallback: what is computed on R's number of threads.
        count: how many operations of a step these are (they have other shapes in a short last batch).
        forward_only: whether all of them belong to the model's forward pass and its loss.
    """

    threads: int
    r_threads: int
    fallback: frozenset[Operation] = field(default=frozenset())
    count: int = 0
    forward_only: bool = True

    def __str__(self) -> str:
        if not self.fallback:
            return f"exact on {self.threads} threads"
        operations = "1 operation" if self.count == 1 else f"{self.count} operations"
        return f"exact on {self.threads} threads; {operations} on {self.r_threads}"

    @property
    def facts(self) -> dict[str, Any]:
        """For the provenance of what was trained."""
        return {"exactness": str(self), "on_r_threads": self.names}

    @property
    def names(self) -> list[str]:
        """The operations of `fallback` in words: `mm 4096x128 128x66`."""
        return sorted(" ".join([f.name(), *("x".join(map(str, s)) for s in shapes)]) for f, shapes in self.fallback)

    def prepare(self, model: nn.Module) -> None:
        """Let every LayerNorm of `model` compute its gradient as this says."""
        own = self.threads == self.r_threads or any(function is _LAYER_NORM for function, _ in self.fallback)
        for module in model.modules():
            if isinstance(module, r_semantics.LayerNorm):
                module.r_threads = None if own else self.r_threads

    def forward(self) -> AbstractContextManager[object]:
        """Around the model's forward pass and its loss."""
        return _OnRThreads(self) if self.fallback else nullcontext()

    def step(self) -> AbstractContextManager[object]:
        """Around a whole training step."""
        return nullcontext() if self.forward_only else _OnRThreads(self)


class _OnRThreads(TorchDispatchMode):  # type: ignore[no-untyped-call]
    def __init__(self, exactness: Exactness) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._operations, self._r_threads = exactness.fallback, exactness.r_threads
        self._functions = {function for function, _ in exactness.fallback}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func in self._functions and _operation(func, args, kwargs) in self._operations:
            with on_threads(self._r_threads):
                return func(*args, **kwargs)
        return func(*args, **kwargs)


class Rehearsal(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Inside of it, every operation that is new is computed on R's number of threads, too, and the bits are compared.

    The generator is left where the operations on our threads leave it.
    """

    def __init__(self, threads: int, r_threads: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._threads, self._r_threads = threads, r_threads
        self._same: dict[tuple[Any, ...], bool] = {}
        self._norms: set[Operation] = set()
        self._differing: list[set[Operation]] = []
        self._forward, self._forward_only = False, True
        self._noise = torch.Generator().manual_seed(0)

    def begin(self) -> None:
        """A step of other shapes begins."""
        self._differing.append(set())

    @contextmanager
    def forward(self) -> Iterator[None]:
        """What is computed in it is the model's forward pass and its loss."""
        self._forward = True
        try:
            yield
        finally:
            self._forward = False

    def result(self) -> Exactness:
        """What was found."""
        found = frozenset[Operation]().union(*self._differing)
        if found & self._norms:
            # The sum in R's parts is not R's here: then every LayerNorm is left to PyTorch, on R's threads.
            found, self._forward_only = found | self._norms, False
        functions = {function for function, _ in found}
        count = sum(max(sum(g is f for g, _ in step & found) for step in self._differing) for f in functions)
        return Exactness(self._threads, self._r_threads, found, count, self._forward_only)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        ours = self._ours(func)
        leaves = tree_leaves((args, kwargs))
        # What an empty tensor holds is nobody's result.
        if func.is_view or "empty" in func.name() or not any(isinstance(leaf, Tensor) for leaf in leaves):
            return func(*args, **kwargs)
        layout = (func, *((x.shape, x.stride(), x.dtype) if isinstance(x, Tensor) else x for x in leaves))
        if layout in self._same:
            result = ours(*args, **kwargs)
        else:
            result, self._same[layout] = self._compared(func, ours, args, kwargs)
        operation = _operation(func, args, kwargs)
        if func is _LAYER_NORM:
            self._norms.add(operation)
        if not self._same[layout]:
            self._differing[-1].add(operation)
            self._forward_only &= self._forward
        return result

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
            sides = [
                [x for x in tree_leaves(side) if isinstance(x, Tensor)]
                for side in (((as_r, before), (here, given)) if changes else (as_r, here))
            ]
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


def _operation(func: Any, args: Any, kwargs: Any) -> Operation:
    return func, tuple(tuple(x.shape) for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor))


def _same_bits(a: Tensor, b: Tensor) -> bool:
    return torch.equal(a.reshape(-1).view(torch.uint8), b.reshape(-1).view(torch.uint8))
