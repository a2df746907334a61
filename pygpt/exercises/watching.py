"""A preparation as it is watched in a terminal: one bar over all its trainings, with the time left; Ctrl-C saves."""

import time
from collections.abc import Sequence
from datetime import timedelta

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from pygpt.exercises.preparation import TRUTH, Part, Preparation
from pygpt.output.messages import Message, say, tell
from pygpt.progress import interruptible


def watch(work: Sequence[tuple[Preparation, Part]], lang: str) -> bool:
    """Do all parts that are left.

    Args:
        work: parts of preparations, in the order in which they are done.

    Returns:
        False where Ctrl-C ended it; all is saved.
    """
    left = [(one, part) for one, part in work if not one.done(part)]
    total = sum(part.steps * part.cost for _, part in work)
    behind = total - sum(part.steps * part.cost for _, part in left)
    console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    with interruptible() as stop, _bar(console) as bar:
        task = bar.add_task("", total=total)
        bar.update(task, completed=behind)
        for n, (preparation, part) in enumerate(left, start=1):
            name = _name(part).render(lang)
            bar.update(task, description=f"{preparation.file.name}, {name}")
            began, first, step = time.monotonic(), None, 0
            for step in preparation.run(part, lambda: stop.asked):
                first = step if first is None else first
                bar.update(task, completed=behind + step * part.cost)
            if stop.asked:
                return False
            behind += part.steps * part.cost
            took = timedelta(seconds=round(time.monotonic() - began))
            console.print(
                tell(
                    lang, "{n} of {all}: {exercise}, {part}: {steps:,} steps in {time}",
                    n=n, all=len(left), exercise=preparation.file.name, part=name, steps=step - (first or 0),
                    time=str(took),
                )
            )  # fmt: skip
    return True


def _name(part: Part) -> Message:
    if part.name == TRUTH:
        return say("R's run (engine r)")
    if part.mistake is None:
        return say("seed {seed} (engine fast)", seed=part.name.removeprefix("seed_"))
    return say("mistake {name}", name=part.name)


def _bar(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, disable=not console.is_terminal, transient=True)
