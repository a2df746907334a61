"""The three sources of R truth, each giving reports: oracle (base R, live), torch (R torch, live), recorded."""

import dataclasses
import tempfile
from pathlib import Path

from pygpt.errors import PygptError
from pygpt.files import shipped
from pygpt.parity.check import check_recording
from pygpt.parity.compare import compare
from pygpt.parity.ladder import Task, climb
from pygpt.parity.limits import judged
from pygpt.parity.oracle import climb_with_oracle, limit_of
from pygpt.parity.recorder import record
from pygpt.parity.report import Report
from pygpt.r.session import RSession
from pygpt.settings import ModelName

SOURCES = ("oracle", "torch", "recorded")


def compare_with_oracle(task: Task, r: RSession) -> Report:
    """The port in double precision against the oracle in R, quantity by quantity.

    Raises:
        PygptError: R or rpy2 is missing, R fails.
    """
    expected, actual = climb_with_oracle(task, r), climb(task)
    comparison = compare(
        {name: judged(name, tensor, exact=False) for name, tensor in expected.items()},
        {name: judged(name, tensor, exact=False) for name, tensor in actual.items()},
        lambda name: limit_of(name, task.lr),
    )
    facts = {f.name: getattr(task, f.name) for f in dataclasses.fields(task) if f.name not in ("settings", "run")}
    return Report(
        title=f"{task.settings.model}, double precision, seed {task.seed}",
        source="oracle (base R, live)",
        strictness="limits stated for double precision; the key third of a trained in_proj_bias left out",
        comparison=comparison,
        facts=dataclasses.asdict(task.settings) | facts,
    )


def compare_with_recorded(model: ModelName) -> list[Report]:
    """The port against the recordings of `model` that come with pygpt."""
    return [
        check_recording(shipped(f"parity_tests/recordings/{kind}_{model}.safetensors")) for kind in ("tiny", "stream")
    ]


def compare_with_torch(model: ModelName) -> list[Report]:
    """The port against R torch on this machine, which records now what the recordings hold.

    Raises:
        PygptError: R, R torch, luz or safetensors is missing; the message says how to install it.
    """
    with tempfile.TemporaryDirectory() as folder:
        record(Path(folder))
        made = [Path(folder) / f"{kind}_{model}.safetensors" for kind in ("tiny", "stream")]
        missing = [path.name for path in made if not path.exists()]
        if missing:
            raise PygptError(f"R's recorder did not write {', '.join(missing)}")
        return [check_recording(path, made_here=True) for path in made]
