"""What a layer was built with, beside R's."""

from collections.abc import Mapping
from typing import Any

from pygpt.output.messages import Listed, Message, say

_COUNTS_FROM_1 = ("padding_idx",)
_OF_THE_WRITER = ("batch_first", "track_running_stats")
"""A right port may have these otherwise."""


def differing(
    r: tuple[str, Mapping[str, Any]] | None, own: tuple[str, Mapping[str, Any]] | None
) -> Message | None:
    """In which settings a port's layer is not R's; None where in none, or where one of them is not known.

    Args:
        r: class and settings in R, where what is counted is counted from 1.
        own: those of the port.
    """
    if r is None or own is None:
        return None
    told = [
        say("{name} is {own}, in R {r}", name=name, own=str(here), r=str(there))
        for name, given in own[1].items()
        if name in r[1] and name not in _OF_THE_WRITER
        for here, there in [(_plain(given), _plain(_row(name, r[1][name])))]
        if here != there
    ]
    return say("{settings}", settings=Listed(told)) if told else None


def _row(name: str, value: Any) -> Any:
    return value - 1 if name in _COUNTS_FROM_1 and isinstance(value, int | float) else value


def _plain(value: Any) -> Any:
    """Numbers as numbers, several equal ones as one: R has c(3, 3) where Python may have 3."""
    if isinstance(value, list | tuple):
        parts = [_plain(x) for x in value]
        return parts[0] if parts and all(x == parts[0] for x in parts) else tuple(parts)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
