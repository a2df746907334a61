"""What `train` says where there is no terminal, of which text how much, and what a misspelt option is told."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from matplotlib.figure import Figure

from pygpt import figures, losses, progress
from pygpt.corpus import read_corpus
from tests.small import SMALL

Cli = Callable[..., Result]
RunOf = Callable[[str], Path]
TEXT = "Não consultes dicionários. Casmurro não está aqui.\n" * 20  # 1,020 characters
TINY = ["--block-size", 8, "--n-embd", 8]


def test_steps_are_told_in_a_pipe(cli: Cli, tmp_path: Path) -> None:
    # 1,293 windows in batches of 64: 21 steps an epoch, so 42 in all, of which at most 30 have a line
    done = cli("train", *SMALL, "--epochs", 2, "--out", tmp_path / "run")
    told = re.findall(r"^step (\d+) of 42: loss (\d\.\d{4}), \d+\.\d steps/s, \d:\d\d:\d\d left$", done.output, re.M)
    assert [int(step) for step, _ in told] == list(range(2, 43, 2))
    kept = losses.read_steps(tmp_path / "run")
    assert [loss for _, loss in told] == [f"{kept[int(step) - 1]:.4f}" for step, _ in told]
    done_line = rf"^Done: 42 steps, 2 of 2 epochs, in 0:\d\d:\d\d; the last step's loss is {kept[-1]:.4f}"
    assert re.search(done_line, done.output, re.M)


def test_a_run_of_few_steps_prints_a_loss(cli: Cli, tmp_path: Path) -> None:
    done = cli("train", *SMALL, "--max-steps", 2, "--out", tmp_path / "run")
    assert "step 2 of 2: loss " in done.output
    assert "epoch  train loss" not in done.output  # no epoch is over
    again = cli("train", "--resume", "--max-steps", 3, "--out", tmp_path / "run")
    assert "step 3 of 3: loss " in again.output


@pytest.mark.parametrize(("number", "rounded"), [(0, 1), (1, 1), (1.1, 2), (3, 5), (5, 5), (5.1, 10), (470.5, 500)])
def test_lines_come_after_round_numbers_of_steps(number: float, rounded: int) -> None:
    assert progress._round_up(number) == rounded


def test_all_of_ones_own_text_is_used(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "own.txt").write_text(TEXT, "utf-8")
    done = cli("train", "--corpus", tmp_path / "own.txt", *TINY, "--max-steps", 1, "--out", tmp_path / "all")
    # floor(0.9 * 1,020) = 918, and as many windows but 8; the other 102
    assert f"100% of {tmp_path / 'own.txt'} (--share): 910 windows to train on, 94 to validate" in done.output
    part = cli(
        "train", "--corpus", tmp_path / "own.txt", *TINY, "--share", 0.3, "--max-steps", 1, "--out", tmp_path / "3"
    )
    assert f"30% of {tmp_path / 'own.txt'} (--share): 267 windows" in part.output  # floor(0.9 * 306) - 8
    again = cli("train", "--resume", "--max-steps", 2, "--out", tmp_path / "3")
    assert "30% of" in again.output


def test_the_courses_share_is_kept_for_the_texts_that_come_with_pygpt(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # floor(0.3 * 36,377) = 10,913, of which floor(0.9 x) = 9,821 train
    done = cli("train", "--corpus", "sample", *TINY, "--max-steps", 1, "--out", tmp_path / "sample")
    assert "30% of sample (--share): 9,813 windows" in done.output
    # the course's text is known by its bytes, wherever it lies
    copy = tmp_path / "copy.txt"
    copy.write_text(read_corpus("sample").text, "utf-8")
    monkeypatch.setattr("pygpt.runs.SHAKESPEARE_SHA256", read_corpus("sample").sha256)
    done = cli("train", "--corpus", copy, *TINY, "--max-steps", 1, "--out", tmp_path / "copy")
    assert f"30% of {copy} (--share): 9,813 windows" in done.output


def test_what_a_text_holds_is_told_once(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("\ufeff" + TEXT, "utf-8")
    done = cli("train", "--corpus", tmp_path / "t.txt", *TINY, "--max-steps", 1, "--out", tmp_path / "run")
    assert "note on the text: it begins with a byte-order mark (U+FEFF)" in done.output
    assert "note on the text" not in cli("train", "--resume", "--max-steps", 2, "--out", tmp_path / "run").output


@pytest.mark.parametrize(("limit", "unit", "last"), [(["--max-steps", 5], "step", 5), (["--epochs", 2], "epoch", 2)])
def test_the_axis_of_a_runs_figure(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: list[object], unit: str, last: float
) -> None:
    drawn: list[Figure] = []
    monkeypatch.setattr(figures, "save", lambda figure, path: drawn.append(figure))
    cli("train", *SMALL, *limit, "--out", tmp_path / "run")
    for axes in drawn[0].axes:
        assert axes.get_xlabel() == unit
        assert axes.lines[0].get_xdata()[-1] == last  # type: ignore[index]


def test_the_default_prompt_fits_or_is_asked_for(cli: Cli, run_of: RunOf, tmp_path: Path) -> None:
    assert cli("generate", "--run", run_of("gpt"), "--tokens", 3).output.startswith("MARCIUS: ")
    (tmp_path / "own.txt").write_text(TEXT, "utf-8")
    cli("train", "--corpus", tmp_path / "own.txt", *TINY, "--max-steps", 1, "--out", tmp_path / "run")
    for command, option in (("generate", "--prompt"), ("attention", "--text")):
        asked = cli(command, "--run", tmp_path / "run")
        assert asked.exit_code == 2
        assert asked.stdout == ""
        assert f"give a text with {option}" in asked.stderr
        assert "':', 'A', 'I', 'M', 'R', 'S', 'U'" in asked.stderr
        assert cli(command, "--run", tmp_path / "run", option, "Não").exit_code == 0


@pytest.mark.parametrize(
    ("command", "meant"),
    [
        (["train", "--n-embed", "3"], "--n-embd"),
        (["train", "--learning-rate", "3"], "--lr"),
        (["train", "--N-Layers", "3"], "--n-layer"),
        (["train", "--model", "gtp"], "gpt"),
        (["train", "--engine", "fats"], "fast"),
        (["validate", "history", "x.csv", "--model", "gpt_noatn"], "gpt_noattn"),
        (["parity", "compare", "--source", "oracel"], "oracle"),
        (["trainn"], "train"),
    ],
)
def test_did_you_mean(cli: Cli, command: list[str], meant: str) -> None:
    for lang, words in (("en", "Did you mean"), ("pt", "Seria")):
        result = cli(*command, env={"PYGPT_LANG": lang})
        assert result.exit_code == 2
        message = result.stderr.splitlines()[-1]
        assert f"'{meant}'" in message.partition(words)[2], message
    assert "Did you mean" not in cli("train", "--model", "lstm").stderr
