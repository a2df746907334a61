"""R's ALTREP forms: vectors that are written shorter than they are (base R's own classes)."""

import math

import numpy as np

from pygpt.output.messages import say
from pygpt.r_files.streams import damaged
from pygpt.r_files.values import NA_INTEGER, NeedsRError, RValue, UnreadableError

_MOST_BYTES = 64 << 20


class Budget:
    """How much all of a file's sequences together may grow to: what they take in the file says nothing of it."""

    left = _MOST_BYTES

    def take(self, size: float) -> None:
        """Raise UnreadableError where `size` more bytes are too many."""
        if not size <= self.left:
            raise UnreadableError(say("its sequences are longer than {n:,} bytes", n=_MOST_BYTES))
        self.left -= int(size)


def expanded(info: RValue | None, state: RValue | None, budget: Budget) -> RValue:
    """The vector in full.

    Args:
        info: the class and the package that made it.
        state: what that class keeps.

    Raises:
        UnreadableError: a class that is not base R's, or a sequence too long.
    """
    name = info.data[0].data if info is not None and info.kind == "pairlist" and _is_symbol(info.data[0]) else ""
    if name in ("compact_intseq", "compact_realseq") and state is not None and state.kind == "double":
        return _sequence(name, state, budget)
    held = state.data if state is not None and state.kind in ("pairlist", "list") else []
    if name.startswith("wrap_") and held and held[0] is not None:
        return RValue(held[0].kind, held[0].data)
    if name == "deferred_string" and held and held[0] is not None and held[0].kind in ("integer", "double"):
        budget.take(64 * len(held[0]))
        return RValue("character", [_written(x) for x in held[0].data.tolist()])
    raise NeedsRError(
        say("it holds a vector in the form {name}, which only the R package that made it can read", name=str(name))
    )


def _is_symbol(value: RValue | None) -> bool:
    return value is not None and value.kind == "symbol"


def _sequence(name: str, state: RValue, budget: Budget) -> RValue:
    if len(state) != 3 or not np.isfinite(state.data).all():
        raise damaged()
    n, first, step = state.data.tolist()
    budget.take(8 * n)
    if n < 0 or n != int(n):
        raise damaged()
    values = first + step * np.arange(int(n))
    if name == "compact_realseq":
        return RValue("double", values)
    if len(values) and not -(2**31) < min(values[0], values[-1]) <= max(values[0], values[-1]) < 2**31:
        raise damaged()
    return RValue("integer", values.astype(np.int32))


def _written(x: float) -> str | None:
    """As `as.character` writes a number: 15 significant digits."""
    if isinstance(x, int):
        return None if x == NA_INTEGER else str(x)
    return "NaN" if math.isnan(x) else f"{x:.15g}"
