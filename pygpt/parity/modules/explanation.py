"""What explains a first divergence: what it was computed from, and which change of the port mends it, by trying."""

from pygpt.parity.compare import Comparison
from pygpt.parity.explanation import Explanation
from pygpt.parity.modules.lines import Sides
from pygpt.parity.modules.replay import Replay, Setting


def explained(sides: Sides, setting: Setting, comparison: Comparison, done: Replay) -> Explanation | None:
    return None
