"""Figures 1 and 2 of the course with three sets of curves, the course's, R's, the run's, and the band around R's."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, ScalarFormatter
from numpy.typing import NDArray

from pygpt.exercises.exercise import GAP, PARTS, Losses, epochs_with_a_gap, gap
from pygpt.figures import smooth
from pygpt.output import saving
from pygpt.output.messages import Message, number, say, tell
from pygpt.validation.names import MODELS, SOURCES
from pygpt.validation.names import PARTS as PART_NAMES
from pygpt.validation.report import Report, Section

_OfLoss = Callable[[NDArray[np.float64]], NDArray[np.float64]]
_COLOURS = {"course": "tab:orange", "r": "tab:blue", "run": "black"}
_LINES = {"train": "-", "valid": "--"}
# The two bands overlap: one is hatched.
_HATCHES = {"train": None, "valid": "////"}
# The run is drawn over R with open marks, so that both are seen where they are the same.
_MARKS = {"course": "s", "r": "o", "run": "o"}
_SIZES = {"course": 5, "r": 5, "run": 9}
_SMOOTH_OVER = 50
_POINTS = 600
_DPI = 110


class _Numbers(ScalarFormatter):
    """Ticks with the language's marks, as many decimals as matplotlib chooses."""

    def __init__(self, lang: str) -> None:
        super().__init__(useOffset=False)
        self.set_scientific(False)
        self._lang = lang

    def __call__(self, x: float, pos: int | None = None) -> str:
        decimals = len(super().__call__(x, pos).partition(".")[2])
        return number(x, f".{decimals}f", self._lang)


def write(report: Report, path: Path, lang: str) -> None:
    """Write the figure.

    Raises:
        PygptError: `path` ends in neither .png nor .svg, or cannot be written.
    """
    saving.save(_draw(report, lang), path, _DPI)


def png(report: Report, lang: str) -> bytes:
    """The figure as PNG."""
    return saving.image(_draw(report, lang), dpi=_DPI)


def in_words(report: Report, lang: str) -> str:
    """What is to be seen in the figure, for those who cannot see it."""
    return " ".join(line.render(lang) for section in report.sections for line in _section_words(section))


