"""`exercise new` and `exercise prepare`: what they leave, how they go on, and what is refused of it."""

import contextlib
import csv
import io
import json
import math
import shutil
import statistics
import zipfile
from pathlib import Path

import pytest

from pygpt import corpus
from pygpt.determinism import kernel_fingerprint
from pygpt.exercises import watching
from pygpt.exercises.exercise import Exercise
from pygpt.exercises.mistakes import mistakes_of, start
from pygpt.exercises.opening import course_files, opened
from tests.exercises.small import SMALL
from tests.validation.helpers import Cli, refused


def exercise(path: Path) -> Exercise:
    return next(iter(opened(path).values()))


def folder_of(file: Path) -> Path:
    return file.with_name("exercise_prepared")


def test_the_truth_is_what_train_gives(cli: Cli, prepared: Path, tmp_path: Path) -> None:
    # the settings by hand, by another command
    settings = ["--corpus", "sample", "--share", 0.03, "--n-layer", 1, "--n-head", 2, "--n-embd", 8, "--block-size", 8]
    assert cli("train", *settings, "--epochs", 2, "--out", tmp_path / "run").exit_code == 0
    e = exercise(prepared)
    with (tmp_path / "run" / "history.csv").open() as file:
        rows = {int(row["epoch"]): row for row in csv.DictReader(file)}
    for epoch, part in e.keys:
        assert e.recorded.losses[epoch, part] == float(rows[epoch][part])
    text = cli("generate", "--run", tmp_path / "run", "--prompt", e.file.generation.prompt, "--tokens", 400,
               "--seed", 123).output  # fmt: skip
    assert text == e.file.generation.prompt + e.recorded.text + "\n"
    assert (e.recorded.by_r, e.fingerprint) == (False, kernel_fingerprint())


def test_the_spread_is_measured_after_every_epoch(prepared: Path) -> None:
    e = exercise(prepared)
    assert e.measured_epochs == (1, 2)
    for epoch in (1, 2):
        seeds = {seed["seed"]: seed for seed in e.seeds(epoch)}
        assert set(seeds) == {42, 43}
        # seed 42 is R's: engine fast is close to it
        assert seeds[42]["valid"] == pytest.approx(e.recorded.losses[epoch, "valid"], abs=1e-3)
        s = statistics.stdev(seed["valid"] for seed in seeds.values())
        assert e.half_width("valid", epoch) == pytest.approx(63.657 * math.sqrt(2) * s, rel=1e-4)  # Student's t, df 1
    assert e.half_width("valid", 1) != e.half_width("valid", 2)


def test_students_t_by_integration() -> None:
    from pygpt.exercises.exercise import _T99

    for df, t in enumerate(_T99, start=1):
        # Simpson's rule on Student's density, with x = tan(u) so that the tail ends
        n, low, high = 20_000, math.atan(t), math.pi / 2 - 1e-9
        constant = math.exp(math.lgamma((df + 1) / 2) - math.lgamma(df / 2)) / math.sqrt(df * math.pi)

        def density(u: float, df: int = df, constant: float = constant) -> float:
            x = math.tan(u)
            return constant * (1 + x * x / df) ** (-(df + 1) / 2) * (1 + x * x)

        h = (high - low) / n
        inner = sum((4 if i % 2 else 2) * density(low + i * h) for i in range(1, n))
        tail = (density(low) + inner + density(high)) * h / 3
        assert tail == pytest.approx(0.005, rel=1e-3), df


def test_a_mistake_is_known_by_what_it_gives(cli: Cli, prepared: Path) -> None:
    e = exercise(prepared)
    names = {mistake.name for mistake in e.mistakes}
    assert {"no_mask", "sgd", "no_shuffle", "lr_0.01", "n_embd_4", "share_1", "n_head_1", "block_size_16"} <= names
    assert "n_layer_1" not in names  # it has one layer
    without = opened(prepared)["gpt_noattn"]
    assert "no_mask" not in {mistake.name for mistake in without.mistakes}


def test_the_courses_mistakes_are_those_that_were_measured() -> None:
    names = [mistake.name for mistake in mistakes_of(course_files()["gpt"])]
    assert {"share_0.1", "share_1", "lr_0.0003", "n_embd_256", "block_size_32", "n_layer_1"} <= set(names)
    assert len(names) == len(set(names))


def test_unshuffled_windows_come_in_their_order() -> None:
    import torch

    from pygpt import r_semantics, training
    from pygpt.settings import ModelSettings, TrainingSettings

    with torch.random.fork_rng():
        state = training.start(ModelSettings(block_size=4, n_embd=4), TrainingSettings())
        windows = torch.arange(50).reshape(10, 5)
        (no_shuffle,) = (m for m in mistakes_of(course_files()["gpt"]) if m.name == "no_shuffle")
        moved = start(no_shuffle, state, windows)
        assert torch.equal(moved[r_semantics.shuffle(10)], windows)


