"""A training as it is watched, in a terminal or a notebook: plan, bar, epochs; Ctrl-C stops it after a step, saved."""

import math
import shlex
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from pygpt import checkpoints, figures, losses, runs
from pygpt.determinism import reproducible
from pygpt.errors import PygptError
from pygpt.exactness import Exactness
from pygpt.processes import joined
from pygpt.runs import Training
from pygpt.training import Epoch, Step, Validated, epoch_windows

_LINES = 30  # of steps at most, where no bar can be drawn
_HEADER = "epoch  train loss  valid loss  train ppl  valid ppl   (nats a character; ppl = exp(loss))"


class Stop:
    """Ctrl-C asks for a stop after the present step; a second one stops at once."""

    asked = False

    def __call__(self, _signal: int, _frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True


class StoppedError(KeyboardInterrupt):
    """Ctrl-C ended a training; all of it is saved. The message says how to go on, in the process that writes."""


def train(folder: Path, given: dict[str, Any], resume: bool, quiet: bool) -> Training:
    """Begin or resume the run in `folder`, train it to its end, and show how it goes.

    torch's global generators and its number of threads are as before when it returns.

    Args:
        given: settings by name; what is not given is the course's or, resumed, the run's.

    Raises:
        PygptError: a setting is not allowed, the text cannot be had, or the folder cannot be used.
        StoppedError: at Ctrl-C or SIGTERM.
    """
    with reproducible(), joined() as processes:
        ready = runs.prepare(folder, given, resume, processes)
        torch.set_num_threads(ready.run.training.threads or 1)
        go_on = f"{processes.command} train --resume --out {shlex.quote(str(folder))}".strip()
        try:
            _watch(ready, quiet or not processes.writes)
        except PygptError as error:
            raise PygptError(
                "{error}. The last checkpoint is kept; once this is mended, go on with:\n  {go_on}",
                error=error, go_on=go_on,
            ) from error  # fmt: skip
        if processes.writes:
            figures.draw_run(folder)
    if not ready.finished:
        told = f"Stopped after step {ready.state.step:,}; everything is saved. Go on with:\n  {go_on}"
        raise StoppedError(told if processes.writes else "")
    return ready


def _watch(ready: Training, quiet: bool) -> None:
    console = Console(highlight=False, markup=False, soft_wrap=True, quiet=quiet)
    console.print(_plan(ready))
    began = time.monotonic()
    with interruptible() as stop, _bars(console) as bars:
        _follow(ready, stop, bars)
    if ready.finished and ready.processes.writes:
        console.print(_summary(ready, time.monotonic() - began))


def _summary(ready: Training, seconds: float) -> str:
    """What was done, and what the run's folder holds."""
    run, state, lines = ready.run, ready.state, []
    *_, last = losses.read_steps(run.folder)
    if not math.isfinite(last):
        lines.append("The loss is not finite: the training has diverged. A smaller --lr may help.")
    epochs = f"{state.epoch} of {run.training.epochs} epochs"
    lines += [
        f"Done: {state.step:,} steps, {epochs}, in {_clock(seconds)}; the last step's loss is {last:.4f} "
        f"(nats a character). Everything is in {run.folder}:",
        f"  {checkpoints.WEIGHTS}  the weights",
        f"  {losses.HISTORY}, {losses.STEPS}  losses of epochs and of steps",
        f"  {checkpoints.FIGURE}  loss and perplexity",
        f"  {checkpoints.SETTINGS}, {checkpoints.VOCABULARY}, {checkpoints.RESUME}  what it was made with",
    ]
    return "\n".join(lines)


def _follow(ready: Training, stop: Stop, bars: Progress) -> None:
    total, first, began = ready.total_steps, ready.state.step, time.monotonic()
    steps = bars.add_task("train", total=total, completed=first, loss="")
    batches = -(-len(ready.valid) // ready.run.training.batch_size)
    validation = bars.add_task("valid", total=batches, loss="", visible=False)
    every, rows = _round_up((total - first) / _LINES), 0
    for event in runs.carry_on(ready, lambda: stop.asked):
        match event:
            case Exactness():
                bars.console.print(f"R's bits: {event}")
            case Step(step, epoch, loss):
                speed = (step - first) / (time.monotonic() - began)
                now = f"loss {loss:.4f}  {speed:.1f} steps/s"
                bars.update(steps, completed=step, description=f"epoch {epoch}", loss=now)
                if bars.disable and step % every == 0:
                    left = _clock((total - step) / speed)
                    line = f"step {step:,} of {total:,}: loss {loss:.4f}, {speed:.1f} steps/s, {left} left"
                    bars.console.print(line)
            case Validated(epoch, batch):
                bars.update(validation, completed=batch, description=f"validate {epoch}", visible=True)
            case Epoch():
                bars.update(validation, visible=False)
                # Where lines stand between the rows, each needs its header.
                if rows == 0 or bars.disable:
                    bars.console.print(_HEADER)
                bars.console.print(_epoch_row(event))
                rows += 1


def _round_up(number: float) -> int:
    """The smallest of 1, 2, 5, 10, 20, ... that is not below `number`."""
    power = 1
    while 5 * power < number:
        power *= 10
    return next(n * power for n in (1, 2, 5) if n * power >= number)


def _clock(seconds: float) -> str:
    """Hours, minutes and seconds: 1:02:03."""
    return str(timedelta(seconds=round(seconds)))


def _plan(ready: Training) -> str:
    run, state = ready.run, ready.state
    count = sum(p.numel() for p in state.model.parameters())
    s = run.training
    threads = f"threads {s.threads}" + (f" (R's: {s.r_threads})" if s.engine == "r" else "")
    drawn = f", {epoch_windows(len(ready.train), s):,} drawn an epoch" if s.order == "sample" else ""
    lines = [
        f"{run.model.model}: {count:,} parameters, vocabulary of {len(run.vocabulary)} (PAD included), "
        f"block of {run.model.block_size} characters",
        f"{100 * s.share:.4g}% of {s.corpus} (--share): {len(ready.train):,} windows to train on{drawn}, "
        f"{len(ready.valid):,} to validate; batches of {s.batch_size}",
        f"{ready.total_steps:,} steps, seed {s.seed}, engine {s.engine} on {s.device}, {threads}, "
        f"padding row {s.padding_row}",
    ]
    if ready.picked:
        lines.append(f"picked: {ready.picked}")
    if s.engine == "r" and torch.device(s.device).type != "cpu":
        lines.append(
            f"on {s.device} these are R's operations in R's order, but not the bits of R on a CPU: "
            "a GPU adds up in other orders, and draws other numbers for dropout"
        )
    if ready.processes.count > 1:
        lines.append(
            f"{ready.processes.count} processes share every batch: losses are those of one within rounding, "
            "not bit for bit"
        )
    lines += [f"note on the text: {remark}" for remark in ready.remarks]
    if state.step:
        lines.append(f"resumed after step {state.step:,}")
    return "\n".join(lines)


def _epoch_row(e: Epoch) -> str:
    return f"{e.epoch:5}  {e.train:10.4f}  {e.valid:10.4f}  {_perplexity(e.train):>9}  {_perplexity(e.valid):>9}"


def _perplexity(loss: float) -> str:
    return f"{math.exp(loss):.2f}" if loss < 700 else "inf"


@contextmanager
def interruptible() -> Iterator[Stop]:
    stop, before = Stop(), {}
    # Only the main thread may handle signals; elsewhere a training runs to its end.
    if threading.current_thread() is threading.main_thread():
        before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _bars(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        TextColumn("{task.completed}/{task.total}"),
        TextColumn("{task.fields[loss]}"),
        TimeRemainingColumn(),
        console=console,
        disable=console.quiet or not (console.is_terminal or console.is_jupyter),
        transient=True,
    )
