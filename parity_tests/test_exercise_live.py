"""An exercise of one's own: R torch trains it, too, and no bit differs."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pygpt.commands import main
from pygpt.exercises import with_r
from pygpt.exercises.opening import opened
from pygpt.r.session import RSession
from tests.exercises.small import SMALL


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments], catch_exceptions=False)


@pytest.mark.usefixtures("r_torch")
@pytest.mark.parametrize(
    "options", [["--compare"], ["--vocabulary", "c", "--seed", 7, "--r-threads", 2, "--batch-size", 48]]
)
def test_r_gives_the_same(options: list[object], tmp_path: Path, r_torch: RSession) -> None:
    text = "A moça, à janela, viu o mar: «Não há Ø nem ß!» — disse.\n" * 40
    (tmp_path / "t.txt").write_text(text, encoding="utf-8")
    own = [*SMALL[4:], "--corpus", tmp_path / "t.txt", "--share", 0.7, "--train-share", 0.8, *options]
    assert run("exercise", "new", tmp_path / "e", *own).exit_code == 0
    file = tmp_path / "e" / "exercise.toml"
    done = run("exercise", "prepare", file, "--seeds", 2, "--with-r")
    assert done.exit_code == 0, done.output
    assert "R gives the same, bit for bit" in done.output
    truth = json.loads((tmp_path / "e" / "exercise_prepared" / "exercise.truth.json").read_text())
    assert truth["by"] == "R"
    assert all(exercise.recorded.by_r for exercise in opened(file).values())


@pytest.mark.usefixtures("r_torch")
def test_a_bit_that_differs_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("exercise", "new", tmp_path / "e", *SMALL).exit_code == 0
    file = tmp_path / "e" / "exercise.toml"
    train: Callable[..., None] = with_r._train

    def other_bits(preparation: object, out: Path) -> None:
        train(preparation, out)
        lines = (out / "steps.csv").read_text().splitlines()
        step, loss = lines[5].split(",")
        lines[5] = f"{step},{float(loss) + 3e-7:.9g}"
        (out / "steps.csv").write_text("\n".join(lines) + "\n")

    monkeypatch.setattr(with_r, "_train", other_bits)
    done = run("exercise", "prepare", file, "--seeds", 2, "--with-r")
    assert done.exit_code == 2
    assert "R gives other bits than engine r here, from the loss of step 5" in done.stderr
    assert not file.with_name("exercise_prepared").exists()
