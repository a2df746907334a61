"""Pictures of a text's attention: a heat map for each layer and head, or the largest contributions to one position."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from pygpt.attention.text import visible
from pygpt.attention.view import AttentionView
from pygpt.output.messages import number, tell

_BARS = 10
_INCHES_A_CHARACTER, _SMALLEST, _LARGEST = 0.16, 3.0, 10.0


def heat_maps(view: AttentionView, lang: str = "en") -> Figure:
    """W of every layer (row) and head (column), with the characters on both axes; grey is the future."""
    layers, heads, k, _ = view.weights.shape
    side = min(_LARGEST, max(_SMALLEST, _INCHES_A_CHARACTER * k + 0.8))
    figure = Figure(figsize=(heads * side + 0.8, layers * side + 0.5), layout="constrained")
    grid = figure.subplots(layers, heads, squeeze=False)
    future = np.triu(np.ones((k, k), dtype=bool), 1)
    for layer, head in view.heads():
        axes: Axes = grid[layer - 1, head - 1]
        # By square root, or in a long text all but the first rows would be white.
        image = axes.imshow(
            np.ma.masked_array(view.weights[layer - 1, head - 1], future), cmap="Blues", norm=PowerNorm(0.5, 0, 1)
        )
        axes.set_facecolor("0.92")
        _characters(axes, view.text, side)
        axes.set(title=_title(layer, head, lang), xlabel=tell(lang, "key j"), ylabel=tell(lang, "query i"))
    figure.colorbar(
        image,
        ax=grid,
        label=tell(lang, "weight w_ij (colour by its square root)"),
        format=_marks(lang),
        shrink=0.8,
        aspect=30,
    )
    return figure


def bars(view: AttentionView, position: int, lang: str = "en") -> Figure:
    """The ten largest weights of `position` (from 1) in every layer (row) and head (column), all to one scale.

    Raises:
        PygptError: the text has no such position.
    """
    layers, heads = view.weights.shape[:2]
    figure = Figure(figsize=(heads * 3.6, layers * 3.0 + 0.5), layout="constrained")
    grid = figure.subplots(layers, heads, squeeze=False, sharex=True)
    for layer, head in view.heads():
        axes: Axes = grid[layer - 1, head - 1]
        contributions = view.largest(layer, head, position)[:_BARS]
        places = range(len(contributions))
        axes.barh(places, [c.weight for c in contributions], color="tab:blue")
        axes.set_yticks(places, [f"{c.key} {visible(c.character)}" for c in contributions], parse_math=False)
        axes.invert_yaxis()
        axes.tick_params(labelbottom=True)
        axes.xaxis.set_major_formatter(_marks(lang))
        axes.set(title=_title(layer, head, lang), xlabel=tell(lang, "weight w_ij"), ylabel=tell(lang, "key j"))
    return figure


def _characters(axes: Axes, text: str, side: float) -> None:
    # Where the characters would touch, only every second, third, ... is written.
    step = max(1, round(len(text) * 0.11 / side))
    places = range(0, len(text), step)
    labels = [visible(text[i]) for i in places]
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_ticks(list(places), labels, fontsize=min(10, 72 * 0.8 * side / len(text) * step), parse_math=False)
    axes.tick_params(length=0)


def _title(layer: int, head: int, lang: str) -> str:
    return tell(lang, "layer {layer}, head {head}", layer=layer, head=head)


def _marks(lang: str) -> FuncFormatter:
    return FuncFormatter(lambda value, _place: number(value, "g", lang))
