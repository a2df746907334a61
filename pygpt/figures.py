"""Figures of a run: loss and perplexity side by side, as `analise_resultados_base_r` of exercise 2 draws them."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from pygpt.checkpoints import FIGURE, open_run
from pygpt.losses import read_history, read_steps
from pygpt.output.saving import save
from pygpt.training import Epoch, epoch_windows

_Array = NDArray[np.float64]
_OfLoss = Callable[[_Array], _Array]

_PANELS: tuple[tuple[str, str, tuple[str, str], _OfLoss], ...] = (
    ("Loss", "cross entropy (nats per character)", ("tab:blue", "tab:red"), lambda loss: loss),
    ("Perplexity", "perplexity", ("darkgreen", "darkorange"), np.exp),
)


def draw_run(folder: Path) -> Path:
    """Draw `figure.png` of a run from its history and steps.

    Raises:
        PygptError: the folder holds no run, or cannot be written.
    """
    run, history, losses = open_run(folder), read_history(folder), read_steps(folder)
    steps_per_epoch = -(-epoch_windows(run.provenance["train_windows"], run.training) // run.training.batch_size)
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    # Before the first epoch is over, its parts say nothing: the steps are counted.
    scale, unit_of_x = (steps_per_epoch, "epoch") if len(losses) >= steps_per_epoch else (1, "step")
    for axes, name, unit, colours, of_loss in zip(figure.subplots(1, 2), *zip(*_PANELS, strict=True), strict=True):
        _draw_steps(axes, losses, scale, max(1, min(steps_per_epoch, len(losses)) // 50), colours[0], of_loss)
        _draw_epochs(axes, history, colours, of_loss)
        axes.set(title=name, xlabel=unit_of_x, ylabel=unit)
        axes.xaxis.set_major_locator(MaxNLocator(integer=unit_of_x == "step" or len(history) > 1))
        axes.grid(alpha=0.3)
        if losses or history:
            axes.legend(frameon=False)
    figure.suptitle(f"{run.model.model} on {Path(run.training.corpus).name}, seed {run.training.seed}")
    save(figure, folder / FIGURE)
    return folder / FIGURE


def _draw_steps(axes: Axes, losses: Sequence[float], scale: int, width: int, colour: str, of_loss: _OfLoss) -> None:
    """Draw means over `width` steps, at every step divided by `scale`."""
    if losses:
        x = np.arange(1, len(losses) + 1) / scale
        label = f"mean of {width} steps" if width > 1 else "every step"
        marker = "o" if len(losses) == 1 else None  # a line of one point is not seen
        axes.plot(x, of_loss(smooth(losses, width)), color=colour, alpha=0.35, marker=marker, label=label)


def _draw_epochs(axes: Axes, history: Sequence[Epoch], colours: tuple[str, str], of_loss: _OfLoss) -> None:
    if history:
        epochs = [e.epoch for e in history]
        train, valid = (of_loss(np.array(x)) for x in zip(*((e.train, e.valid) for e in history), strict=True))
        axes.plot(epochs, train, "o-", color=colours[0], linewidth=2, label="train")
        axes.plot(epochs, valid, "D--", color=colours[1], linewidth=2, label="validation")


def smooth(losses: Sequence[float], width: int) -> _Array:
    """Means over windows of `width` steps, moved by one; shorter where fewer steps have passed."""
    sums = np.concatenate([[0.0], np.cumsum(np.asarray(losses, dtype=np.float64))])
    ends = np.arange(1, len(sums))
    starts = np.maximum(0, ends - width)
    means: _Array = (sums[ends] - sums[starts]) / (ends - starts)
    return means
