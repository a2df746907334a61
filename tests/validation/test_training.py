"""`validate train`: whole, or 200 steps."""

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from pygpt import runs, training
from pygpt.checkpoints import RESUME, RunFolder
from pygpt.corpus import Corpus
from pygpt.determinism import ALL_CORES
from pygpt.exercises.opening import course
from pygpt.settings import ModelSettings, TrainingSettings
from pygpt.validation import gather
from tests.validation.helpers import Cli, a_run, refused


@pytest.mark.parametrize("padding_row", ["r", "corrected"])
def test_quick(
    padding_row: str, cli: Cli, tmp_path: Path, shakespeare: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gather, "QUICK_STEPS", 12)
    begin = training.start

    def start(model: ModelSettings, settings: TrainingSettings) -> training.TrainingState:
        return begin(model, dataclasses.replace(settings, padding_row=padding_row))

    monkeypatch.setattr(training, "start", start)
    result = cli("validate", "train", "--quick", "--model", "gpt_noattn", "--json", tmp_path / "r.json")
    steps = json.loads((tmp_path / "r.json").read_text())["exercises"][0]["verdict"]["steps"]
    assert steps["compared"] == 12
    if padding_row == "corrected":  # R's slip in the embedding is what the recording can tell
        assert result.exit_code == 1, result.output
        assert "differs from step " in result.output
        return
    assert result.exit_code == 0, result.output
    assert steps["kind"] in (["identical"] if gather.same_kernels(course()) else ["identical", "digits"])


def test_quick_with_r_on_other_threads_is_held_to_digits(
    cli: Cli, tmp_path: Path, shakespeare: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gather, "QUICK_STEPS", 3)
    options = ["--quick", "--model", "gpt_noattn", "--threads", 2, "--r-threads", 3, "--json", tmp_path / "r.json"]
    result = cli("validate", "train", *options)
    assert result.exit_code == 0, result.output
    assert "R was recorded on one thread" in result.output
    facts = json.loads((tmp_path / "r.json").read_text())["provenance"]["validated"]["gpt_noattn"]
    assert (facts["settings"]["threads"], facts["settings"]["r_threads"]) == (2, 3)
    assert facts["provenance"]["exactness"].startswith("exact on 2 threads")


@pytest.mark.usefixtures("same")
def test_whole_training_goes_on_where_it_was(cli: Cli, tmp_path: Path, shakespeare: Corpus) -> None:
    run = a_run(tmp_path / "gpt_noattn", "gpt_noattn")
    before = (run / RESUME).read_bytes()
    result = cli("validate", "train", "--model", "gpt_noattn", "--out", tmp_path)
    assert result.exit_code == 0, result.output
    assert "resumed after step 14,115" in result.output
    assert "identical (steps: 14115" in result.output
    assert (run / RESUME).read_bytes() == before


def test_whole_training_is_the_recordings(
    cli: Cli, tmp_path: Path, shakespeare: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(ready: runs.Training, *_: object) -> Iterator[training.Event]:
        begun.append(ready.run)
        return iter(())

    begun: list[RunFolder] = []
    monkeypatch.setattr(runs, "carry_on", stop)
    stopped = cli("validate", "train", "--out", tmp_path)
    assert stopped.exit_code == 130
    assert "everything is saved" in stopped.output
    (run,) = begun
    assert run.folder == tmp_path / "gpt"
    assert run.training == TrainingSettings(threads=ALL_CORES)
    assert run.model == ModelSettings()


def test_quick_keeps_nothing(cli: Cli, tmp_path: Path) -> None:
    refused(cli("validate", "train", "--quick", "--out", tmp_path / "runs"), "--quick keeps nothing", "--out")
    assert not (tmp_path / "runs").exists()


@pytest.mark.usefixtures("shakespeare")
def test_ctrl_c_ends_quick_with_130(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(gather, "first_steps", interrupted)
    assert cli("validate", "train", "--quick").exit_code == 130
