"""`validate run`: verdicts on finished runs, and runs that are refused."""

import json
import math
from pathlib import Path

import pytest

from pygpt.corpus import Corpus
from pygpt.exercises.opening import course as exercises
from pygpt.validation import gather, report
from tests.validation.helpers import Cli, a_history, a_run, refused


@pytest.mark.usefixtures("same", "no_corpus")
def test_rs_own_run_is_identical(cli: Cli, tmp_path: Path) -> None:
    run, files = a_run(tmp_path / "run"), [tmp_path / name for name in ("f.png", "f.svg", "r.html", "r.json")]
    options = ["--figure", files[0], "--figure", files[1], "--html", files[2], "--json", files[3]]
    result = cli("validate", "run", run, *options)
    assert result.exit_code == 0, result.output
    assert "Against R's recording: identical (steps: 14115, losses of epochs: 6" in result.output
    assert "VERDICT: good" in result.output
    assert files[0].read_bytes().startswith(b"\x89PNG")
    assert b"<svg" in files[1].read_bytes()
    content = json.loads(files[3].read_text())
    assert content["good"] is True
    (exercise,) = content["exercises"]
    row = exercise["losses"][5]
    # Table 1, page 5, and the recording's last line
    assert (row["epoch"], row["part"], row["published"], row["recorded"]) == (3, "valid", 1.6940, 1.68795359)
    assert row["run_minus_recorded"] == 0
    assert row["run_minus_published"] == pytest.approx(1.68795359 - 1.6940)
    assert row["published_perplexity"] == pytest.approx(5.44, abs=0.005)
    assert content["provenance"]["validated"]["gpt"]["settings"]["seed"] == 42


@pytest.mark.usefixtures("same", "no_corpus")
def test_rs_own_text_is_known(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text, run = exercises()["gpt"].recorded.text, a_run(tmp_path / "run")
    for drawn, words in ((text, "is R's, character for character"), (text[:9] + "#" + text[10:], "at character 10.")):
        monkeypatch.setattr(gather, "sample", lambda *_, drawn=drawn: drawn)
        assert words in cli("validate", "run", run).output


@pytest.mark.usefixtures("same", "no_corpus")
def test_a_step_that_differs_is_named(cli: Cli, tmp_path: Path) -> None:
    steps = list(exercises()["gpt"].recorded.steps)
    steps[299:] = [loss + 2e-4 for loss in steps[299:]]
    steps[99] += 5e-7
    result = cli("validate", "run", a_run(tmp_path / "run", steps=steps), "--json", tmp_path / "r.json")
    assert result.exit_code == 1
    assert "differs from step 300 on" in result.output
    assert "The first bit differs at step 100." in result.output
    verdict = json.loads((tmp_path / "r.json").read_text())["exercises"][0]["verdict"]
    assert (verdict["kind"], verdict["steps"]["first"], verdict["good"]) == ("differs", 300, False)


@pytest.mark.usefixtures("no_corpus")
def test_other_kernels_need_not_give_the_same_bits(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = [*exercises()["gpt"].recorded.steps[:-1], 1.3]
    run = a_run(tmp_path / "run", steps=steps)
    for same, code in ((True, 1), (False, 0)):
        monkeypatch.setattr(gather, "same_kernels", lambda *_, same=same: same)
        assert cli("validate", "run", run).exit_code == code


@pytest.mark.usefixtures("same")
def test_a_model_of_exercise_3_that_sees_other_characters_is_not_good(
    cli: Cli, tmp_path: Path, shakespeare: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = a_run(tmp_path / "run", "gpt_noattn")
    good = cli("validate", "run", run)
    assert good.exit_code == 0, good.output
    # the terminal's width decides where lines break
    assert "depends on the present character and its place alone" in " ".join(good.output.split())
    monkeypatch.setattr(report, "effect_of_others", lambda _: 0.1)
    assert cli("validate", "run", run).exit_code == 1


def test_a_loss_below_the_floor_is_named(cli: Cli, tmp_path: Path, shakespeare: Corpus) -> None:
    history = a_history(tmp_path / "h.csv", exercises()["gpt"].recorded.losses)
    result = cli("validate", "history", history, "--model", "gpt_noattn")
    assert result.exit_code == 1
    assert "run is BELOW the floor" in result.output


@pytest.mark.usefixtures("no_corpus")
@pytest.mark.parametrize(("shift", "code"), [(0.001, 0), (0.5, 1)])
def test_another_seed_is_judged_by_the_band(cli: Cli, tmp_path: Path, shift: float, code: int) -> None:
    steps = [loss + 0.01 for loss in exercises()["gpt"].recorded.steps]
    result = cli("validate", "run", a_run(tmp_path / "run", steps=steps, shift=shift, seed=7))
    assert result.exit_code == code, result.output
    assert "differs from step 1 on" in result.output
    assert ("Outside the band around R's: train loss of epoch 1 (2.2568" in result.output) is bool(code)


@pytest.mark.usefixtures("no_corpus")
def test_a_diverged_run_is_not_good(cli: Cli, tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", steps=[math.nan] * 14_115, shift=math.nan, seed=7)
    options = ["--json", tmp_path / "r.json", "--html", tmp_path / "r.html", "--figure", tmp_path / "f.png"]
    result = cli("validate", "run", run, *options)
    assert result.exit_code == 1, result.output
    row = json.loads((tmp_path / "r.json").read_text())["exercises"][0]["losses"][0]
    assert (row["run"], row["run_inside_band"]) == (None, False)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"epochs": 0, "seed": 7}, ["has trained no epoch yet", "train --resume"]),
        ({"epochs": 3, "sha256": "0" * 64}, ["another text than the course's"]),
        ({"shape": {"n_embd": 64}, "lr": 0.01}, ["n_embd is 64, not 128", "lr is 0.01, not 0.001"]),
    ],
)
@pytest.mark.usefixtures("no_corpus")
def test_runs_that_are_not_the_courses(cli: Cli, tmp_path: Path, options: dict[str, object], words: list[str]) -> None:
    refused(cli("validate", "run", a_run(tmp_path / "run", **options)), *words)  # type: ignore[arg-type]


