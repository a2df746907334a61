"""`torchrun … -m pygpt train`: two processes train as one does, stop together, and go on exactly."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from pygpt import losses, runs
from pygpt.checkpoints import RESUME, SETTINGS, WEIGHTS
from pygpt.errors import PygptError
from pygpt.processes import Processes
from tests.small import SMALL

Cli = Callable[..., Result]
# 1,293 windows in batches of 34: the last has one row, too few for two processes; a validation of 130 has 28 left.
OPTIONS = [*SMALL, "--batch-size", "34", "--epochs", "1", "--threads", "1"]
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]


def start(environment: dict[str, str], *options: object) -> subprocess.Popen[str]:
    alone = {**environment, "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [*TORCHRUN, "-m", "pygpt", "train", *map(str, options)], env=alone, stdout=pipe, stderr=pipe, text=True
    )


@pytest.fixture(scope="module")
def by_two(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("two") / "run"
    process = start(environment, *OPTIONS, "--out", folder)
    output, errors = process.communicate(timeout=240)
    assert process.returncode == 0, errors
    assert "Traceback" not in errors
    assert "2 processes share every batch" in output
    assert output.count("Done: 39 steps") == 1
    return folder


def test_two_processes_have_the_losses_of_one(cli: Cli, tmp_path: Path, by_two: Path) -> None:
    assert cli("train", *OPTIONS, "--out", tmp_path / "one").exit_code == 0
    one, two = (losses.read_steps(folder) for folder in (tmp_path / "one", by_two))
    assert len(one) == 39
    assert two == pytest.approx(one, abs=1e-6)
    (a,), (b,) = (losses.read_history(folder) for folder in (tmp_path / "one", by_two))
    assert (b.train, b.valid) == pytest.approx((a.train, a.valid), abs=1e-6)
    assert {p.name for p in by_two.iterdir()} == {p.name for p in (tmp_path / "one").iterdir()}
    assert json.loads((by_two / SETTINGS).read_text())["provenance"]["processes"] == 2


def test_another_number_of_processes_does_not_go_on(by_two: Path, cli: Cli) -> None:
    with pytest.raises(PygptError, match=r"begun by 2 process\(es\), here are 3.*torchrun --nproc-per-node 2"):
        runs.resume(by_two, {}, Processes(0, 3))
    result = cli("train", "--resume", "--out", by_two)
    assert result.exit_code == 2
    assert "begun by 2 process(es), here are 1" in result.stderr
    with pytest.raises(PygptError, match="threads is 1 there, 2 here"):  # theirs show in the bits of several processes
        runs.resume(by_two, {"threads": 2}, Processes(0, 2))


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc to find a rank's process")
def test_a_killed_rank_ends_all_and_they_go_on_exactly(
    environment: dict[str, str], tmp_path: Path, by_two: Path
) -> None:
    folder = tmp_path / "run"
    process = start(environment, *OPTIONS, "--checkpoint-every", 1, "--out", folder)
    wait_for(folder / RESUME, process)
    os.kill(rank_one(folder), signal.SIGKILL)
    _, errors = process.communicate(timeout=240)
    assert process.returncode != 0
    assert "Error: another of the 2 processes has gone" in errors
    assert f"torchrun --nproc-per-node 2 -m pygpt train --resume --out {folder}" in errors
    done = len(losses.read_steps(folder))
    assert 0 < done < 39
    # first to a step within the epoch: then only the process that writes knows the steps
    process = start(environment, "--resume", "--max-steps", done + 1, "--out", folder)
    _, errors = process.communicate(timeout=240)
    assert process.returncode == 0, errors
    process = start(environment, "--resume", "--max-steps", 39, "--out", folder)
    _, errors = process.communicate(timeout=240)
    assert process.returncode == 0, errors
    for name in (WEIGHTS, RESUME, losses.STEPS, losses.HISTORY):
        assert (folder / name).read_bytes() == (by_two / name).read_bytes(), name


def test_what_is_refused_is_said_once_and_nothing_is_written(environment: dict[str, str], tmp_path: Path) -> None:
    process = start(environment, *SMALL, "--batch-size", 33, "--out", tmp_path / "run")
    _, errors = process.communicate(timeout=240)
    assert process.returncode != 0
    assert errors.count("Error: batch_size = 33 cannot be shared by 2 processes alike. Take batch_size = 34") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc to count threads")
def test_no_thread_outlives_the_training(environment: dict[str, str], tmp_path: Path) -> None:
    """One that does may abort a process that ends."""
    code = (
        "import os, sys, pygpt\n"
        "pygpt.train(sys.argv[1], corpus='sample', share=0.04, block_size=8, n_embd=8, max_steps=2, threads=1)\n"
        "print('threads', len(os.listdir('/proc/self/task')))"
    )
    (tmp_path / "train.py").write_text(code)
    command = [*TORCHRUN, str(tmp_path / "train.py"), str(tmp_path / "run")]
    env = {**environment, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=240, check=True)
    assert done.stdout.count("threads 1\n") == 2, done.stdout


def wait_for(file: Path, process: subprocess.Popen[str]) -> None:
    while not file.exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)


def rank_one(folder: Path) -> int:
    """The process of rank 1 that trains the run in `folder`."""
    for entry in Path("/proc").iterdir():
        try:
            told, environ = (entry / "cmdline").read_bytes(), (entry / "environ").read_bytes()
        except OSError:
            continue
        if entry.name.isdecimal() and str(folder).encode() in told and b"\0RANK=1\0" in environ:
            return int(entry.name)
    raise AssertionError("no process of rank 1")
