"""`validate --r FILE`: losses, weights or both from R's own files."""

import gzip
import math
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from pygpt import training
from pygpt.corpus import Corpus
from pygpt.exercises.exercise import PARTS
from pygpt.exercises.opening import course as exercises
from pygpt.models import build_model
from pygpt.settings import ModelName, ModelSettings
from pygpt.validation.history import read_luz_history
from tests.r_files.helpers import FILES, Classed, rds
from tests.validation.helpers import Cli, refused

RECORDED = exercises()["gpt"].recorded.losses


def columns(decimals: int = 12) -> dict[str, Any]:
    losses = {part: [round(RECORDED[epoch, part], decimals) for epoch in (1, 2, 3)] for part in PARTS}
    return {"epoch": np.array([1.0, 2, 3]), **{part: np.array(values) for part, values in losses.items()}}


def records(model: ModelName = "gpt") -> dict[str, Any]:
    """`fitted$records$metrics`."""
    losses = exercises()[model].recorded.losses
    return {part: [{"loss": losses[epoch, part]} for epoch in (1, 2, 3)] for part in PARTS}


HISTORIES = {
    "columns": columns(),
    "the course's names": dict(zip(("Epoca", "Loss_Treino", "Loss_Valid"), columns().values(), strict=True)),
    "records$metrics": records(),
    "fitted$records": {"metrics": records(), "profile": {part: [{"loss": 1.0}] * 3 for part in PARTS}},
    "accuracies beside": {part: [{**epoch, "acc": 0.5} for epoch in epochs] for part, epochs in records().items()},
    "vectors": {part: columns()[part] for part in PARTS},
    "lists of numbers": {part: columns()[part].tolist() for part in PARTS},
}


@pytest.mark.parametrize("name", HISTORIES)
@pytest.mark.usefixtures("no_corpus")
def test_histories(cli: Cli, name: str, tmp_path: Path) -> None:
    (tmp_path / "h.rds").write_bytes(gzip.compress(rds(HISTORIES[name])))
    for command in (["history", tmp_path / "h.rds"], ["r", tmp_path / "h.rds"], ["--r", tmp_path / "h.rds"],
                    [f"--r={tmp_path / 'h.rds'}"]):  # fmt: skip
        result = cli("validate", *command, "--model", "gpt")
        assert result.exit_code == 0, result.output
        assert "identical (losses of epochs: 6" in result.output


@pytest.mark.usefixtures("no_corpus")
def test_rounded_losses_have_their_digits(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "h.rds").write_bytes(rds(columns(decimals=4)))
    result = cli("validate", "--lang", "en", "--r", tmp_path / "h.rds", "--model", "gpt")
    assert result.exit_code == 0, result.output
    assert "identical to 4 digits" in result.output


def test_two_histories_are_told_apart(tmp_path: Path, cli: Cli) -> None:
    (tmp_path / "h.rds").write_bytes(rds({"a": records("gpt"), "b": {"c": records("gpt_noattn")}, "d": records("gpt")}))
    refused(cli("validate", "--r", tmp_path / "h.rds", "--model", "gpt"), "several histories: x$a, x$b$c.")


def test_what_base_r_writes(tmp_path: Path) -> None:
    """A data frame with a factor, and a matrix by sapply, in a workspace."""
    if shutil.which("Rscript") is None:
        pytest.skip("R is not installed: no program Rscript")
    numbers = {part: ", ".join(repr(RECORDED[epoch, part]) for epoch in (1, 2, 3)) for part in PARTS}
    code = f"""
        frame <- data.frame(set = factor(rep(c("train", "valid"), each = 3)), metric = "loss", epoch = rep(1:3, 2),
                            value = c({numbers["train"]}, {numbers["valid"]}))
        metrics <- list(train = lapply(c({numbers["train"]}), function(x) list(loss = x)),
                        valid = lapply(c({numbers["valid"]}), function(x) list(loss = x)))
        saveRDS(frame, "frame.rds"); saveRDS(sapply(metrics, unlist), "matrix.rds"); x <- 1:10
        wide <- data.frame(epoch = 1:3, train = c({numbers["train"]}), valid = c({numbers["valid"]}))
        saveRDS(as.matrix(wide), "wide.rds"); save(x, wide, file = "workspace.RData")
    """
    subprocess.run(["Rscript", "--vanilla", "-e", code], cwd=tmp_path, check=True, capture_output=True, timeout=120)
    for name in ("frame.rds", "matrix.rds", "wide.rds", "workspace.RData"):
        assert read_luz_history(tmp_path / name, 3).losses == RECORDED, name


