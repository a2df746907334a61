"""`validate --exercise`: what is told of an exercise that is not the course's; `--seed`: of a named run."""

import json
import math
from pathlib import Path

import pytest

from pygpt.exercises.exercise import Exercise, Losses, Published
from pygpt.exercises.opening import course, opened
from pygpt.validation import report
from pygpt.validation.bought import bought_lines
from tests.exercises.small import SMALL
from tests.validation.helpers import Cli, refused


def written(path: Path, losses: Losses, epochs: int = 2) -> Path:
    rows = [f"{e},{losses[e, 'train']:.9g},{losses[e, 'valid']:.9g}" for e in range(1, epochs + 1)]
    path.write_text("\n".join(["epoch,train,valid", *rows]) + "\n")
    return path


def of(prepared: Path, model: str = "gpt") -> Exercise:
    return opened(prepared)[model]  # type: ignore[index]


def trained(cli: Cli, folder: Path, *options: object) -> Path:
    settings = [option for option in SMALL if option not in ("--title", "Sheet 9")]
    done = cli("train", *settings, *options, "--out", folder)
    assert done.exit_code == 0, done.output
    return folder


def test_rs_own_history_is_identical(cli: Cli, prepared: Path, tmp_path: Path) -> None:
    history = written(tmp_path / "h.csv", of(prepared).recorded.losses)
    done = cli("validate", "history", history, "--exercise", prepared, "--json", tmp_path / "r.json",
               "--html", tmp_path / "r.html", "--figure", tmp_path / "f.svg")  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "Against engine r's run: identical (losses of epochs: 4" in done.output
    assert "pygpt computed it, not R" in done.output
    content = json.loads((tmp_path / "r.json").read_text())
    (exercise,) = content["exercises"]
    assert exercise["exercise"] == "exercise"
    assert [row["published"] for row in exercise["losses"]] == [None] * 4
    assert "course" not in done.output.partition("Losses in nats")[0]  # nothing is published: no such column
    assert "Sheet 9: GPT" in (tmp_path / "r.html").read_text("utf-8")


def test_the_model_is_the_exercises_unless_it_is_named(cli: Cli, prepared: Path, tmp_path: Path) -> None:
    other = written(tmp_path / "h.csv", of(prepared, "gpt_noattn").recorded.losses)
    done = cli("validate", "history", other, "--exercise", prepared, "--model", "gpt_noattn")
    assert done.exit_code == 0, done.output
    assert "identical" in done.output
    refused(cli("validate", "history", other), "--model gpt (exercise 2)", "--exercise FILE")


def test_what_is_far_off_is_not_good_and_more_epochs_are_named(cli: Cli, prepared: Path, tmp_path: Path) -> None:
    losses = {key: loss + 50 for key, loss in of(prepared).recorded.losses.items()}
    off = cli("validate", "history", written(tmp_path / "h.csv", losses), "--exercise", prepared)
    assert off.exit_code == 1
    assert "Outside the band" in off.output
    more = of(prepared).recorded.losses | {(3, "train"): 1.0, (3, "valid"): 1.0}
    told = cli("validate", "history", written(tmp_path / "m.csv", more, 3), "--exercise", prepared)
    assert told.exit_code == 0
    assert "Epochs after 2 are not judged" in told.output


def test_a_run_and_its_weights(cli: Cli, prepared: Path, tmp_path: Path) -> None:
    run = trained(cli, tmp_path / "run")
    done = cli("validate", "run", run, "--exercise", prepared)
    assert done.exit_code == 0, done.output
    assert "identical (steps:" in done.output
    assert "must be identical" in done.output
    weights = cli("validate", "weights", run / "weights.safetensors", "--exercise", prepared)
    assert weights.exit_code == 0, weights.output
    assert "The weights are R's of seed 42, by their SHA-256." in weights.output
    assert "is R's, character for character" in weights.output
    anything = cli("validate", "--r", run / "weights.safetensors", "--exercise", prepared)
    assert "The weights are R's of seed 42" in anything.output
    # of the course, and of the exercise with other settings
    refused(cli("validate", "run", run), "another text than the course's")
    other = trained(cli, tmp_path / "other", "--lr", 0.01)
    refused(cli("validate", "run", other, "--exercise", prepared), "lr is 0.01, not 0.001")


