"""The checks, one file a stage or two. What is asked about a port and what it is worth: `rubric.toml`."""

from pygpt.grading.changes import CHANGES
from pygpt.grading.check import REGISTERED, STAGES, in_order
from pygpt.grading.checks import (  # noqa: F401 (each registers its checks)
    builds,
    causality,
    dropout,
    forward,
    generation,
    gradients,
    training,
    vocabulary,
)
from pygpt.grading.rubric import default_points

CHECKS = in_order(REGISTERED.values())
"""In the order in which they run."""

if unknown := {change.check for change in CHANGES} - {check.id for check in CHECKS} - STAGES.keys():
    raise ValueError(f"a change costs {', '.join(sorted(unknown))}: there is no such check")
if unlike := {check.id for check in CHECKS} ^ default_points().keys():
    raise ValueError(f"rubric.toml and the checks differ in {', '.join(sorted(unlike))}")