@pytest.mark.usefixtures("no_corpus")
def test_what_a_file_does_not_hold(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "h.rds").write_bytes(rds(columns()))
    (tmp_path / "n.rds").write_bytes(rds({"a": 1.0}))
    (tmp_path / "bad.rds").write_bytes(rds(columns() | {"train": np.array([1.0, math.nan, 1.0])}))
    refused(cli("validate", "--r", tmp_path / "h.rds"), "--model gpt (exercise 2)")
    refused(cli("validate", "--r", tmp_path / "n.rds", "--model", "gpt"), "holds no weights", "but a")
    refused(cli("validate", "history", tmp_path / "n.rds", "--model", "gpt"), "holds no losses of epochs")
    refused(cli("validate", "--r", tmp_path / "bad.rds", "--model", "gpt"), "'nan' is not a finite number")
    refused(cli("validate", "--r", tmp_path / "nowhere.rds", "--model", "gpt"), "nowhere.rds")
    refused(cli("validate", "--r"), "FILE")
    refused(cli("validate", "--r", FILES / "pointers.rds"), "died with the R session")
    torch.save({}, tmp_path / "py.pt")
    refused(cli("validate", "--r", tmp_path / "py.pt"), "Python's torch.save")
    refused(cli("validate", "--r", FILES / "luz_save.rds"), "23 rows", "66")


def state(model: ModelName = "gpt_noattn", **shape: int) -> dict[str, torch.Tensor]:
    torch.manual_seed(42)
    return build_model(ModelSettings(model=model, **shape)).state_dict()  # type: ignore[arg-type]


def a_checkpoint(path: Path, model: ModelName = "gpt_noattn") -> Path:
    """What luz_callback_model_checkpoint writes: addressed tensors, and the object that says which is which."""
    tensors = state(model)
    names = {name: f"0x{i:x}" for i, name in enumerate(tensors)}
    held = {
        "epoch": 3.0,
        "records": {"metrics": records(model)},
        "model": {name: Classed(address, "torch_tensor_address") for name, address in names.items()},
    }
    robj = torch.frombuffer(bytearray(rds(held)), dtype=torch.uint8)
    save_file({names[n]: t for n, t in tensors.items()} | {"__robj__": robj}, path, {"__r__": '{"type":"list"}'})
    return path


def test_weights_and_their_history(
    cli: Cli, tmp_path: Path, shakespeare: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    loss = exercises()["gpt_noattn"].recorded.losses[3, "valid"]
    monkeypatch.setattr(training, "validation_loss", lambda *_: loss)
    both = a_checkpoint(tmp_path / "checkpoint.pt")
    result = cli("validate", "--r", both)
    assert result.exit_code == 0, result.output
    assert "differs" not in result.stderr
    assert result.stderr == ""
    assert "losses of epochs: 6" in result.output
    refused(cli("validate", "--r", both, "--model", "gpt"), "the weights of a gpt_noattn model, not of gpt")
    # the weights of another epoch
    monkeypatch.setattr(training, "validation_loss", lambda *_: loss + 0.01)
    other = cli("validate", "--r", both)
    assert f"validation loss of {loss + 0.01:.4f} here, its history ends at {loss:.4f}" in other.stderr


def test_weights_alone(cli: Cli, tmp_path: Path, shakespeare: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    loss = exercises()["gpt_noattn"].recorded.losses[3, "valid"]
    monkeypatch.setattr(training, "validation_loss", lambda *_: loss)
    arrays = {f"model.{name}": value.numpy() for name, value in state().items()}
    (tmp_path / "w.rds").write_bytes(gzip.compress(rds(arrays), 1))
    for command in (["--r"], ["weights"]):
        result = cli("validate", *command, tmp_path / "w.rds")
        assert result.exit_code == 0, result.output
        assert "the prefix model. is left out" in result.stderr
        assert "tensors were float64" in result.stderr
        assert "Inside the band around R's: validation loss of epoch 3" in result.output


def test_weights_of_other_exercises(cli: Cli, tmp_path: Path, shakespeare: Corpus) -> None:
    (tmp_path / "t.rds").write_bytes(rds({n: t.numpy().T if t.dim() == 2 else t.numpy() for n, t in state().items()}))
    refused(cli("validate", "weights", tmp_path / "t.rds"), "transposed are wpe.weight, wte.weight")
    save_file(state(n_embd=64), tmp_path / "w.safetensors")
    refused(cli("validate", "weights", tmp_path / "w.safetensors"), "wpe.weight has shape (64, 64)")
    note = '{"model": {"n_head": 4}}'
    save_file(state("gpt"), tmp_path / "w.safetensors", {"pygpt": note})
    refused(cli("validate", "weights", tmp_path / "w.safetensors"), "has 4 heads, the course 2")
