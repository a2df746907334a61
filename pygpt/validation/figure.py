"""Figures 1 and 2 of the course with three sets of curves: the course's, R's, the run's; and the steps' losses."""

import io
from collections.abc import Callable
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from pygpt.errors import PygptError
from pygpt.figures import smooth
from pygpt.files import write_atomically
from pygpt.validation.course import EPOCHS, PARTS, Losses
from pygpt.validation.report import Report, Section
from pygpt.validation.words import say

KINDS = (".png", ".svg")
_COLOURS = {"course": "tab:orange", "r": "tab:blue", "run": "black"}
_LINES = {"train": "-", "valid": "--"}
# The run is drawn over R with open marks, so that both are seen where they are the same.
_MARKS = {"course": "s", "r": "o", "run": "o"}
_SIZES = {"course": 5, "r": 5, "run": 9}
_SMOOTH_OVER = 50
_POINTS = 600


def check_kind(path: Path) -> None:
    """Raise PygptError where `path` ends in neither .png nor .svg."""
    if path.suffix.lower() not in KINDS:
        raise PygptError(f"--figure {path} must end in {' or '.join(KINDS)}: the ending says which picture to write")


def write(report: Report, path: Path, lang: str) -> None:
    """Write the figure.

    Raises:
        PygptError: `path` has another ending, or cannot be written.
    """
    check_kind(path)
    write_atomically(path, image(report, lang, path.suffix.lower().removeprefix(".")))


def image(report: Report, lang: str, kind: str) -> bytes:
    """The figure as `png` or `svg`: a row an exercise; loss, perplexity, losses of the steps."""
    rows = len(report.sections)
    figure = Figure(figsize=(14, 3.9 * rows + 0.5), layout="constrained")
    grid = figure.subplots(rows, 3, squeeze=False)
    for (loss, perplexity, steps), section in zip(grid, report.sections, strict=True):
        _epochs(loss, section, lang, "loss", lambda x: x)
        _epochs(perplexity, section, lang, "ppl", np.exp)
        _steps(steps, section, lang)
    handles, labels = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    out = io.BytesIO()
    # Neither a date nor random ids: the same results give the same bytes.
    with matplotlib.rc_context({"svg.hashsalt": "pygpt"}):
        figure.savefig(out, format=kind, dpi=110, metadata={"Date": None} if kind == "svg" else None)
    return out.getvalue()


def _epochs(
    axes: Axes,
    section: Section,
    lang: str,
    quantity: str,
    of_loss: Callable[[NDArray[np.float64]], NDArray[np.float64]],
) -> None:
    e = section.exercise
    sources: dict[str, Losses] = {"course": e.published.losses, "r": e.recorded.losses}
    if section.attempt and section.attempt.losses:
        sources["run"] = section.attempt.losses
    for source, losses in sources.items():
        for part in PARTS:
            epochs = [epoch for epoch in range(1, EPOCHS + 1) if (epoch, part) in losses]
            axes.plot(
                epochs,
                of_loss(np.array([losses[epoch, part] for epoch in epochs])),
                _LINES[part],
                color=_COLOURS[source],
                marker=_MARKS[source],
                markersize=_SIZES[source],
                markerfacecolor="none" if source == "run" else None,
                label=f"{say(lang, source)}, {say(lang, part)}",
            )
    title = say(lang, quantity).capitalize()
    axes.set(title=f"{say(lang, e.model)}: {title}", xlabel=say(lang, "epoch"))
    axes.set_ylabel(say(lang, "loss_unit") if quantity == "loss" else say(lang, quantity))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)


def _steps(axes: Axes, section: Section, lang: str) -> None:
    steps = {"r": section.exercise.recorded.steps}
    if section.attempt and section.attempt.steps:
        steps["run"] = section.attempt.steps
    shown = min(map(len, steps.values()))
    width = max(1, shown // _SMOOTH_OVER)
    for source, losses in steps.items():
        values, every = smooth(losses[:shown], width), max(1, shown // _POINTS)
        line = ":" if source == "run" else "-"
        axes.plot(
            np.arange(1, shown + 1)[::every],
            values[::every],
            line,
            color=_COLOURS[source],
            linewidth=2 if source == "run" else 1.5,
            alpha=1 if source == "run" else 0.7,
            label=say(lang, source),
        )
    first = section.verdict.steps.first if section.verdict and section.verdict.steps else None
    if first:
        axes.axvline(first, color="tab:red", linewidth=1, label=say(lang, "differs_from", n=first))
    title = say(lang, "step_losses", width=width)
    axes.set(title=f"{say(lang, section.exercise.model)}: {title}", xlabel=say(lang, "step"))
    axes.set_ylabel(say(lang, "loss_unit"))
    # The first steps are far above the rest: without them the curves can be told apart.
    settled = np.concatenate([smooth(losses[:shown], width)[shown // 10 :] for losses in steps.values()])
    settled = settled[np.isfinite(settled)]
    if settled.size and np.ptp(settled) > 0:
        margin = 0.1 * np.ptp(settled)
        axes.set_ylim(settled.min() - margin, settled.max() + margin)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
