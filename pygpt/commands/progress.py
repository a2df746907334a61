"""What `train` shows and saves while it trains: plan, progress bar, epochs, checkpoints, Ctrl-C."""

import math
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor

from pygpt import checkpoints, figures
from pygpt.checkpoints import Run
from pygpt.errors import PygptError
from pygpt.training import Epoch, Step, TrainingState, Validated, fit

INTERRUPTED = 130
_HEADER = "epoch  train loss  valid loss  train ppl  valid ppl   (nats a character; ppl = exp(loss))"


class _Stop:
    """Ctrl-C asks for a stop after the present step; a second one stops at once."""

    asked = False

    def __call__(self, _signal: int, _frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True


def watch(run: Run, state: TrainingState, train: Tensor, valid: Tensor, again: str) -> None:
    """Train `state` to its end or to Ctrl-C, show how it goes, and leave all in the run's folder.

    Args:
        again: the command line that goes on with this run.
    """
    console = Console(highlight=False, markup=False, soft_wrap=True)
    total = planned_steps(run, len(train))
    console.print(_plan(run, state, len(train), len(valid), total))
    try:
        with _interruptible() as stop, _progress(console) as bar:
            finished = _loop(run, state, train, valid, stop, bar, total)
    except PygptError as error:
        raise PygptError(
            f"{error}. The last checkpoint is kept; once this is mended, go on with:\n  {again}"
        ) from error
    figures.draw_run(run.folder)
    if not finished:
        console.print(f"Stopped after step {state.step:,}; everything is saved. Go on with:\n  {again}")
        raise click.exceptions.Exit(INTERRUPTED)
    if not all(math.isfinite(loss) for loss in checkpoints.read_steps(run.folder)[-1:]):
        console.print("The loss is not finite: the training has diverged. A smaller --lr may help.")
    console.print(_summary(run))


def planned_steps(run: Run, windows: int) -> int:
    """Steps of the whole run."""
    steps = run.training.epochs * -(-windows // run.training.batch_size)
    return steps if run.training.max_steps is None else min(steps, run.training.max_steps)


def _loop(run: Run, state: TrainingState, train: Tensor, valid: Tensor, stop: _Stop, bar: Progress, total: int) -> bool:
    """Whether the training came to its end."""
    new: list[tuple[int, float]] = []
    steps = bar.add_task("train", total=total, completed=state.step, loss="")
    validation = bar.add_task("valid", total=-(-len(valid) // run.training.batch_size), loss="", visible=False)
    began, first, finished = time.monotonic(), state.step, False
    if state.step < total:
        bar.console.print(_HEADER)
    for event in fit(state, train, valid, run.training):
        match event:
            case Step(step, epoch, loss):
                new.append((step, loss))
                speed = (step - first) / (time.monotonic() - began)
                bar.update(
                    steps, completed=step, description=f"epoch {epoch}", loss=f"loss {loss:.4f}  {speed:.1f} steps/s"
                )
                if step % run.training.checkpoint_every == 0:
                    checkpoints.save_checkpoint(run, state, new)
                    new.clear()
                    if not bar.console.is_terminal:
                        bar.console.print(f"step {step:,} of {total:,}: loss {loss:.4f}, {speed:.1f} steps/s")
            case Validated(epoch, batch):
                bar.update(validation, completed=batch, description=f"validate {epoch}", visible=True)
            case Epoch():
                bar.update(validation, visible=False)
                bar.console.print(_epoch_row(event))
                checkpoints.save_checkpoint(run, state, new)
                new.clear()
        if stop.asked:
            break
    else:
        finished = True
    checkpoints.save_checkpoint(run, state, new)
    return finished


def _plan(run: Run, state: TrainingState, train: int, valid: int, total: int) -> str:
    count = sum(p.numel() for p in state.model.parameters())
    s = run.training
    lines = [
        f"{run.model.model}: {count:,} parameters, vocabulary of {len(run.vocabulary)} (PAD included), "
        f"block of {run.model.block_size} characters",
        f"{s.corpus}: {train:,} windows to train on, {valid:,} to validate; batches of {s.batch_size}",
        f"{total:,} steps, seed {s.seed}, engine {s.engine} on {s.device}, threads {s.threads}, "
        f"padding row {s.padding_row}",
    ]
    if state.step:
        lines.append(f"resumed after step {state.step:,}")
    return "\n".join(lines)


def _epoch_row(e: Epoch) -> str:
    return f"{e.epoch:5}  {e.train:10.4f}  {e.valid:10.4f}  {_perplexity(e.train):>9}  {_perplexity(e.valid):>9}"


def _perplexity(loss: float) -> str:
    return f"{math.exp(loss):.2f}" if loss < 700 else "inf"


def _summary(run: Run) -> str:
    return (
        f"Done. Everything is in {run.folder}:\n"
        f"  {checkpoints.WEIGHTS}  the weights\n"
        f"  {checkpoints.HISTORY}, {checkpoints.STEPS}  losses of epochs and of steps\n"
        f"  {checkpoints.FIGURE}  loss and perplexity\n"
        f"  {checkpoints.SETTINGS}, {checkpoints.VOCABULARY}, {checkpoints.RESUME}  what it was made with"
    )


@contextmanager
def _interruptible() -> Iterator[_Stop]:
    stop = _Stop()
    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        TextColumn("{task.completed}/{task.total}"),
        TextColumn("{task.fields[loss]}"),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    )
