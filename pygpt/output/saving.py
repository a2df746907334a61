"""Figures as bytes and as files: the same figure gives the same bytes."""

import io
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from pygpt.errors import PygptError
from pygpt.files import write_atomically

KINDS = (".png", ".svg")


def check_kind(path: Path) -> None:
    """Raise PygptError where `path` ends in neither .png nor .svg."""
    if path.suffix.lower() not in KINDS:
        raise PygptError("{path} must end in .png or .svg: the ending says which picture to write", path=path)


def image(figure: Figure, kind: str = "png", dpi: int = 120) -> bytes:
    """The figure as `png` or `svg`."""
    out = io.BytesIO()
    # Neither a date nor random ids.
    with matplotlib.rc_context({"svg.hashsalt": "pygpt"}):
        figure.savefig(out, format=kind, dpi=dpi, metadata={"Date": None} if kind == "svg" else None)
    return out.getvalue()


def save(figure: Figure, path: Path, dpi: int = 120) -> None:
    """Write the figure as the ending of `path` says.

    Raises:
        PygptError: `path` has another ending, or cannot be written.
    """
    check_kind(path)
    write_atomically(path, image(figure, path.suffix.lower().removeprefix("."), dpi))
