"""The three sources of R truth, each giving reports: oracle (base R, live), torch (R torch, live), recorded."""

import dataclasses
import tempfile
from pathlib import Path

from pygpt.errors import PygptError
from pygpt.files import shipped
from pygpt.parity.check import check_live, check_recording
from pygpt.parity.compare import compare
from pygpt.parity.ladder import Task, climb
from pygpt.parity.limits import judged
from pygpt.parity.oracle import climb_with_oracle, limit_of
from pygpt.parity.recorder import record
from pygpt.parity.recordings import RECORDED
from pygpt.parity.report import Fact, Report
from pygpt.r.session import RSession
from pygpt.settings import ModelName


def compare_with_oracle(task: Task, r: RSession) -> Report:
    """pygpt in double precision against the oracle in R, quantity by quantity.

    Raises:
        PygptError: R or rpy2 is missing, R fails.
    """
    expected, actual = climb_with_oracle(task, r), climb(task)
    comparison = compare(
        {name: judged(name, tensor, exact=False) for name, tensor in expected.items()},
        {name: judged(name, tensor, exact=False) for name, tensor in actual.items()},
        lambda name: limit_of(name, task.lr),
    )
    weights = f"the weights of {task.run}, " if task.run else ""
    return Report(
        title=f"{task.settings.model}, {weights}double precision, seed {task.seed}",
        source="oracle (base R, live)",
        strictness="limits stated for double precision; the key third of a trained in_proj_bias left out",
        comparison=comparison,
        facts=_facts(task),
    )


def compare_with_recorded(model: ModelName, r_threads: int = 1) -> list[Report]:
    """pygpt against the recordings of `model` that come with it.

    Raises:
        PygptError: R had another number of threads when they were made.
    """
    if r_threads != 1:
        raise PygptError(
            "the recordings were made with R on 1 thread: r_threads = {value} goes with --source torch and oracle",
            value=r_threads,
        )
    return [check_recording(shipped(f"parity_tests/recordings/{name}_{model}.safetensors")) for name in RECORDED]


def compare_with_torch(model: ModelName, r_threads: int = 1) -> list[Report]:
    """pygpt against R torch on this machine, which records now what the recordings of `model` hold.

    Args:
        r_threads: how many threads R's torch takes.

    Raises:
        PygptError: R, R torch, luz or safetensors is missing; the message says how to install it.
    """
    with tempfile.TemporaryDirectory() as folder:
        record(Path(folder), model=model, r_threads=r_threads)
        made = {f"{name} {model}": Path(folder) / f"{name}_{model}.safetensors" for name in RECORDED}
        missing = [path.name for path in made.values() if not path.exists()]
        if missing:
            raise PygptError("R's recorder did not write {files}", files=", ".join(missing))
        return [check_live(path, name) for name, path in made.items()]


def _facts(task: Task) -> dict[str, Fact]:
    shape: dict[str, Fact] = dataclasses.asdict(task.settings)
    return shape | {
        "padding_row": task.padding_row,
        "batch": task.batch,
        "length": task.length,
        "steps": task.steps,
        "lr": task.lr,
        "max_norm": task.max_norm,
        "tokens": task.tokens,
        "temperature": task.temperature,
        "seed": task.seed,
        "r_threads": task.r_threads,
        "run_weights": str(task.run) if task.run else None,
    }
