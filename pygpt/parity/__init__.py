"""pygpt against R: named quantities of two sides, compared in the order of computation."""

from pygpt.parity.compare import Comparison, Limit, Line, compare

__all__ = ["Comparison", "Limit", "Line", "compare"]
