"""A batch in shares: one for each process, or one after the other where memory is short.

Each process draws what a single one would draw - weights, order, the masks of the whole batch - and takes of it what
belongs to its rows. So loss and gradients are those of the whole batch but for the order in which numbers are added.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from pygpt.processes import ALONE, Processes

LossOf = Callable[[Tensor, Tensor], Tensor]
"""The loss of a batch (x, y), a scalar with its graph."""

_MASK, _DROPOUT = torch.ops.aten.bernoulli_.float, torch.ops.aten.native_dropout.default


def whole(loss_of: LossOf, x: Tensor, y: Tensor) -> Tensor:
    """The loss of a batch, with its gradients in the parameters' `grad`, all in one go."""
    loss = loss_of(x, y)
    loss.backward()  # type: ignore[no-untyped-call]
    return loss.detach()


def _sum_of(losses: Iterable[Tensor]) -> Tensor:
    """The sum of scalars, as a new one."""
    return torch.stack(list(losses)).sum()


@dataclass(frozen=True)
class Shares:
    """How a batch is cut: into `accumulate` shares for each process, which it computes one after the other.

    Attributes:
        parameters: those whose gradients are added up.
        own_masks: whether dropout's masks can be taken from the whole batch's (not from a compiled model).
    """

    processes: Processes = ALONE
    accumulate: int = 1
    parameters: list[nn.Parameter] = field(default_factory=list)
    own_masks: bool = True

    @property
    def several(self) -> bool:
        """Whether a batch is cut at all."""
        return self.processes.count * self.accumulate > 1

    def backward(self, loss_of: LossOf, x: Tensor, y: Tensor) -> Tensor:
        """As `whole`, for the whole batch (x, y) that every process is given.

        Raises:
            PygptError: another process has gone.
        """
        if not self.several:
            return whole(loss_of, x, y)
        loss = _sum_of(whole(part, x, y) for part, x, y in self._own_parts(loss_of, x, y))
        if self.processes.count > 1:
            gradients = [p.grad for p in self.parameters if p.grad is not None]
            flat = torch.cat([*(g.reshape(-1) for g in gradients), loss.reshape(1)])
            self.processes.add(flat)
            *summed, loss = torch.split(flat, [*(g.numel() for g in gradients), 1])
            torch._foreach_copy_(gradients, [s.view_as(g) for s, g in zip(summed, gradients, strict=True)])
        return loss.reshape(()).clone()

    def loss(self, loss_of: LossOf, x: Tensor, y: Tensor) -> Tensor:
        """The loss of the whole batch, without gradients.

        Raises:
            PygptError: another process has gone.
        """
        if not self.several:
            return loss_of(x, y)
        loss = _sum_of(part(x, y) for part, x, y in self._own_parts(loss_of, x, y))
        self.processes.add(loss)
        return loss

    def _own_parts(self, loss_of: LossOf, x: Tensor, y: Tensor) -> Iterator[tuple[LossOf, Tensor, Tensor]]:
        """This process's shares (x, y), each with what it adds to the batch's loss."""
        rows, state = len(x), _generator_state(x.device)
        for first, last in self._own(rows):
            # Where a short batch has not a row for each share, one is computed that does not count.
            weight, last = (last - first) / rows, max(last, first + 1)
            if self.own_masks:
                _set_generator_state(x.device, state)
            part = _Part(loss_of, weight, _OfTheWhole(rows, first, last) if self.own_masks else None)
            yield part, x[first:last], y[first:last]

    def _own(self, rows: int) -> list[tuple[int, int]]:
        """First row and end of each of this process's shares; as equal as can be, all of them together the batch."""
        shares = self.processes.count * self.accumulate
        ends = [i * rows // shares for i in range(shares + 1)]
        own = range(self.processes.rank * self.accumulate, (self.processes.rank + 1) * self.accumulate)
        return [(ends[i], ends[i + 1]) if ends[i] < ends[i + 1] else (0, 0) for i in own]


@dataclass(frozen=True)
class _Part:
    """The loss of a share, times its part of the batch."""

    loss_of: LossOf
    weight: float
    masks: "_OfTheWhole | None"

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        with self.masks or nullcontext():
            return self.loss_of(x, y) * self.weight


class _OfTheWhole(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Inside of it, dropout's masks are rows `first` to `last` of those that a batch of `rows` rows would draw.

    A mask's first dimension is the batch, or the batch's heads, one row's beside each other.
    """

    def __init__(self, rows: int, first: int, last: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._rows, self._first, self._last = rows, first, last

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func is _MASK:
            return self._mask(*args, **(kwargs or {}))
        if func is _DROPOUT and args[2] is not False:
            x, share, _ = args
            kept = self._mask(torch.empty_like(x), 1 - share)
            return x * kept * (1 / (1 - share)), kept.bool()
        return func(*args, **(kwargs or {}))

    def _mask(self, mask: Tensor, share: float = 0.5, **kwargs: Any) -> Tensor:
        a_row = len(mask) // (self._last - self._first)
        if not mask.is_cpu:  # a GPU's numbers depend on how many are drawn at once
            drawn = mask.new_empty((self._rows * a_row, *mask.shape[1:])).bernoulli_(share, **kwargs)
            return mask.copy_(drawn[self._first * a_row : self._last * a_row])
        self._pass_over(mask, self._first * a_row, share)
        mask.bernoulli_(share, **kwargs)
        self._pass_over(mask, (self._rows - self._last) * a_row, share)
        return mask

    def _pass_over(self, mask: Tensor, rows: int, share: float) -> None:
        """Draw the rows of others, a few at a time: numbers come one by one, so how many are asked for is the same."""
        for start in range(0, rows, len(mask)):
            torch.empty_like(mask[: rows - start]).bernoulli_(share)


def _generator_state(device: torch.device) -> Tensor:
    return torch.cuda.get_rng_state(device) if device.type == "cuda" else torch.get_rng_state()


def _set_generator_state(device: torch.device, state: Tensor) -> None:
    if device.type == "cuda":
        torch.cuda.set_rng_state(state, device)
    else:
        torch.set_rng_state(state)
