"""Which loss a recording has: the one that gives R's number for R's output, or the port's own."""

from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

from pygpt.errors import PygptError
from pygpt.isolation.any_module import flat
from pygpt.parity.modules.port import Port
from pygpt.parity.modules.recording import ModuleRecording

Loss: TypeAlias = Callable[[Any, Tensor | None], Tensor]

_NEAR = 1e-5


def loss_of(recording: ModuleRecording, port: Port) -> Loss:
    """The loss of (output, target): the known one that gives R's number for R's output, else the port's own.

    Raises:
        PygptError: none that is known here gives R's number, and the port has none.
    """
    if recording.loss is None or not recording.outputs:
        return port.loss or _mean_square
    known = _nearest(recording, recording.loss.item())
    if known is not None:
        return known
    if port.loss is not None:
        return port.loss
    raise PygptError(
        "{path}: R's loss ({name}) is none that is known here. Define loss(output, target) in {file}; the classes it "
        "gets count from 0",
        path=recording.path, name=recording.loss_name or "not named", file=port.file,
    )  # fmt: skip


def _nearest(recording: ModuleRecording, expected: float) -> Loss | None:
    nearest, best = _NEAR * max(1.0, abs(expected)), None
    for loss in _KNOWN:
        try:
            off = abs(loss(recording.outputs, recording.targets).item() - expected)
        except (RuntimeError, ValueError, TypeError, IndexError, AttributeError):
            continue
        if off < nearest:
            nearest, best = off, loss
    return best


def _first(output: Any) -> Tensor:
    tensor: Tensor = next(leaf for leaf in flat(output) if isinstance(leaf, Tensor))
    return tensor


def _given(target: Tensor | None) -> Tensor:
    if target is None:
        raise ValueError("no target")
    return target


def _mean_square(output: Any, target: Tensor | None) -> Tensor:
    return _first(output).square().mean()


def _of_classes(function: Callable[..., Tensor], last: bool) -> Loss:
    """A loss of classes; `last`: the classes are the output's last axis, as a language model has them."""

    def loss(output: Any, target: Tensor | None) -> Tensor:
        y, rows = _first(output), _given(target).long()
        if not last:
            return function(y, rows)
        return function(y.reshape(-1, y.shape[-1]), rows.reshape(-1))

    return loss


def _plain(function: Callable[..., Tensor]) -> Loss:
    def loss(output: Any, target: Tensor | None) -> Tensor:
        y, target = _first(output), _given(target)
        if y.shape != target.shape:
            raise ValueError("another shape")
        return function(y, target if torch.is_floating_point(target) else target.to(y.dtype))

    return loss


def _unreduced(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    return lambda y, t: function(y, t, reduction="sum")


_CLASSES: tuple[Callable[..., Tensor], ...] = (functional.cross_entropy, functional.nll_loss)
_VALUES: tuple[Callable[..., Tensor], ...] = (
    functional.mse_loss, functional.l1_loss, functional.binary_cross_entropy_with_logits,
    functional.binary_cross_entropy, functional.smooth_l1_loss, functional.huber_loss,
    functional.soft_margin_loss, functional.poisson_nll_loss,
)  # fmt: skip
_KNOWN: tuple[Loss, ...] = (
    *(_of_classes(function, last) for last in (True, False) for function in _CLASSES),
    *(_of_classes(_unreduced(function), last) for last in (True, False) for function in _CLASSES),
    *(_plain(function) for function in _VALUES),
    *(_plain(_unreduced(function)) for function in _VALUES),
    _mean_square,
    lambda output, target: _first(output).mean(),
    lambda output, target: _first(output).sum(),
    lambda output, target: _first(output).square().sum(),
)
