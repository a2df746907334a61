"""The checks, in the order in which they run."""

from pygpt.grading.checks import (
    builds,
    causality,
    dropout,
    forward,
    generation,
    gradients,
    norms,
    training,
    vocabulary,
    whole,
)
from pygpt.grading.exam import Check

CHECKS: tuple[Check, ...] = (
    *builds.CHECKS,
    *forward.CHECKS,
    *norms.CHECKS,
    *builds.PARAMETERS,
    *causality.CHECKS,
    *whole.CHECKS,
    *gradients.CHECKS,
    *dropout.CHECKS,
    *training.CHECKS,
    *vocabulary.CHECKS,
    *generation.CHECKS,
)
