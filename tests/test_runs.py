"""What a resumed run may change, what is stored with it, and when it is done."""

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from pygpt import checkpoints, losses, progress, runs
from pygpt.errors import PygptError

Cli = Callable[..., Result]
TINY = {"share": 0.03, "block_size": 8, "n_embd": 8, "corpus": "sample"}


def epochs_of(folder: Path) -> int:
    return len(losses.read_history(folder))


def stop_after(events: int) -> Callable[[], bool]:
    left = [events]

    def stopped() -> bool:
        left[0] -= 1
        return left[0] <= 0

    return stopped


def test_what_a_resumed_run_changes_is_stored_with_it(cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    whole = progress.train(tmp_path / "whole", {**TINY, "epochs": 4}, resume=False, quiet=True)
    progress.train(folder, {**TINY, "epochs": 2}, resume=False, quiet=True)
    ready = runs.resume(folder, {"epochs": 4})
    for _ in runs.carry_on(ready, stop_after(3)):
        pass
    assert not ready.finished  # in the middle of epoch 3
    result = cli("train", "--resume", "--out", folder)
    assert result.exit_code == 0, result.output
    assert f"Done: {whole.total_steps} steps, 4 of 4 epochs" in result.output
    for name in (checkpoints.WEIGHTS, losses.STEPS, losses.HISTORY):
        assert (folder / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name


def test_ctrl_c_says_how_to_go_on_and_that_reaches_the_end(cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    progress.train(folder, {**TINY, "epochs": 1}, resume=False, quiet=True)
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    result = cli("train", "--resume", "--epochs", 400, "--out", folder)
    timer.join()
    assert result.exit_code == 130, result.output
    assert f"train --resume --out {folder}" in result.output
    assert "Done" not in result.output
    assert checkpoints.open_run(folder).training.epochs == 400
    steps = len(losses.read_steps(folder))
    result = cli("train", "--resume", "--max-steps", steps + 2, "--out", folder)
    assert f"Done: {steps + 2} steps" in result.output


@pytest.mark.parametrize("change", [{"epochs": 1}, {"max_steps": 5}])
def test_a_run_cannot_end_before_where_it_is(change: dict[str, int], tmp_path: Path) -> None:
    ready = progress.train(tmp_path, {**TINY, "epochs": 2}, resume=False, quiet=True)
    assert ready.state.step > 5
    before = (tmp_path / checkpoints.SETTINGS).read_bytes()
    with pytest.raises(PygptError, match=r"is not allowed: .* is at (epochs|max_steps) = \d+ already"):
        runs.resume(tmp_path, change)
    assert (tmp_path / checkpoints.SETTINGS).read_bytes() == before


def test_a_run_goes_on_from_another_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("ab\ncab\n" * 60)
    monkeypatch.chdir(tmp_path)
    given = {"corpus": "text.txt", "block_size": 4, "n_embd": 8, "max_steps": 2}
    progress.train(Path("run"), given, resume=False, quiet=True)
    monkeypatch.chdir("/")
    progress.train(tmp_path / "run", {"max_steps": 4}, resume=True, quiet=True)
    assert len(losses.read_steps(tmp_path / "run")) == 4


def test_the_text_may_move_but_not_change(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("ab\ncab\n" * 60)
    given = {"corpus": str(tmp_path / "text.txt"), "block_size": 4, "n_embd": 8, "max_steps": 2}
    progress.train(tmp_path / "run", given, resume=False, quiet=True)
    moved = (tmp_path / "text.txt").rename(tmp_path / "moved.txt")
    with pytest.raises(PygptError, match="cannot read the corpus"):
        runs.resume(tmp_path / "run", {})
    runs.resume(tmp_path / "run", {"corpus": str(moved)})
    runs.resume(tmp_path / "run", {})  # the new place is stored
    moved.write_text("other\n" * 60)
    with pytest.raises(PygptError, match="has changed since"):
        runs.resume(tmp_path / "run", {})


def test_a_stop_at_the_last_step_is_the_end(tmp_path: Path) -> None:
    ready = runs.begin(tmp_path, {**TINY, "max_steps": 3})
    events = list(runs.carry_on(ready, stop_after(3)))
    assert len(events) == 3
    assert ready.finished


def test_more_threads_than_the_system_gives_are_refused_by_us(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started = []

    def start(thread: threading.Thread) -> None:
        if len(started) == 5:
            raise RuntimeError("can't start new thread")
        started.append(thread)

    monkeypatch.setattr(threading.Thread, "start", start)
    with pytest.raises(PygptError, match="64 threads cannot be had here: the system allows 5 more"):
        runs.begin(tmp_path / "run", {**TINY, "r_threads": 64})
    assert not (tmp_path / "run").exists()
