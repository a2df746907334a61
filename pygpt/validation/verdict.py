"""How well losses agree with the recorded ones, and whether that is as good as it should be."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pygpt.exercises.exercise import Exercise, epochs_with_a_gap
from pygpt.validation.attempt import Attempt

# What R's code prints (`round(loss, 4)`): from this many decimals on, numbers count as identical to N digits.
LEAST_DIGITS = 4


@dataclass(frozen=True)
class Agreement:
    """Two rows of losses compared, value by value.

    Attributes:
        kind: `identical` (all are the same float32), `digits` or `differs`.
        compared: how many pairs.
        digits: decimals to which all pairs agree (differences of at most half a unit there); None if identical.
        first: number (from 1) of the first pair that differs in the fourth decimal; None if there is none.
        first_bit: number of the first pair that is not the same float32; None if identical.
        largest: largest absolute difference; infinite where a value is not finite.
    """

    kind: str
    compared: int
    digits: int | None
    first: int | None
    first_bit: int | None
    largest: float


@dataclass(frozen=True)
class Verdict:
    """What is said of an attempt.

    Attributes:
        steps: agreement of the steps' losses, None where the attempt has none.
        losses: agreement of the epochs' losses, in the order of `pairs`; None where it has none.
        pairs: (epoch, part) of each compared loss.
        same_weights: whether the weights are R's by their SHA-256; None where there are none to tell.
        outside: the (epoch, part) whose loss lies outside the band around R's.
        gaps_outside: the epochs whose gap between validation and train loss lies outside its band.
        good: identical or identical to N digits where that is due, else inside the band everywhere.
    """

    steps: Agreement | None
    losses: Agreement | None
    pairs: tuple[tuple[int, str], ...]
    same_weights: bool | None
    outside: tuple[tuple[int, str], ...]
    gaps_outside: tuple[int, ...]
    good: bool

    @property
    def in_band(self) -> bool:
        """Whether all that was compared lies inside its band."""
        return bool(self.pairs) and not self.outside and not self.gaps_outside

    @property
    def kind(self) -> str:
        """The worst of what was compared: `identical`, `digits` or `differs`."""
        kinds = [a.kind for a in (self.steps, self.losses) if a]
        if self.same_weights is False:
            kinds.append("digits")  # equal losses do not make other weights identical
        worst = max(kinds, key=("identical", "digits", "differs").index)
        # The same weights, evaluated here with other roundings, are the same weights.
        return "identical" if self.same_weights and not self.steps and worst == "digits" else worst

    @property
    def digits(self) -> int | None:
        """Decimals to which all agrees, where the verdict is `digits`."""
        digits = [a.digits for a in (self.steps, self.losses) if a and a.digits is not None]
        return min(digits) if self.kind == "digits" and digits else None


def compare(here: Sequence[float], recorded: Sequence[float], decimals: int | None = None) -> Agreement:
    """Compare as many values as `here` has with the first ones of `recorded`.

    Args:
        decimals: how many the values of `here` were written with; None: as many as a float32 needs.
    """
    a, b = np.array(here, dtype=np.float32), np.array(recorded[: len(here)], dtype=np.float32)
    known = a[: len(b)]
    difference = np.abs(known.astype(np.float64) - b.astype(np.float64))
    difference[~np.isfinite(difference)] = np.inf
    largest = float(difference.max(initial=0.0)) if len(a) == len(b) else np.inf
    not_same = [*np.flatnonzero(known != b), *range(len(b), len(a))]
    if not not_same and (decimals is None or decimals >= 8):
        return Agreement("identical", len(b), None, None, None, largest)
    over = [*np.flatnonzero(difference > _half_unit(LEAST_DIGITS)), *range(len(b), len(a))]
    digits = 0
    while digits < min(7, 7 if decimals is None else decimals) and largest <= _half_unit(digits + 1):
        digits += 1
    first_bit = int(not_same[0]) + 1 if not_same else None
    if digits >= LEAST_DIGITS:
        return Agreement("digits", len(b), digits, None, first_bit, largest)
    first = int(over[0]) + 1 if over else first_bit
    return Agreement("differs", len(b), digits, first, first_bit, largest)


def judge(exercise: Exercise, attempt: Attempt) -> Verdict:
    """Hold an attempt against the recording of its exercise."""
    pairs = tuple(key for key in exercise.keys if key in attempt.losses)
    steps = losses = None
    if attempt.steps:
        steps = compare(attempt.steps, exercise.recorded.steps)
    if pairs:
        there = [exercise.recorded.losses[key] for key in pairs]
        losses = compare([attempt.losses[key] for key in pairs], there, attempt.decimals)
    same = None if attempt.weights_sha256 is None else attempt.weights_sha256 == exercise.recorded.weights_sha256
    outside = tuple(key for key in pairs if not exercise.inside(key, attempt.losses[key]))
    gaps = tuple(e for e in epochs_with_a_gap(attempt.losses) if not exercise.gap_inside(e, attempt.losses))
    verdict = Verdict(steps, losses, pairs, same, outside, gaps, good=False)
    good = verdict.kind == "identical"
    if attempt.due != "identical":
        good |= verdict.kind == "digits"
    if attempt.due in ("band", "seed"):
        good |= verdict.in_band
    return dataclasses.replace(verdict, good=good)


def _half_unit(decimals: int) -> float:
    # A hair more, for R rounds in binary, too: 1.68795 may stand for 1.687949999.
    return 0.5 * 10.0**-decimals * (1 + 1e-3)
