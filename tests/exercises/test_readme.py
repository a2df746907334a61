"""The README's five lines: from a new exercise to a validated history and a graded class."""

import shlex
import shutil
from pathlib import Path

import pytest

from pygpt.exercises.opening import opened
from tests.grading.helpers import CORRECT, needs_isolation
from tests.validation.helpers import Cli

README = Path(__file__).parents[2] / "README.md"
# Of the same exercise as much as a test has time for.
LESS = {"new": ["--share", "0.03"], "prepare": ["--seeds", "2"], "run": ["--seed", "1"]}


def lines() -> list[list[str]]:
    section = README.read_text(encoding="utf-8").partition("## An exercise of your own\n")[2].partition("\n\n")[0]
    return [shlex.split(line)[2:] for line in section.splitlines()]


def test_the_site_shows_the_same_lines() -> None:
    site = (README.parent / "docs" / "exercises.md").read_text(encoding="utf-8")
    for line in lines():
        assert " ".join(line) in site


@needs_isolation
def test_the_five_lines(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "class").mkdir()
    shutil.copy(CORRECT, tmp_path / "class" / "ana.py")
    new, check, prepare, validate, grade = lines()
    for line in (new, check, prepare):
        done = cli(*line, *LESS.get(line[1], []))
        assert done.exit_code == 0, done.output
    losses = opened(tmp_path / "sheet4.zip")["gpt"].recorded.losses
    rows = [f"{epoch},{losses[epoch, 'train']:.4f},{losses[epoch, 'valid']:.4f}" for epoch in range(1, 6)]
    (tmp_path / "history.csv").write_text("\n".join(["epoch,train,valid", *rows]))
    told = cli(*validate)
    assert told.exit_code == 0, told.output
    assert "identical to 4 digits" in told.output
    assert (tmp_path / "page.html").stat().st_size > 10_000
    graded = cli(*grade, *LESS["run"])
    assert graded.exit_code == 0, graded.output
    assert "100 / 100" in graded.output
