"""`validate --r-history`: tables of losses that come from R."""

from pathlib import Path

import pytest

from pygpt.validation.course import exercises
from tests.validation.helpers import Cli, a_history, refused

GOOD = "epoch,train,valid\n1,1.7,1.7\n2,1.5,1.7\n3,1.4,1.6\n"


@pytest.mark.usefixtures("no_corpus")
@pytest.mark.parametrize("model", ["gpt", "gpt_noattn"])
def test_histories(cli: Cli, tmp_path: Path, model: str) -> None:
    exercise = exercises()[model]
    command = ["validate", "--model", model, "--json", tmp_path / "r.json", "--r-history"]
    same = cli(*command, a_history(tmp_path / "r.csv", exercise.recorded.losses))
    assert same.exit_code == 0
    assert "identical (losses of epochs: 6" in same.output
    rounded = cli(*command, a_history(tmp_path / "r4.csv", exercise.recorded.losses, 4))
    assert rounded.exit_code == 0
    assert "identical to 4 digits" in rounded.output
    losses = dict(exercise.recorded.losses)
    losses[2, "valid"] += 2e-4
    near = cli(*command, a_history(tmp_path / "near.csv", losses))
    assert near.exit_code == 0
    assert "differs from validation loss of epoch 2 on" in near.output
    assert "Inside the band around R's: all 6 losses." in near.output
    losses[2, "valid"] += 1
    far = cli(*command, a_history(tmp_path / "far.csv", losses))
    assert far.exit_code == 1
    assert "Outside the band around R's: validation loss of epoch 2" in far.output
    assert "floors and shares of known words are left out" in far.stderr


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", ["is empty"]),
        (GOOD.replace("2,1.5,1.7\n", ""), ["lacks train of epoch 2, valid of epoch 2"]),
        (GOOD + "4,1.3,1.5\n", ["line 5", "epoch 4", "3 epochs"]),
        (GOOD.replace("2,1.5", "1,1.5"), ["line 3", "epoch 1 has a second train loss"]),
        (GOOD.replace("1.5", "um e meio"), ["line 3, train", "'um e meio' is not a number"]),
        (GOOD.replace("1.5", "NaN"), ["line 3, train", "'NaN' is not a finite number"]),
        (GOOD.replace("1.5", "NA"), ["line 3, train", "'NA' is not a number"]),
        (GOOD.replace("1.5", "1_5"), ["line 3, train", "'1_5' is not a number"]),
        ("x" * 200_000 + GOOD, ["is not a CSV file", "field"]),
        (GOOD.replace("1.5", ""), ["line 3, train", "'' is not a number"]),
        (GOOD.replace(",", "\t"), ["one column only", "write.csv2"]),
        (GOOD.replace(".", ","), ["line 2: 5 fields under 3 columns", "Decimal commas need ;"]),
        (GOOD.replace("valid", "test"), ["'epoch', 'train', 'test'", "Loss_Treino"]),
        (GOOD.replace("1,1.7", "1.5,1.7"), ["epoch 1.5"]),
        ("set,epoch,value\ntest,1,2\n", ["line 2", "'test' is neither train nor valid"]),
    ],
)
@pytest.mark.usefixtures("no_corpus")
def test_bad_histories(cli: Cli, tmp_path: Path, content: str, words: list[str]) -> None:
    (tmp_path / "h.csv").write_text(content)
    refused(cli("validate", "--model", "gpt", "--r-history", tmp_path / "h.csv"), *words)


def test_a_corpus_that_is_not_the_courses(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "text.txt").write_text("To be, or not to be\n")
    monkeypatch.setenv("PYGPT_CORPUS", str(tmp_path / "text.txt"))
    history = a_history(tmp_path / "h.csv", exercises()["gpt"].recorded.losses)
    refused(cli("validate", "--r-history", history, "--model", "gpt"), "is not the course's text")
