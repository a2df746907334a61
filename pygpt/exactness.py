"""R's bits on any number of threads: each operation is computed as quickly as R's bits allow, and that is found out.

Whether an operation is split between threads, and whether that shows in its bits, depends on its shapes, on the
libraries and on the processor. So nothing is taken for granted: the first step of each kind is a rehearsal
(`rehearsal`), in which each operation is computed on R's number of threads and on ours, from the same numbers. What
differs in a bit is then computed on R's number; a matrix product that oneDNN computes to the same bits and sooner is
left to it (`products`).

On the recordings' kind of processor two of the course's operations depend on the threads: the gradient of LayerNorm's
weight and bias, which `r_semantics.layer_norm_backward` computes as R's threads do on any number of ours; and, from 4
threads on, the output layer's product, whose last columns, beyond a multiple of 16, are then rounded otherwise.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Self, TypeAlias

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from pygpt import r_semantics
from pygpt.ahead import Ahead
from pygpt.determinism import on_threads

Operation: TypeAlias = tuple[Any, tuple[tuple[int, ...], ...]]
"""One of torch's operations, and the shapes of the tensors that it takes."""
Layout: TypeAlias = tuple[Any, ...]
"""The same with strides, types and all other arguments."""

LAYER_NORM = torch.ops.aten.native_layer_norm_backward.default
MASK = torch.ops.aten.bernoulli_.float


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

    def is_news_after(self, told: "Exactness | None") -> bool:
        """Whether there is something to tell that was not told."""
        before = Exactness(self.threads, self.threads) if told is None else told
        return (self.r_threads, self.fallback, bool(self.quick), bool(self.ahead)) != (
            before.r_threads, before.fallback, bool(before.quick), bool(before.ahead),
        )  # fmt: skip

    def prepare(self, model: nn.Module) -> None:
        """Let every LayerNorm of `model` compute its gradient as this says."""
        own = self.threads == self.r_threads or any(function is LAYER_NORM for function, _ in self.fallback)
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
        self._functions = {f for f, _ in exactness.fallback} | {layout[0] for layout in exactness.quick} | {MASK}

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
        if func is MASK and self._found.ahead is not None:
            return self._found.ahead.draw(*args)
        quick = self._found.quick.get(layout_of(func, args, kwargs))
        if quick is not None:
            return quick(*args, **kwargs)
        if operation_of(func, args, kwargs) in self._found.fallback:
            with on_threads(self._found.r_threads):
                return func(*args, **kwargs)
        return func(*args, **kwargs)


def tensors_of(tree: Any) -> list[Tensor]:
    return [x for x in tree_leaves(tree) if isinstance(x, Tensor)]


def operation_of(func: Any, args: Any, kwargs: Any) -> Operation:
    return func, tuple(tuple(x.shape) for x in tensors_of((args, kwargs)))


def layout_of(func: Any, args: Any, kwargs: Any) -> Layout:
    leaves = tree_leaves((args, kwargs))
    return func, *((x.shape, x.stride(), x.dtype) if isinstance(x, Tensor) else x for x in leaves)
