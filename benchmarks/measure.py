"""What every measurement shares: loops that take turns, ratios by medians, and what the machine was."""

import os
import platform
import re
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch

T = TypeVar("T")
Seconds = tuple[float, float]
"""By the clock, and of the processor."""


@dataclass(frozen=True)
class Ratio:
    """One line of the table.

    Attributes:
        clock, processor: the ratio by the clock and of the processor's time.
        asked: what it should reach, with its sign: `<= 0.66`.
        milliseconds: by the clock, of what is measured and of what it is measured against: a step, a token, a whole.
    """

    name: str
    clock: float
    processor: float
    asked: str | None
    milliseconds: tuple[float, float]

    @property
    def reached(self) -> bool | None:
        """Whether it is as asked."""
        if self.asked is None:
            return None
        sign, number = self.asked.split()
        return self.clock <= float(number) if sign == "<=" else self.clock >= float(number)


def ratio(name: str, a: list[Seconds], b: list[Seconds], asked: str | None = None, upside_down: bool = False) -> Ratio:
    """The median of a / b, of what was measured in turn; b / a where more is better."""
    pairs = [(y, x) if upside_down else (x, y) for x, y in zip(a, b, strict=True)]
    clock, processor = (statistics.median(x[i] / y[i] for x, y in pairs) for i in (0, 1))
    of_each = [1e3 * statistics.median(seconds for seconds, _ in side) for side in (a, b)]
    return Ratio(name, round(clock, 3), round(processor, 3), asked, (round(of_each[0], 4), round(of_each[1], 4)))


def timed(function: Callable[..., T], *arguments: object) -> tuple[Seconds, T]:
    """Seconds and result of a call."""
    began, spent = time.perf_counter(), time.process_time()
    result = function(*arguments)
    return (time.perf_counter() - began, time.process_time() - spent), result


def in_turn(loops: dict[str, Iterator[object]], rounds: int, steps: int = 4) -> dict[str, list[Seconds]]:
    """Seconds a step of each loop, which take turns of some steps.

    The first step of a turn is not timed (it may have masks that were drawn in another's turn), nor are the first two
    turns.
    """
    seconds: dict[str, list[Seconds]] = {name: [] for name in loops}
    for _ in range(rounds + 2):
        for name, loop in loops.items():
            next(loop)
            (clock, processor), _steps = timed(lambda loop=loop: [next(loop) for _ in range(steps)])
            seconds[name].append((clock / steps, processor / steps))
    return {name: values[2:] for name, values in seconds.items()}


def facts(cores: int) -> dict[str, Any]:
    """The machine and its programs, and how busy it was."""
    cpuinfo = Path("/proc/cpuinfo")
    told = re.search(r"model name\s*: (.+)", cpuinfo.read_text()) if cpuinfo.exists() else None
    return {
        "processor": told[1] if told else platform.processor(),
        "capability": torch.backends.cpu.get_cpu_capability(),
        "threads": cores,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "load_before": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "date": time.strftime("%Y-%m-%d"),
    }