def test_stopped_it_goes_on_and_gives_the_same(
    cli: Cli, prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli("exercise", "new", tmp_path, *SMALL).exit_code == 0

    class CtrlC:
        """Is pressed after some steps."""

        asks = 0

        @property
        def asked(self) -> bool:
            self.asks += 1
            return self.asks > 9

    with monkeypatch.context() as patch:
        patch.setattr(watching, "interruptible", lambda: contextlib.nullcontext(CtrlC()))
        stopped = cli("exercise", "prepare", tmp_path / "exercise.toml", "--seeds", 2)
    assert stopped.exit_code == 130
    assert "everything is saved" in stopped.output
    assert not folder_of(tmp_path / "exercise.toml").exists()
    done = cli("exercise", "prepare", tmp_path / "exercise.toml", "--seeds", 2)
    assert done.exit_code == 0, done.output
    one, other = exercise(tmp_path / "exercise.toml"), exercise(prepared)
    assert (one.recorded, one.spread, one.mistakes) == (other.recorded, other.spread, other.mistakes)
    again = cli("exercise", "prepare", tmp_path / "exercise.toml", "--seeds", 2)
    assert " of " not in again.stderr  # nothing is trained again


def test_a_zip_is_the_folder(cli: Cli, prepared: Path, tmp_path: Path) -> None:
    done = cli("exercise", "prepare", prepared, "--seeds", 2, "--out", tmp_path / "sheet.zip")
    assert done.exit_code == 0, done.output
    one, other = exercise(tmp_path / "sheet.zip"), exercise(folder_of(prepared))
    assert (one.recorded, one.spread, one.floors) == (other.recorded, other.spread, other.floors)
    told = cli("validate", "recorded", "--exercise", tmp_path / "sheet.zip")
    assert told.exit_code == 0, told.output
    assert "Sheet 9: GPT" in told.output
    assert "Sheet 9: no attention" in told.output


def test_a_text_of_ones_own_goes_with_it(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "A moça viu o mar, e o mar não a viu.\n" * 30
    (tmp_path / "novel.txt").write_text(text, encoding="utf-8")
    sheet = tmp_path / "sheet"
    sizes = ["--n-layer", 1, "--n-embd", 4, "--block-size", 6, "--epochs", 1]
    assert cli("exercise", "new", sheet, "--corpus", tmp_path / "novel.txt", *sizes).exit_code == 0
    (tmp_path / "novel.txt").unlink()
    done = cli("exercise", "prepare", sheet / "exercise.toml", "--seeds", 2, "--out", tmp_path / "s.zip")
    assert done.exit_code == 0, done.output
    shutil.rmtree(sheet)
    e = exercise(tmp_path / "s.zip")
    history = tmp_path / "h.csv"
    history.write_text(f"epoch,train,valid\n1,{e.recorded.losses[1, 'train']},{e.recorded.losses[1, 'valid']}\n")
    told = cli("validate", "history", history, "--exercise", tmp_path / "s.zip")
    assert told.exit_code == 0, told.output
    assert "the course's text" in told.output  # it came out of the zip
    monkeypatch.chdir(tmp_path)
    seeded = cli("validate", "history", history, "--exercise", tmp_path / "s.zip", "--seed", 5)
    assert "it is not the run of seed 5" in " ".join(seeded.output.split())


def test_what_is_damaged_or_foreign_is_refused(cli: Cli, prepared: Path, tmp_path: Path) -> None:
    def told(change: str, *words: str) -> None:
        refused(cli("validate", "recorded", "--exercise", sheet), *words)
        shutil.rmtree(sheet)
        shutil.copytree(folder_of(prepared), sheet)

    sheet = shutil.copytree(folder_of(prepared), tmp_path / "sheet")
    steps, index = sheet / "exercise.steps.csv", sheet / "index.json"
    steps.write_text(steps.read_text().replace("\n2,", "\n3,"))
    told("a line", "exercise.steps.csv is damaged", "SHA-256")
    steps.unlink()
    told("a file", "cannot read", "exercise.steps.csv")
    index.write_text(index.read_text()[:100])
    told("the index", "index.json is damaged")
    index.write_text(json.dumps(json.loads(index.read_text()) | {"format": 2}))
    told("the format", "format 2; this pygpt reads format 1", "Prepare the exercise with this pygpt")
    index.write_text(json.dumps(json.loads(index.read_text()) | {"exercise": "../x.toml"}))
    told("the way out", "index.json is damaged")
    index.unlink()
    told("no index", "is no prepared exercise")
    refused(cli("validate", "recorded", "--exercise", tmp_path / "nowhere"), "cannot read", "nowhere")
    (tmp_path / "x.zip").write_bytes(b"PK")
    refused(cli("validate", "recorded", "--exercise", tmp_path / "x.zip"), "neither an exercise's file, nor a folder")
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("index.json", "{}")
    (tmp_path / "y.zip").write_bytes(content.getvalue())
    refused(cli("validate", "recorded", "--exercise", tmp_path / "y.zip"), "damaged")


def test_what_was_changed_after_is_refused(cli: Cli, prepared: Path, tmp_path: Path) -> None:
    for name in ("exercise.toml", "exercise_without.toml"):
        shutil.copy(prepared.with_name(name), tmp_path / name)
    file = tmp_path / "exercise.toml"
    refused(cli("validate", "recorded", "--exercise", file), "is not prepared yet", "exercise prepare")
    shutil.copytree(folder_of(prepared), folder_of(file))
    assert cli("validate", "recorded", "--exercise", file).exit_code == 0
    text = file.read_text()
    file.write_text(text.replace('en = "Sheet 9"', 'en = "Sheet 10"'))  # what is only said may change
    assert "Sheet 10: GPT" in cli("validate", "recorded", "--exercise", file).output
    file.write_text(text.replace("lr = 0.001", "lr = 0.002"))
    refused(cli("validate", "recorded", "--exercise", file), "belongs to another exercise", "exercise prepare")


def test_bad_requests(cli: Cli, prepared: Path, tmp_path: Path) -> None:
    for seeds in (1, 0, 21):
        refused(cli("exercise", "prepare", prepared, "--seeds", seeds), f"seeds = {seeds}", "2 … 20")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("mine")
    refused(cli("exercise", "prepare", prepared, "--seeds", 2, "--out", tmp_path / "full"), "holds something else")
    assert (tmp_path / "full" / "thesis.tex").read_text() == "mine"
    refused(cli("exercise", "prepare", folder_of(prepared) / "index.json"), "is not an exercise's file")
    refused(cli("exercise", "new", prepared.parent), "is there already")
    refused(cli("exercise", "new", tmp_path / "n", "--n-embd", 9), "not divisible")
    refused(cli("exercise", "new", tmp_path / "n", "--corpus", tmp_path / "no.txt"), "cannot read the corpus")
    assert not (tmp_path / "n").exists()
    refused(cli("exercise", "check", tmp_path / "no.toml"), "cannot read")
    pair = prepared.read_text().replace('beside = "exercise_without.toml"', 'beside = "exercise.toml"')
    (tmp_path / "exercise.toml").write_text(pair)
    refused(cli("exercise", "check", tmp_path / "exercise.toml"), "has the same model")


def test_a_text_that_changed_is_refused(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("abcab" * 100)
    assert cli("exercise", "new", tmp_path / "s", "--corpus", tmp_path / "t.txt").exit_code == 0
    (tmp_path / "s" / "t.txt").write_text("abcab" * 101)
    now = corpus.read_corpus(str(tmp_path / "s" / "t.txt")).sha256
    for command in ("check", "prepare"):
        refused(cli("exercise", command, tmp_path / "s" / "exercise.toml"), "is another one", f'sha256 = "{now}"')


def test_an_exercise_of_gpt4rs_kind_is_prepared(cli: Cli, tmp_path: Path) -> None:
    assert cli("exercise", "new", tmp_path, *SMALL).exit_code == 0
    file = tmp_path / "exercise.toml"
    text = file.read_text().replace('order = "shuffle"', 'order = "sample"\nepoch_windows = 300\nvalid_windows = 64')
    text = text.replace('optimizer = "adamw"', 'optimizer = "adam"').replace('split_at = "floor"', 'split_at = "round"')
    text = text.replace("[generation]", '[generation]\ntop_k = 3\nrule = "gpt4r"').replace('rule = "course"', "")
    file.write_text(text)
    done = cli("exercise", "prepare", file, "--seeds", 2)
    assert done.exit_code == 0, done.output
    e = exercise(file)
    assert len(e.recorded.steps) == 2 * 5  # 300 windows in batches of 64, twice
    assert "no_shuffle" not in {mistake.name for mistake in e.mistakes}
    told = cli("exercise", "prepare", file, "--seeds", 2, "--with-r")
    assert told.exit_code == 2
    if "R is not installed" not in told.stderr:
        refused(told, "the course's R code has no", "optimizer", "rule")
