"""Judging inner quantities by what the submission's output layer makes of them.

Where the logits are R's, that is all. Where they are not, the mistake may lie in the output layer, which is judged
elsewhere: then they are held against what the submission itself makes of R's result. It is asked that in a process of
its own, which has not seen the question, and among other vectors, which it cannot tell from R's result.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy
import torch
from torch import Tensor

from pygpt.grading.check import Verdict
from pygpt.grading.drawn import with_rows
from pygpt.grading.exam import Exam
from pygpt.grading.port import Weights, reference
from pygpt.output.messages import say
from pygpt.settings import ModelSettings

DECOYS = 4
GROUPS = 2 + DECOYS
"""Of vectors in the token embedding: the input, R's result, the decoys."""
# An output layer that shows less than this share of what R's shows is no readout.
_SHOWS = 0.02


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
    still: Weights,
    change: Weights,
    vectors: tuple[Tensor, Tensor],
    rng: torch.Generator,
    last_only: bool = False,
) -> View:
    """What a part makes of its input, beside R's result.

    Args:
        still: weights at which the part in question does nothing.
        change: what differs from them where it works.
        vectors: its input and R's result, (batch, k, n_embd) each.
        last_only: the last position alone is judged.
    """
    given, right = vectors
    candidates, place = _among_decoys(right, rng)
    held, (x, *rows) = with_rows(still, given, *candidates)
    active = exam.port.fitted(settings, held | change)
    (actual,) = exam.port.logits(settings, _only_rows(exam, settings, active, [x]), [x])
    fitted = exam.port.fitted(settings, held)
    model = reference(settings, fitted)
    with torch.no_grad():
        truths = [model(row) for row in rows]
    if compared(actual, truths[place], exam.tolerance, last_only).passed:
        return View(truths[place], actual, 1.0)
    answers = exam.apart.logits(settings, _only_rows(exam, settings, fitted, rows), rows)
    shows = min(
        _moves(answers[place], answers[i]) / max(_moves(truths[place], truths[i]), 1e-30)
        for i in range(len(rows))
        if i != place
    )
    return View(answers[place], actual, shows)


def _among_decoys(right: Tensor, rng: torch.Generator) -> tuple[list[Tensor], int]:
    """Vectors drawn alike around a point that is kept back, in a drawn order, and which of them is the right one."""
    size = 0.1 * float(right.std())
    noise = size * torch.randn(DECOYS + 1, *right.shape, generator=rng, dtype=right.dtype)
    place = int(torch.randint(DECOYS + 1, (1,), generator=rng))
    candidates = list(right - noise[place] + noise)
    candidates[place] = right
    return candidates, place


def _only_rows(exam: Exam, settings: ModelSettings, weights: Weights, asked: Sequence[Tensor]) -> Weights:
    """A copy whose token embedding holds the rows that are asked for, and else noise."""
    if exam.port.built(settings).carried.tied:
        return weights  # the output layer is made of them: there they must stay the same
    table = weights["wte.weight"]
    noise = torch.randn(table.shape, generator=torch.Generator().manual_seed(1), dtype=table.dtype)
    kept = torch.zeros(len(table), 1, dtype=torch.bool)
    kept[:2] = True
    for rows in asked:
        kept[rows.flatten()] = True
    return weights | {"wte.weight": torch.where(kept, table, float(table.std()) * noise)}


def worst(views: Sequence[View], tolerance: float, last_only: bool = False) -> Verdict:
    """The first of several views that is wrong, else the last; at the last position alone, if so wished."""
    for view in views:
        if view.shows < _SHOWS:
            return Verdict.of(
                False,
                say("an output layer that lets the result be seen"),
                say("the logits hardly change with the input ({share} of R's change)", share=view.shows),
            )
        verdict = compared(view.actual, view.expected, tolerance, last_only)
        if not verdict.passed:
            break
    return verdict


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
    return Verdict.of(
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
