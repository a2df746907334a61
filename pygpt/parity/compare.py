"""Comparing two sides of a computation, name by name: how far apart, where, and which parts first."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pygpt.errors import PygptError


@dataclass(frozen=True)
class Limit:
    """How far a quantity may be off: |actual - expected| <= absolute + relative * |expected|, everywhere."""

    absolute: float = 0.0
    relative: float = 0.0


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
    expected: Mapping[str, Tensor], actual: Mapping[str, Tensor], limit_of: Callable[[str], Limit] = lambda _: Limit()
) -> Comparison:
    """Compare two mappings of named tensors, in the order of `expected`.

    Names that only `actual` has come last, as divergences.

    Args:
        limit_of: the limit of a name; zero by default.

    Raises:
        PygptError: there is nothing to compare.
    """
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
    excess = difference - (limit.absolute + limit.relative * np.abs(e))
    worst = np.unravel_index(int(np.argmax(excess)), e.shape)
    scale = np.where(e == 0, 1.0, np.abs(e))
    return Line(
        name=name,
        shape=tuple(e.shape),
        absolute=float(difference.max()),
        relative=float((difference / scale).max()),
        ulp=float((difference / _spacing(expected)).max()),
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
