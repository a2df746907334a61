"""Whether this machine can do what the settings ask for: device, threads, processes."""

import dataclasses
import threading
from typing import Any

import torch

from pygpt.errors import PygptError
from pygpt.processes import Processes
from pygpt.settings import TrainingSettings


def for_gpu(settings: TrainingSettings, given: dict[str, Any], processes: Processes) -> TrainingSettings:
    """Engine fast on a GPU: bf16 and compiled to CUDA graphs, where `given` does not say otherwise."""
    if settings.engine != "fast" or torch.device(settings.device).type != "cuda":
        return settings
    own = {"bf16": True, "compile": processes.count == 1} | {k: v for k, v in given.items() if v is not None}
    return dataclasses.replace(settings, bf16=own["bf16"], compile=own["compile"])


def check_machine(settings: TrainingSettings, processes: Processes) -> None:
    """Raise PygptError where device, threads or processes cannot be had, or cannot share a batch."""
    _check_device(settings.device)
    _check_threads(settings)
    if processes.count > 1:
        _check_processes(settings, processes.count)


def _check_processes(settings: TrainingSettings, count: int) -> None:
    if settings.batch_size % count:
        raise PygptError(
            "batch_size = {batch_size} cannot be shared by {count} processes alike. Take batch_size = {better}, or "
            "torchrun --nproc-per-node with a number that divides it.",
            batch_size=settings.batch_size, count=count, better=-(-settings.batch_size // count) * count,
        )  # fmt: skip
    if settings.device.startswith("cuda:") or (settings.device == "cuda" and torch.cuda.device_count() < count):
        raise PygptError(
            "device = {device} does not go with {count} processes: with device = cuda each takes a GPU of its own, "
            "and here are {gpus}",
            device=settings.device, count=count, gpus=torch.cuda.device_count(),
        )  # fmt: skip
    if settings.compile:
        raise PygptError(
            "compile does not go with several processes: each takes its rows of the masks that the whole batch draws, "
            "which compiled code does not. Leave it out."
        )


def _check_device(name: str) -> None:
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise PygptError(
            "device = {name} cannot be used here ({why}). Use cpu.",
            name=repr(name), why=str(error).splitlines()[0],
        ) from error  # fmt: skip


def _check_threads(settings: TrainingSettings) -> None:
    """Where the system has not so many threads left, torch would end the process without a word of ours."""
    most, done, started = max(settings.threads or 1, settings.r_threads), threading.Event(), []
    try:
        for _ in range(most - 1):
            started.append(threading.Thread(target=done.wait))
            started[-1].start()
    except RuntimeError as error:
        raise PygptError(
            "{n} threads cannot be had here: the system allows {allowed} more. Take fewer.",
            n=most, allowed=len(started) - 1,
        ) from error  # fmt: skip
    finally:
        done.set()
