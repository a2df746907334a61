"""Comparing two sides of a computation, name by name: how far apart, where, and which parts first."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pygpt.errors import PygptError
from pygpt.models import CharacterModel
from pygpt.trace import quantities


@dataclass(frozen=True)
class Limit:
    """How far a quantity may be off, in each of its elements:

    |actual - expected| <= absolute + relative * |expected| + of_largest * (largest |expected| of the tensor).
    """

    absolute: float = 0.0
    relative: float = 0.0
    of_largest: float = 0.0


@dataclass(frozen=True)
class Line:
    """One quantity, compared. The differences are the largest; `where` is the place of the worst element."""

    name: str
    shape: tuple[int, ...]
    absolute: float
    relative: float
    ulp: float
    where: tuple[int, ...]
    expected: float
    actual: float
    limit: Limit
    agrees: bool
    problem: str = ""
    """Why the two could not be compared at all: missing on one side, another shape, not finite."""


@dataclass(frozen=True)
class Comparison:
    """All lines, in the order of computation."""

    lines: tuple[Line, ...]

    @property
    def first_divergence(self) -> Line | None:
        """The first line that is over its limit."""
        return next((line for line in self.lines if not line.agrees), None)

    @property
    def agrees(self) -> bool:
        return self.first_divergence is None


def compare(
    expected: Mapping[str, Tensor] | CharacterModel,
    actual: Mapping[str, Tensor] | CharacterModel,
    limit_of: Callable[[str], Limit] = lambda _: Limit(),
) -> Comparison:
    """Compare two mappings of named tensors, or two models, in the order of `expected`.

    Names that only `actual` has come last, as divergences.

    Args:
        expected: tensors by name; or a model, which stands for its weights, activations, loss and gradients
            on two windows of drawn rows (`trace.quantities`).
        actual: likewise; two models must take the same rows.
        limit_of: the limit of a name; zero by default.

    Raises:
        PygptError: there is nothing to compare.
    """
    expected, actual = (quantities(side) if isinstance(side, CharacterModel) else side for side in (expected, actual))
    if not expected and not actual:
        raise PygptError("there is nothing to compare")
    names = [*expected, *(name for name in actual if name not in expected)]
    return Comparison(tuple(_line(name, expected.get(name), actual.get(name), limit_of(name)) for name in names))


def _line(name: str, expected: Tensor | None, actual: Tensor | None, limit: Limit) -> Line:
    if expected is None or actual is None:
        present = actual if expected is None else expected
        assert present is not None
        side = "not expected" if expected is None else "missing"
        return _not_compared(name, present, limit, side)
    if expected.shape != actual.shape:
        return _not_compared(name, expected, limit, f"shape {tuple(actual.shape)}, not {tuple(expected.shape)}")
    e, a = (t.detach().to("cpu", torch.float64).numpy() for t in (expected, actual))
    if e.size == 0:
        return Line(name, e.shape, 0.0, 0.0, 0.0, (), 0.0, 0.0, limit, True)
    if not (np.isfinite(e).all() and np.isfinite(a).all()):
        return _not_compared(name, expected, limit, "not finite")
    difference = np.abs(a - e)
    allowed = limit.absolute + limit.relative * np.abs(e) + limit.of_largest * np.abs(e).max()
    excess = difference - allowed
    worst = np.unravel_index(int(np.argmax(excess)), e.shape)
    scale = np.where(e == 0, 1.0, np.abs(e))
    with np.errstate(over="ignore"):  # next to zero, the next number is so near that the ulps overflow
        ulp = float((difference / _spacing(expected)).max())
    return Line(
        name=name,
        shape=tuple(e.shape),
        absolute=float(difference.max()),
        relative=float((difference / scale).max()),
        ulp=ulp,
        where=tuple(int(i) for i in worst),
        expected=float(e[worst]),
        actual=float(a[worst]),
        limit=limit,
        agrees=bool((excess <= 0).all()),
    )


def _spacing(expected: Tensor) -> "np.ndarray[tuple[int, ...], np.dtype[np.float64]]":
    """The distance from each value to its next neighbour, in the type it was recorded in; 1 for whole numbers."""
    if not expected.is_floating_point():
        return np.ones(tuple(expected.shape))
    values = expected.detach().cpu().abs()
    if torch.equal(values, values.float().to(values.dtype)):
        values = values.float()  # float32 that was written down as float64
    return np.asarray(np.spacing(values.numpy()), dtype=np.float64)


def _not_compared(name: str, tensor: Tensor, limit: Limit, problem: str) -> Line:
    inf = float("inf")
    return Line(name, tuple(tensor.shape), inf, inf, inf, (), inf, inf, limit, False, problem)