@pytest.mark.usefixtures("no_corpus")
def test_runs_that_cannot_be_read(cli: Cli, tmp_path: Path) -> None:
    refused(cli("validate", "run", tmp_path), "holds no run")
    run = a_run(tmp_path / "run")
    refused(cli("validate", "run", run, run), "are both gpt models")
    (run / "steps.csv").write_text("step,loss\n1,4.31018066\n")
    refused(cli("validate", "run", run), "steps.csv has 1 steps; 3 epochs of the course's text are 14115")
    (run / "steps.csv").write_text("step,loss\n1,what\n")
    refused(cli("validate", "run", run), "steps.csv is damaged", "line 2")


@pytest.mark.usefixtures("same", "no_corpus")
@pytest.mark.parametrize("epochs", [0, 1, 2, 4])
def test_a_run_is_judged_as_far_as_it_went(cli: Cli, tmp_path: Path, epochs: int) -> None:
    recorded = exercises()["gpt"].recorded
    steps = [*recorded.steps[: 4705 * epochs + 100], *[1.4] * (4705 * (epochs - 3))]
    run = a_run(tmp_path / "run", steps=steps, epochs=min(epochs, 3))
    if epochs == 4:
        with (run / "history.csv").open("a") as file:
            file.write("4,1.4,1.7,4.06,5.47\n")
    done = cli("validate", "run", run, "--json", tmp_path / "r.json")
    output = " ".join(done.output.split())
    assert done.exit_code == 0, output
    judged = f", losses of epochs: {2 * min(epochs, 3)}" if epochs else ""
    assert f"identical (steps: {min(len(steps), 14_115)}{judged}; every" in output
    assert ("Epochs after 3 are not judged" in output) is (epochs == 4)
    for epoch in (1, 2, 3):
        assert (f"epoch {epoch}" in output.partition("Not judged")[2].partition(".")[0]) is (epoch > epochs)
    (exercise,) = json.loads((tmp_path / "r.json").read_text())["exercises"]
    assert exercise["verdict"]["same_weights"] is None  # they are not those of three epochs
