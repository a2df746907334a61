"""A run that was stopped and resumed ends as one that never stopped."""

import dataclasses
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import pytest
import torch
from click.testing import Result
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pygpt import checkpoints, corpus, losses, training
from pygpt.errors import PygptError
from pygpt.settings import ModelSettings, TrainingSettings
from pygpt.vocabulary import Vocabulary

TEXT = "".join("abcdefgh \n"[i * i * 7919 % 10007 % 10] for i in range(140))
COMMAND = ["--corpus", "sample", "--share", "0.03", "--block-size", "8", "--n-embd", "8", "--epochs", "2"]


def begin(
    folder: Path, model: str, engine: str, **other: str | int
) -> tuple[checkpoints.RunFolder, training.TrainingState]:
    vocabulary = Vocabulary.from_text(TEXT)
    shape = ModelSettings(model=model, block_size=8, n_embd=8, n_layer=1, vocab_size=len(vocabulary))
    settings = TrainingSettings(engine=engine, batch_size=16, epochs=2, share=1.0, lr=0.01, **other)
    run = checkpoints.RunFolder(folder, shape, settings, {}, vocabulary)
    return run, training.start(shape, settings)


def data(run: checkpoints.RunFolder) -> list[torch.Tensor]:
    parts = corpus.split(run.vocabulary.encode(TEXT), 1.0, 0.8)
    return [corpus.windows(part, 8, "text") for part in parts]


def train(run: checkpoints.RunFolder, state: training.TrainingState, events: int | None) -> None:
    done = [(e.step, e.loss) for e in islice(training.fit(state, *data(run), run.training), events)
            if isinstance(e, training.Step)]  # fmt: skip
    checkpoints.save_checkpoint(run, state, done)


