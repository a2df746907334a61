"""pygpt: the Python twin of a statistics course's small GPT in R (torch, luz), bit for bit.

import pygpt
run = pygpt.train(corpus="sample", epochs=1, out="runs/first")
run.generate("OLIVANE:", tokens=200, seed=123)
"""

from typing import TYPE_CHECKING, Any

from pygpt.errors import PygptError
from pygpt.version import __version__

if TYPE_CHECKING:
    from pygpt.api import Run, load, load_weights, train

__all__ = ["PygptError", "Run", "__version__", "load", "load_weights", "train"]


def __getattr__(name: str) -> Any:
    # Not before they are asked for (PEP 562): they bring torch, and `--help` is to answer at once.
    if name in ("Run", "load", "load_weights", "train"):
        from pygpt import api

        return getattr(api, name)
    raise AttributeError(f"module 'pygpt' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
