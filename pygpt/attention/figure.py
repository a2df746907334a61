"""Pictures of a text's attention: a heat map for each layer and head, or the largest contributions to one position."""

import io
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure

from pygpt.attention.text import visible
from pygpt.attention.view import AttentionView, largest
from pygpt.errors import PygptError
from pygpt.files import write_atomically

KINDS = (".png", ".svg")
_BARS = 10
_INCHES_A_CHARACTER, _SMALLEST, _LARGEST = 0.16, 3.0, 10.0


def check_kind(path: Path) -> None:
    """Raise PygptError where `path` ends in neither .png nor .svg."""
    if path.suffix.lower() not in KINDS:
        raise PygptError(f"--out {path} must end in {' or '.join(KINDS)}: the ending says which picture to write")


def draw(shown: AttentionView, path: Path, title: str, position: int | None) -> None:
    """Write the picture: heat maps, or with a position (from 1) its largest contributions.

    Raises:
        PygptError: `path` has another ending, or cannot be written.
    """
    check_kind(path)
    figure = heat_maps(shown) if position is None else bars(shown, position)
    figure.suptitle(title, parse_math=False)
    image = io.BytesIO()
    # Neither a date nor random ids: the same run and text give the same bytes.
    with matplotlib.rc_context({"svg.hashsalt": "pygpt"}):
        kind = path.suffix.lower().removeprefix(".")
        figure.savefig(image, format=kind, dpi=120, metadata={"Date": None} if kind == "svg" else None)
    write_atomically(path, image.getvalue())


def heat_maps(shown: AttentionView) -> Figure:
    """W of every layer (row) and head (column), with the characters on both axes; grey is the future."""
    layers, heads, k, _ = shown.weights.shape
    side = min(_LARGEST, max(_SMALLEST, _INCHES_A_CHARACTER * k + 0.8))
    figure = Figure(figsize=(heads * side + 0.8, layers * side + 0.5), layout="constrained")
    grid = figure.subplots(layers, heads, squeeze=False)
    future = np.triu(np.ones((k, k), dtype=bool), 1)
    for layer, head in shown.heads():
        axes: Axes = grid[layer - 1, head - 1]
        # By square root, or in a long text all but the first rows would be white.
        image = axes.imshow(
            np.ma.masked_array(shown.weights[layer - 1, head - 1], future), cmap="Blues", norm=PowerNorm(0.5, 0, 1)
        )
        axes.set_facecolor("0.92")
        _characters(axes, shown.text, side)
        axes.set(title=f"layer {layer}, head {head}", xlabel="key j", ylabel="query i")
    figure.colorbar(image, ax=grid, label="weight w_ij (colour by its square root)", shrink=0.8, aspect=30)
    return figure


def _characters(axes: Axes, text: str, side: float) -> None:
    # Where the characters would touch, only every second, third, ... is written.
    step = max(1, round(len(text) * 0.11 / side))
    places = range(0, len(text), step)
    labels = [visible(text[i]) for i in places]
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_ticks(list(places), labels, fontsize=min(10, 72 * 0.8 * side / len(text) * step), parse_math=False)
    axes.tick_params(length=0)


def bars(shown: AttentionView, position: int) -> Figure:
    """The ten largest weights of `position` (from 1) in every layer (row) and head (column), all to one scale."""
    layers, heads = shown.weights.shape[:2]
    figure = Figure(figsize=(heads * 3.6, layers * 3.0 + 0.5), layout="constrained")
    grid = figure.subplots(layers, heads, squeeze=False, sharex=True)
    for layer, head in shown.heads():
        axes: Axes = grid[layer - 1, head - 1]
        found = largest(shown, layer, head, position)[:_BARS]
        axes.barh(range(len(found)), [c.weight for c in found], color="tab:blue")
        axes.set_yticks(range(len(found)), [f"{c.key} {visible(c.character)}" for c in found], parse_math=False)
        axes.invert_yaxis()
        axes.tick_params(labelbottom=True)
        axes.set(title=f"layer {layer}, head {head}", xlabel="weight w_ij", ylabel="key j")
    return figure