@hypothesis_settings(max_examples=25)
@given(
    model=st.sampled_from(["gpt", "gpt_noattn"]),
    engine=st.sampled_from(["r", "fast"]),
    other=st.sampled_from([{}, {"optimizer": "adam"}, {"optimizer": "adam", "order": "sample", "epoch_windows": 100}]),
    stops=st.lists(st.integers(0, 17), max_size=4),
)
def test_stopping_after_any_event_changes_nothing(
    model: str, engine: str, other: dict[str, str], stops: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    whole, broken = tmp_path_factory.mktemp("whole"), tmp_path_factory.mktemp("broken")
    train(*begin(whole, model, engine, **other), None)
    for events in [*stops, None]:
        run, state = begin(broken, model, engine, **other)
        torch.manual_seed(999)  # what the process drew before must not matter
        if not checkpoints.restore_checkpoint(run, state):
            run, state = begin(broken, model, engine, **other)
        train(run, state, events)
    for name in (checkpoints.WEIGHTS, checkpoints.RESUME, losses.HISTORY, losses.STEPS):
        assert (whole / name).read_bytes() == (broken / name).read_bytes(), name
    assert len(losses.read_steps(whole)) == 14
    assert len(losses.read_history(whole)) == 2


def test_more_epochs_on_resume_are_as_if_asked_for_at_once(tmp_path: Path) -> None:
    for name in ("once", "later"):
        (tmp_path / name).mkdir()
    run, state = begin(tmp_path / "once", "gpt", "r")
    train(run, state, None)
    run, state = begin(tmp_path / "later", "gpt", "r")
    train(dataclasses.replace(run, training=dataclasses.replace(run.training, epochs=1)), state, None)
    run, state = begin(tmp_path / "later", "gpt", "r")
    checkpoints.restore_checkpoint(run, state)
    train(run, state, None)
    assert (tmp_path / "once" / checkpoints.WEIGHTS).read_bytes() == (
        tmp_path / "later" / checkpoints.WEIGHTS
    ).read_bytes()


@pytest.fixture(scope="module")
def uninterrupted(cli: Callable[..., Result], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("uninterrupted") / "run"
    assert cli("train", *COMMAND, "--out", folder).exit_code == 0
    return folder


def start(folder: Path, environment: dict[str, str], *more: str, **kwargs: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "pygpt", "train", *COMMAND, "--out", str(folder), *more]
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **kwargs
    )  # type: ignore[call-overload,no-any-return]


def wait_for_checkpoint(folder: Path, process: subprocess.Popen[str]) -> None:
    until = time.monotonic() + 60
    while not (folder / checkpoints.RESUME).exists():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < until
        time.sleep(0.005)


def assert_same_end(cli: Callable[..., Result], folder: Path, uninterrupted: Path) -> None:
    result = cli("train", "--resume", "--out", folder)
    assert result.exit_code == 0, result.output
    for name in (checkpoints.WEIGHTS, losses.STEPS, losses.HISTORY, checkpoints.RESUME):
        assert (folder / name).read_bytes() == (uninterrupted / name).read_bytes(), name


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_stopped_by_a_signal(
    number: signal.Signals, cli: Callable[..., Result], uninterrupted: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    process = start(tmp_path / "run", environment, "--checkpoint-every", "2")
    wait_for_checkpoint(tmp_path / "run", process)
    process.send_signal(number)
    output, _ = process.communicate(timeout=60)
    if number == signal.SIGKILL:
        assert process.returncode == -signal.SIGKILL
    else:
        assert process.returncode == 130
        assert f"train --resume --out {tmp_path / 'run'}" in output
        assert "Traceback" not in output
    assert len(losses.read_steps(tmp_path / "run")) < len(losses.read_steps(uninterrupted))
    assert_same_end(cli, tmp_path / "run", uninterrupted)


def test_stopped_by_a_full_disk(
    cli: Callable[..., Result], uninterrupted: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    # No file may grow beyond this: there is room for the weights, not for what resuming needs.
    limit = (uninterrupted / checkpoints.WEIGHTS).stat().st_size + 1

    resource = pytest.importorskip("resource", reason="this system has no limits on files' sizes")

    def full_disk() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    # what measures coverage would write a file of its own, and meet the limit
    unmeasured = {k: v for k, v in environment.items() if k != "COVERAGE_PROCESS_CONFIG"}
    process = start(tmp_path / "run", unmeasured, "--checkpoint-every", "3", preexec_fn=full_disk)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 2, output
    assert f"cannot write {tmp_path / 'run' / checkpoints.RESUME}" in output
    assert f"train --resume --out {tmp_path / 'run'}" in output
    assert "Traceback" not in output
    assert_same_end(cli, tmp_path / "run", uninterrupted)


def test_a_checkpoint_that_cannot_be_written_leaves_the_last_one(tmp_path: Path) -> None:
    run, state = begin(tmp_path, "gpt", "r")
    train(run, state, 3)
    kept = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    resource = pytest.importorskip("resource", reason="this system has no limits on files' sizes")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limits[1]))
        with pytest.raises(PygptError, match=r"cannot write .*weights.safetensors"):
            train(run, state, 2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    now = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    assert {n for n in kept if n != losses.STEPS and now[n] != kept[n]} <= {losses.HISTORY}
    assert now.keys() == kept.keys()  # no temporary file is left
    run, state = begin(tmp_path, "gpt", "r")
    checkpoints.restore_checkpoint(run, state)
    assert (tmp_path / losses.STEPS).read_bytes() == kept[losses.STEPS]
    assert state.step == 3


@pytest.mark.parametrize("keep", [0, 1, 100, 5000])
def test_a_damaged_checkpoint_is_refused(tmp_path: Path, keep: int) -> None:
    run, state = begin(tmp_path, "gpt", "r")
    train(run, state, 3)
    path = tmp_path / checkpoints.RESUME
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(PygptError, match="not a whole safetensors file"):
        checkpoints.restore_checkpoint(*begin(tmp_path, "gpt", "r"))


def test_another_runs_checkpoint_is_refused(tmp_path: Path) -> None:
    run, state = begin(tmp_path, "gpt", "r")
    train(run, state, 3)
    with pytest.raises(PygptError, match=r"does not fit this gpt_noattn model: unexpected MH\.0"):
        checkpoints.restore_checkpoint(*begin(tmp_path, "gpt_noattn", "r"))
    os.replace(tmp_path / checkpoints.WEIGHTS, tmp_path / checkpoints.RESUME)
    with pytest.raises(PygptError, match="not a checkpoint of this run"):
        checkpoints.restore_checkpoint(*begin(tmp_path, "gpt", "r"))