def test_a_named_seed_is_trained_and_told(
    cli: Cli, prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = trained(cli, tmp_path / "run", "--seed", 7, "--r-threads", 2)
    options = ["--exercise", prepared, "--seed", 7, "--r-threads", 2]
    done = cli("validate", "history", run / "history.csv", *options)
    assert done.exit_code == 0, done.output
    assert "So it is the run of seed 7 (R's threads: 2)." in done.output
    assert "identical (losses of epochs: 4" in done.output
    weights = cli("validate", "weights", run / "weights.safetensors", *options)
    assert "The weights are R's of seed 7, by their SHA-256." in weights.output
    again = cli("validate", "run", run, *options)
    assert "Against engine r's run: identical (steps:" in again.output
    # another seed: from which loss, step and weight on
    wrong = ["--exercise", prepared, "--seed", 8]
    told = " ".join(cli("validate", "history", run / "history.csv", *wrong).output.split())
    assert "differs from train loss of epoch 1 on" in told
    assert "it is not the run of seed 8" in told
    told = " ".join(cli("validate", "weights", run / "weights.safetensors", *wrong).output.split())
    assert "The first weight that differs is wpe.weight: 64 of its 64 numbers" in told
    assert "differs from step 1 on" in cli("validate", "run", run, *wrong).output
    refused(cli("validate", "history", run / "history.csv", "--exercise", prepared, "--r-threads", 2), "with --seed")


def test_what_is_published_has_its_column(cli: Cli, prepared: Path, tmp_path: Path) -> None:
    text = prepared.read_text()
    published = '[published]\nepochs = [{ epoch = 2, valid = 3.5 }]\ndecimals = 1\nsource = "Sheet"\n'
    prepared.with_name("p.toml").write_text(text.split("beside")[0] + text.partition("\n\n")[2] + published)
    (tmp_path / "e").mkdir()
    file = tmp_path / "e" / "exercise.toml"
    file.write_text(prepared.with_name("p.toml").read_text())
    prepared.with_name("p.toml").unlink()
    for kept in prepared.with_name("exercise_prepared").iterdir():
        if kept.name != "exercise.toml":
            (tmp_path / "e" / kept.name).write_bytes(kept.read_bytes())
    done = cli("validate", "recorded", "--exercise", file, "--json", tmp_path / "r.json")
    assert done.exit_code == 0, done.output
    assert "rounded to 1 decimals, so they are known to within 0.05" in " ".join(done.output.split())
    rows = json.loads((tmp_path / "r.json").read_text())["exercises"][0]["losses"]
    assert [row["published"] for row in rows] == [None, None, None, 3.5]
    assert rows[3]["published_perplexity"] == pytest.approx(math.exp(3.5))
    assert "The published table lies" in done.output


def test_what_attention_buys_by_hand(prepared: Path) -> None:
    # the course's published losses: 2.548 - 1.694 nats; perplexities exp(1.694) and exp(2.548)
    (line, r) = bought_lines(report.build([], ["gpt", "gpt_noattn"], None, same_kernels=False), "en")
    assert line.text.startswith("What attention buys (course): at the end the validation loss is 1.6940 with it and ")
    assert "and 2.5480 without" in line.text
    assert "+0.8540 nats per character; the perplexity 5.44 in place of 12.78" in line.text
    assert "(R)" in r.text
    assert bought_lines(report.build([], ["gpt"], None, same_kernels=False), "en") == []
    assert course()["gpt"].published != Published()


def test_portuguese_words_are_whole() -> None:
    from pygpt.validation.texts import is_speaker, measure, words

    assert words("Não há coração d'água à-toa, 3 vezes") == ["não", "há", "coração", "d'água", "à", "toa", "vezes"]
    assert is_speaker("SIMÃO:")
    assert is_speaker("Dona Ângela:")
    assert not is_speaker("não sei:")
    assert measure("Não há", ["não"]).known == 1
