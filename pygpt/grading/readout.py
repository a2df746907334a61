"""Seeing inner quantities through a submission's own output layer, and judging what is seen."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy
import torch
from torch import Tensor

from pygpt.grading.exam import Exam, Verdict
from pygpt.grading.messages import say
from pygpt.grading.port import Weights, reference
from pygpt.settings import ModelSettings

# An output layer that shows less than this share of what R's shows is no readout.
_SHOWS = 0.02
# In standard deviations; what rounding or another eps does is far smaller.
_LIE = 0.1


@dataclass(frozen=True)
class View:
    """One quantity at one length, seen through the output layer: what should be and what is."""

    expected: Tensor
    actual: Tensor
    shows: float
    """How strongly the submission's output layer answers to a change, as a share of R's."""


def seen(
    exam: Exam,
    settings: ModelSettings,
    active: tuple[Weights, Tensor],
    still: tuple[Weights, Tensor],
    decoy: Tensor,
    rng: torch.Generator,
) -> View:
    """What `active` gives, beside what the submission shows of the right result.

    Args:
        active: weights and rows (batch, k) at which the part in question works.
        still: weights at which no block works, and rows that hold the right result.
        decoy: rows near the right result: their logits must differ, or the output layer shows nothing.
        rng: shuffles right result and decoy, which a submission cannot tell apart.
    """
    weights, x = active
    actual = exam.port.logits(settings, only_rows(exam, settings, weights, x), [x])[0]
    asked = [still[1], decoy]
    order = torch.randperm(2, generator=rng).tolist()
    answers = exam.port.logits(settings, still[0], [asked[i] for i in order])
    expected, other = (answers[order.index(i)] for i in range(2))
    model = reference(settings, still[0])
    with torch.no_grad():
        right, moved = model(still[1]), model(decoy)
    shows = _moves(expected, other) / max(_moves(right, moved), 1e-30)
    if distance(other, moved) <= exam.tolerance and distance(expected, right) > _LIE:
        shows = 0.0  # right about the decoy alone: it knows which is which, and answers what suits it
    return View(expected, actual, shows)


def only_rows(exam: Exam, settings: ModelSettings, weights: Weights, x: Tensor) -> Weights:
    """A copy whose token embedding holds the rows `x` and noise: among the others is the right result."""
    if exam.port.built(settings).carried.tied:
        return weights  # the output layer is made of them: there they must stay the same
    table = weights["wte.weight"]
    noise = torch.randn(table.shape, generator=torch.Generator().manual_seed(1), dtype=table.dtype)
    kept = torch.zeros(len(table), 1, dtype=torch.bool)
    kept[:2] = True
    kept[x.flatten()] = True
    return weights | {"wte.weight": torch.where(kept, table, float(table.std()) * noise)}


def verdict(views: Sequence[View], tolerance: float, last_only: bool = False) -> Verdict:
    """The worst element of several views; at the last position alone, where no mask has a say, if so wished."""
    worst, difference = None, -1.0
    for view in views:
        if view.shows < _SHOWS:
            return Verdict(
                False,
                say("an output layer that lets the result be seen"),
                say("the logits hardly change with the input ({share} of R's change)", share=view.shows),
            )
        found = distance(view.actual[:, -1:], view.expected[:, -1:]) if last_only else None
        found = found or distance(view.actual, view.expected)
        if found > difference:
            worst, difference = view, found
    assert worst is not None
    return compared(worst.actual, worst.expected, tolerance, last_only)


def compared(actual: Tensor, expected: Tensor, tolerance: float, last_only: bool = False) -> Verdict:
    """Logits (batch, k, nvoc) held against others, in standard deviations of what was expected."""
    scale = _scale(expected)
    if last_only:
        actual, expected = actual[:, -1:], expected[:, -1:]
    gap = (actual - expected).abs()
    # Not torch.unravel_index, which takes half a second to import what it needs.
    where = tuple(int(i) for i in numpy.unravel_index(int(gap.argmax()), tuple(gap.shape)))
    position = expected.shape[1] if last_only else where[1] + 1
    passed = bool((gap <= tolerance * scale).all())
    return Verdict(
        passed,
        say("{value} at position {position}", value=float(expected[where]), position=position),
        say(
            "{value} (largest difference {gap} standard deviations, {tolerance} allowed)",
            value=float(actual[where]),
            gap=float(gap.max()) / scale,
            tolerance=tolerance,
        ),
    )


def distance(actual: Tensor, expected: Tensor) -> float:
    """The largest difference, in standard deviations of `expected`."""
    return float((actual - expected).abs().max()) / _scale(expected)


def _scale(logits: Tensor) -> float:
    return max(float(logits.std()), 1e-30)


def _moves(a: Tensor, b: Tensor) -> float:
    return float((a - b).abs().mean()) / _scale(a)
