"""Engine fast computes as is quickest here: which arithmetic, on how many threads, is found from a few timed steps."""

import dataclasses
import os
import shutil
import statistics
import time

from torch import Tensor

from pygpt import training
from pygpt.determinism import ALL_CORES, reproducible
from pygpt.settings import ModelSettings, TrainingSettings
from pygpt.training import Step

_STEPS = 5  # that are timed, after one that warms up
_FEW = 100  # steps: a training of fewer is over before it has paid for a choice
_SECONDS_TO_COMPILE = 40  # about what the course's model takes
_WORTH_COMPILING = 30 * _SECONDS_TO_COMPILE  # of training


def pick(
    model: ModelSettings, given: TrainingSettings, train: Tensor, valid: Tensor
) -> tuple[TrainingSettings, str | None]:
    """`given` with what it leaves open (threads, bf16, compile) as is quickest here, and why in a sentence.

    The sentence is None where nothing is left open. torch's generators and threads are as before.

    Args:
        given: of engine fast.
        train: windows (n, block_size + 1) to train on, as is `valid` to validate on.
    """
    if None not in (given.threads, given.bf16, given.compile):
        return given, None
    steps = given.epochs * -(-training.epoch_windows(len(train), given) // given.batch_size)
    steps = steps if given.max_steps is None else min(steps, given.max_steps)
    best = dataclasses.replace(
        given, threads=given.threads or ALL_CORES, bf16=bool(given.bf16), compile=bool(given.compile)
    )
    if steps < _FEW:
        return best, f"{_name(best)}: so few steps are not worth a choice"
    seconds: dict[TrainingSettings, float] = {}

    def quickest(*ways: TrainingSettings) -> TrainingSettings:
        for way in ways:
            if way not in seconds:
                seconds[way] = seconds_a_step(model, way, train, valid, min(seconds.values(), default=None))
        return min(seconds, key=seconds.__getitem__)

    best = quickest(best, dataclasses.replace(best, bf16=True) if given.bf16 is None else best)
    if given.threads is None:
        best = quickest(best, dataclasses.replace(best, threads=1))
    if given.compile is None and seconds[best] * steps > _WORTH_COMPILING and _can_compile():
        best = quickest(best, dataclasses.replace(best, compile=True))
    others = ", ".join(f"{_name(way)} {1e3 * seconds[way]:.1f}" for way in seconds if way != best)
    told = f"{_name(best)}, {1e3 * seconds[best]:.1f} ms a step" + (f" ({others})" if others else "")
    if given.compile is None and not any(way.compile for way in seconds):
        told += f"; compiling takes about {_SECONDS_TO_COMPILE} s, more than it may save here"
    return best, told


def seconds_a_step(
    model: ModelSettings, settings: TrainingSettings, train: Tensor, valid: Tensor, best: float | None = None
) -> float:
    """The median of a few steps. Of those that take more than twice as long as `best`, one is enough.

    Args:
        settings: with all left open filled in, of a training that has so many steps.
    """
    seconds: list[float] = []
    with reproducible(settings.threads or ALL_CORES):
        events = training.fit(training.start(model, settings), train, valid, settings)
        while len(seconds) <= _STEPS:
            began = time.perf_counter()
            if isinstance(next(events), Step):
                seconds.append(time.perf_counter() - began)
            if len(seconds) == 2 and best is not None and seconds[1] > 2 * best:
                break
        events.close()
    return statistics.median(seconds[1:])


def _name(way: TrainingSettings) -> str:
    threads = f"{way.threads} thread{'s' * (way.threads != 1)}"
    return f"{'bf16' if way.bf16 else 'float32'}{' compiled' * bool(way.compile)} on {threads}"


def _can_compile() -> bool:
    return any(map(shutil.which, (os.environ.get("CXX", "c++"), "g++", "clang++")))