def _draw(report: Report, lang: str) -> Figure:
    """A row an exercise: loss, perplexity, gap, and, where a run's are there, losses of the steps."""
    rows, with_steps = len(report.sections), any(section.has_steps for section in report.sections)
    figure = Figure(figsize=(18 if with_steps else 14, 3.9 * rows + 0.5), layout="constrained")
    grid = figure.subplots(rows, 4 if with_steps else 3, squeeze=False)
    for (loss, perplexity, gaps, *steps), section in zip(grid, report.sections, strict=True):
        _epochs(loss, section, lang, lambda x: x)
        _label(loss, section, say("Loss"), say("epoch"), _UNIT, lang)
        _epochs(perplexity, section, lang, np.exp)
        _label(perplexity, section, say("Perplexity"), say("epoch"), say("perplexity"), lang)
        _gaps(gaps, section)
        _label(gaps, section, say("validation - train"), say("epoch"), _UNIT, lang)
        for axes in steps:
            if not section.has_steps:
                axes.set_axis_off()
                continue
            width = _steps(axes, section, lang)
            _label(axes, section, say("step losses, mean of {width} steps", width=width), say("step"), _UNIT, lang)
    handles, labels = grid[0, 0].get_legend_handles_labels()
    # in two lines where there are many
    columns = len(labels) if len(labels) <= 6 else -(-len(labels) // 2)
    figure.legend(handles, labels, loc="outside lower center", ncols=columns, frameon=False)
    return figure


_UNIT = say("cross entropy (nats per character)")


def _label(axes: Axes, section: Section, title: Message, x: Message, y: Message, lang: str) -> None:
    axes.set(
        title=f"{MODELS[section.exercise.model].render(lang)}: {title.render(lang)}",
        xlabel=x.render(lang),
        ylabel=y.render(lang),
    )
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(_Numbers(lang))
    axes.grid(alpha=0.3)


def _epochs(axes: Axes, section: Section, lang: str, of_loss: _OfLoss) -> None:
    e = section.exercise
    for part in PARTS:
        r = {epoch: e.recorded.losses[epoch, part] for epoch in range(1, e.epochs + 1)}
        label = tell(lang, "99% band, {part}", part=PART_NAMES[part])
        _band(axes, r, [e.half_width(part, epoch) for epoch in r], of_loss, _HATCHES[part], label)
    for source, losses in _sources(section).items():
        for part in PARTS:
            values = {epoch: losses[epoch, part] for epoch in range(1, e.epochs + 1) if (epoch, part) in losses}
            label = f"{SOURCES[source].render(lang)}, {PART_NAMES[part].render(lang)}"
            _line(axes, source, values, of_loss, _LINES[part], label)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _gaps(axes: Axes, section: Section) -> None:
    """Validation less train loss; the legend of the losses tells the colours."""
    for source, losses in _sources(section).items():
        values = {epoch: gap(losses, epoch) for epoch in epochs_with_a_gap(losses)}
        if source == "r":
            halves = [section.exercise.half_width(GAP, epoch) for epoch in values]
            _band(axes, values, halves, lambda x: x, None, None)
        _line(axes, source, values, lambda x: x, "-", None)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _sources(section: Section) -> dict[str, Losses]:
    e = section.exercise
    sources: dict[str, Losses] = {"course": e.published.losses} if e.published.losses else {}
    sources["r"] = e.recorded.losses
    if section.attempt and section.attempt.losses:
        sources["run"] = section.attempt.losses
    return sources


def _line(axes: Axes, source: str, values: dict[int, float], of_loss: _OfLoss, line: str, label: str | None) -> None:
    axes.plot(
        list(values),
        of_loss(np.array(list(values.values()))),
        line,
        color=_COLOURS[source],
        marker=_MARKS[source],
        markersize=_SIZES[source],
        markerfacecolor="none" if source == "run" else None,
        label=label,
    )


def _band(
    axes: Axes, r: dict[int, float], halves: list[float], of_loss: _OfLoss, hatch: str | None, label: str | None
) -> None:
    """The 99% band around R's values by epoch."""
    middle, half = np.array(list(r.values())), np.array(halves)
    axes.fill_between(
        list(r),
        of_loss(middle - half),
        of_loss(middle + half),
        facecolor=to_rgba(_COLOURS["r"], 0.12),
        edgecolor=to_rgba(_COLOURS["r"], 0.35),
        hatch=hatch,
        linewidth=0.5,
        label=label,
    )


def _steps(axes: Axes, section: Section, lang: str) -> int:
    """Draw as many steps as the run and R have; over how many each point is a mean."""
    assert section.attempt
    steps = {"r": section.exercise.recorded.steps, "run": section.attempt.steps}
    length = min(map(len, steps.values()))
    width = max(1, length // _SMOOTH_OVER)
    curves = {source: smooth(losses[:length], width) for source, losses in steps.items()}
    every = max(1, length // _POINTS)
    for source, curve in curves.items():
        axes.plot(
            np.arange(1, length + 1)[::every],
            curve[::every],
            ":" if source == "run" else "-",
            color=_COLOURS[source],
            linewidth=2 if source == "run" else 1.5,
            alpha=1 if source == "run" else 0.7,
            label=SOURCES[source].render(lang),
        )
    first = section.verdict.steps.first if section.verdict and section.verdict.steps else None
    if first:
        axes.axvline(first, color="tab:red", linewidth=1, label=tell(lang, "differs from step {n} on", n=first))
    # The first steps are far above the rest: without them the curves can be told apart.
    settled = np.concatenate([curve[length // 10 :] for curve in curves.values()])
    settled = settled[np.isfinite(settled)]
    if settled.size and np.ptp(settled) > 0:
        margin = 0.1 * np.ptp(settled)
        axes.set_ylim(settled.min() - margin, settled.max() + margin)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.legend(frameon=False)
    return width


def _section_words(section: Section) -> list[Message]:
    e, verdict, r = section.exercise, section.verdict, section.exercise.recorded.losses
    lines = [
        say(
            "{title}, {model}: loss, perplexity and validation less train loss by epoch, with the 99% band "
            "around R's. In {epochs} epochs R's train loss goes from {train:.2f} to {train_end:.2f}, its validation "
            "loss from {valid:.2f} to {valid_end:.2f}.",
            title=e.file.title,
            model=MODELS[e.model],
            epochs=e.epochs,
            train=r[1, "train"],
            train_end=r[e.epochs, "train"],
            valid=r[1, "valid"],
            valid_end=r[e.epochs, "valid"],
        ),
    ]
    if e.published.losses:
        lines.append(
            say("Of the course's losses, {n} lie outside the 99% band around R's.", n=len(section.published_outside))
            if section.published_outside
            else say("The course's losses all lie inside the 99% band around R's.")
        )
    if verdict and verdict.pairs:
        lines.append(
            say("Of the run's losses, {n} lie outside the band.", n=len(verdict.outside))
            if verdict.outside
            else say("The run's losses all lie inside the band.")
        )
    if verdict and verdict.gaps_outside:
        lines.append(say("Of the run's gaps, {n} lie outside the band.", n=len(verdict.gaps_outside)))
    if verdict and verdict.steps:
        lines.append(
            say("The losses of the run's steps leave R's at step {n}.", n=verdict.steps.first)
            if verdict.steps.first
            else say("The losses of the run's steps lie on R's.")
        )
    return lines
