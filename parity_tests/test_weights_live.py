"""Weights from Python to R and back: the same bytes."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from pygpt.files import shipped
from pygpt.models import build_model
from pygpt.r.errors import RError
from pygpt.r.session import RSession
from pygpt.settings import ModelSettings
from pygpt.weights import save_weights


@pytest.fixture(scope="module")
def loader(r: RSession) -> RSession:
    for path in ("json.R", "safetensors.R", "oracle/oracle.R", "load_weights.R", "save_weights.R"):
        r.source(shipped(f"r_reference/{path}"))
    return r


def written(folder: Path, model: str) -> Path:
    torch.manual_seed(4)
    save_weights(build_model(ModelSettings(model=model, block_size=8, n_embd=16)), folder / "weights.safetensors")
    return folder / "weights.safetensors"


@pytest.mark.parametrize("model", ["gpt", "gpt_noattn"])
def test_the_oracle_reads_and_writes_the_same_bytes(model: str, loader: RSession, tmp_path: Path) -> None:
    path, back = written(tmp_path, model), tmp_path / "back.safetensors"
    loader.evaluate(
        "pass_on <- function(from, to) save_weights(load_weights(from), to, read_safetensors(from)$metadata)"
    )
    loader.call("pass_on", str(path), str(back))
    assert back.read_bytes() == path.read_bytes()


def test_r_sees_the_values(loader: RSession, tmp_path: Path) -> None:
    path = written(tmp_path, "gpt")
    seen = loader.call("load_weights", str(path))
    held = load_file(path)
    assert set(seen) == set(held)
    assert all((seen[name] == held[name].double().numpy()).all() for name in held)


def test_a_truncated_file_is_an_r_error(loader: RSession, tmp_path: Path) -> None:
    path = written(tmp_path, "gpt")
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(RError, match=r"weights\.safetensors"):
        loader.call("load_weights", str(path))


def test_r_torch_reads_and_writes_the_same_values(r_torch: RSession, loader: RSession, tmp_path: Path) -> None:
    path, back = written(tmp_path, "gpt"), tmp_path / "back.safetensors"
    r_torch.source(shipped("r_reference/course/models.R"))
    r_torch.evaluate(
        "through_torch <- function(from, to) { m <- gpt_module()(8, 16, 2, 66, 2, 0.2);"
        " save_weights(load_weights(from, m), to, read_safetensors(from)$metadata) }"
    )
    r_torch.call("through_torch", str(path), str(back))
    assert back.read_bytes() == path.read_bytes()
