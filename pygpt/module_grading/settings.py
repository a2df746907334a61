"""What layers were built with, beside R's."""

from collections.abc import Mapping
from typing import Any

from pygpt.output.messages import Listed, Message, say

Settings = Mapping[str, Any]
_COUNTS_FROM_1 = ("padding_idx",)
_OF_THE_WRITER = ("batch_first", "track_running_stats")
"""A right port may have these otherwise."""


def differing(r: Settings, own: Settings) -> dict[str, Any]:
    """R's values, as Python has them, of the settings that a port's layer has otherwise.

    Args:
        r: what R's layer was built with; what is counted is counted from 1.
        own: the same of the port's.
    """
    there = {name: _row(name, value) for name, value in r.items() if name in own and name not in _OF_THE_WRITER}
    return {name: value for name, value in there.items() if _plain(value) != _plain(own[name])}


def told(r: Settings, own: Settings) -> Message:
    """In a sentence.

    Args:
        r: what `differing` gave.
    """
    lines = [say("{name} is {own}, in R {r}", name=name, own=str(own[name]), r=str(value)) for name, value in r.items()]
    return say("{settings}", settings=Listed(lines))


def _row(name: str, value: Any) -> Any:
    return value - 1 if name in _COUNTS_FROM_1 and isinstance(value, int | float) else value


def _plain(value: Any) -> Any:
    """Numbers as numbers, several equal ones as one: R has c(3, 3) where Python may have 3."""
    if isinstance(value, list | tuple):
        parts = [_plain(x) for x in value]
        return parts[0] if parts and all(x == parts[0] for x in parts) else tuple(parts)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
