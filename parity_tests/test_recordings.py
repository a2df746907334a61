"""pygpt against what R computed: to the last bit where the kernels are the recording's, else within limits."""

import csv
import dataclasses
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from safetensors import safe_open
from safetensors.torch import save_file

from pygpt import corpus, training
from pygpt.commands import main
from pygpt.determinism import kernel_fingerprint, reproducible
from pygpt.errors import PygptError
from pygpt.models import build_model
from pygpt.parity.check import check_recording
from pygpt.parity.recordings import RECORDED, read_recording
from pygpt.parity.replay import replay
from pygpt.settings import MODELS, ModelSettings, TrainingSettings
from pygpt.vocabulary import Vocabulary

RECORDINGS = Path(__file__).parent / "recordings"
FILES = [f"{name}_{model}" for name in RECORDED for model in MODELS]


@pytest.mark.parametrize("name", FILES)
def test_every_quantity_is_rs(name: str) -> None:
    check = check_recording(RECORDINGS / f"{name}.safetensors")
    print(check.strictness)
    assert check.comparison.agrees, check.comparison.first_divergence
    assert check.facts["not_recorded"] == []
    names = [line.name for line in check.comparison.lines]
    assert names[-1] == "generated"
    if check.facts["exact"]:
        assert all(line.absolute == 0 for line in check.comparison.lines)


def test_quantities_come_in_the_order_of_computation() -> None:
    names = [line.name for line in check_recording(RECORDINGS / "tiny_gpt.safetensors").comparison.lines]
    stages = list(dict.fromkeys(name.split(".")[0] for name in names))
    assert stages == [
        "init",
        "act",
        "loss",
        "grad",
        "grad_norm",
        "step1",
        "train_loss1",
        "losses",
        "step20",
        "generated",
    ]
    activations = [name for name in names if name.startswith("act.")]
    block = [f"act.block1.{part}" for part in ("scale1", "attn_weights", "attn", "scale2", "ffn", "output")]
    assert activations[:7] == ["act.embedding", *block]
    assert activations[-3:] == ["act.block2.output", "act.scale3", "act.logits"]
    gradients = [name for name in names if name.startswith("grad.")]
    assert gradients[0] == "grad.ln_f.weight"
    assert {*gradients[-2:]} == {"grad.wte.weight", "grad.wpe.weight"}


@pytest.mark.parametrize(("model", "r_class"), [("gpt", "GPT"), ("gpt_noattn", "GPT_NoAttn")])
def test_state_dict_has_rs_keys(model: str, r_class: str) -> None:
    recording = read_recording(RECORDINGS / f"tiny_{model}.safetensors")
    keys = list(build_model(recording.model).state_dict())
    assert set(keys) == {name.removeprefix("init.") for name in recording.tensors if name.startswith("init.")}
    # R lists a module's own parameters before its children's, in building order (exercise 2, `initialize`)
    kinds = ["wpe", "wte", "MH", "scale1", "scale2", "scale3", "FFN", "ln_f"]
    expected = kinds if r_class == "GPT" else [k for k in kinds if k not in ("MH", "scale1")]
    assert list(dict.fromkeys(key.split(".")[0] for key in keys)) == expected


@pytest.mark.parametrize("order", ["icu", "c"])
def test_vocabulary_is_rs(order: str) -> None:
    recorded = json.loads((RECORDINGS / "vocabulary.json").read_text())
    expected = [chr(point) for point in recorded["orders"][order]["code_points"]]
    text = "".join(sorted(expected, key=lambda c: hashlib.sha256(c.encode()).digest()))
    assert list(Vocabulary.from_text(text, order).characters) == expected


@pytest.mark.parametrize(
    ("model", "name"), [("gpt", "gpt"), pytest.param("gpt_noattn", "noattn", marks=pytest.mark.slow)]
)
def test_the_first_hundred_steps_on_shakespeare(model: str, name: str) -> None:
    try:
        text = corpus.read_corpus("shakespeare").text
    except PygptError as error:
        pytest.skip(f"the course's text is not at hand: {error}")
    with (RECORDINGS / f"shakespeare_{name}_steps.csv").open() as file:
        recorded = [np.float32(row["loss"]) for row in csv.DictReader(file)]
    assert len(recorded) == 3 * 4705
    vocabulary = Vocabulary.from_text(text)
    settings = TrainingSettings(max_steps=100)
    parts = corpus.split(vocabulary.encode(text), settings.share, settings.train_share)
    assert [len(part) for part in parts] == [301_156, 33_462]
    train, valid = (corpus.windows(part, 64, "Shakespeare") for part in parts)
    with reproducible():
        state = training.start(ModelSettings(model=model, vocab_size=len(vocabulary)), settings)
        losses = [
            np.float32(e.loss) for e in training.fit(state, train, valid, settings) if isinstance(e, training.Step)
        ]
    r = read_recording(RECORDINGS / f"stream_{model}.safetensors").provenance
    limit = 0 if r["kernel_fingerprint"] == kernel_fingerprint() else 2e-6
    assert len(losses) == 100
    assert max(abs(a - b) for a, b in zip(losses, recorded, strict=False)) <= limit


def test_gradients_are_compared_as_they_were_before_clipping() -> None:
    recording = read_recording(RECORDINGS / "tiny_gpt.safetensors")
    clipped = replay(dataclasses.replace(recording, run=dataclasses.replace(recording.run, max_norm=1e-3)))
    whole = replay(recording)
    assert whole["grad_norm"] > 1e-3
    assert not torch.equal(clipped["step20.ln_f.weight"], whole["step20.ln_f.weight"])
    assert all(torch.equal(clipped[name], whole[name]) for name in whole if name.startswith("grad"))


def changed(name: str, to: Path, tensor: str | None = None, **metadata: str | None) -> Path:
    """A copy of a recording with one element of a tensor or some of its metadata changed."""
    with safe_open(RECORDINGS / f"{name}.safetensors", "pt") as file:
        tensors, held = {key: file.get_tensor(key) for key in file.keys()}, file.metadata()  # noqa: SIM118
    if tensor:
        tensors[tensor].view(-1)[0] += 1 if tensors[tensor].dtype == torch.int64 else 1e-3
    kept = {k: v for k, v in (held | metadata).items() if v is not None}
    save_file(tensors, to, kept)
    return to


@pytest.mark.parametrize("tensor", ["init.wte.weight", "act.block2.ffn", "loss", "grad.MH.0.out_proj.bias", "grad_norm",
                                    "step1.ln_f.weight", "losses", "step20.wpe.weight", "generated"])  # fmt: skip
def test_a_difference_is_found_and_named(tensor: str, tmp_path: Path) -> None:
    file = changed("tiny_gpt", tmp_path / "r.safetensors", tensor)
    result = CliRunner().invoke(main, ["parity", "check", str(file), "--json", str(tmp_path / "report.json")])
    assert result.exit_code == 1, result.output
    report = json.loads((tmp_path / "report.json").read_text())["checks"][0]
    over = [q["name"] for q in report["quantities"] if not q["agrees"]]
    assert tensor in over
    if not tensor.startswith("init."):  # what starts elsewhere ends elsewhere
        assert over == [tensor]
    assert report["first_divergence"] == tensor
    assert f"first divergence: {tensor}" in result.output


@pytest.mark.parametrize(
    "metadata",
    [{"recording": None}, {"recording": "model2"}, {"model": "LSTM"}, {"run": "{"}, {"run": "{}"},
     {"model_settings": "{}x"},
     {"model_settings": '{"block_size": 8, "n_embd": 15, "N_Layers": 2, "Head": 2, "nvoc": 11, "p0": 0.2}'},
     {"model_settings": '{"block_size": 8, "n_embd": 32, "N_Layers": 2, "Head": 2, "nvoc": 11, "p0": 0.2}'}],
)  # fmt: skip
def test_what_cannot_be_checked_exits_with_2(metadata: dict[str, str | None], tmp_path: Path) -> None:
    file = changed("tiny_gpt", tmp_path / "r.safetensors", **metadata)
    result = CliRunner().invoke(main, ["parity", "check", str(file)])
    assert result.exit_code == 2, result.output
    assert result.stderr.startswith("Error: ")
    assert str(file) in result.stderr


def test_a_recording_of_r_on_many_threads_is_repeated_so(tmp_path: Path) -> None:
    held = read_recording(RECORDINGS / "tiny_gpt.safetensors").provenance
    file = changed("tiny_gpt", tmp_path / "r.safetensors", provenance=json.dumps(held | {"threads": 5}))
    report = check_recording(file)
    assert report.title.endswith("5 threads")
    assert report.facts["r_threads"] == 5
    # what was recorded on one thread is not what five give, and R's number of threads can be told
    first = report.comparison.first_divergence
    assert (first is not None and first.name.startswith("grad.")) == report.facts["exact"]
    told = CliRunner().invoke(main, ["parity", "check", str(file), "--r-threads", "1", "--threads", "2"])
    assert told.exit_code == 0, told.output


@pytest.mark.parametrize("threads", [0, 1025, "2", 1.5])
def test_an_impossible_number_of_threads_is_refused(threads: object, tmp_path: Path) -> None:
    file = changed("tiny_gpt", tmp_path / "r.safetensors", provenance=json.dumps({"threads": threads}))
    with pytest.raises(PygptError, match=f"threads = {threads}: it must be a whole number from 1 to 1024"):
        check_recording(file)


def test_one_bad_file_does_not_hide_the_next(tmp_path: Path) -> None:
    good, missing = RECORDINGS / "tiny_gpt_noattn.safetensors", tmp_path / "nowhere"
    result = CliRunner().invoke(main, ["parity", "check", str(missing), str(good), "--json", str(tmp_path / "r.json")])
    assert result.exit_code == 2
    assert f"there is no file {missing}" in result.stderr
    assert [c["agrees"] for c in json.loads((tmp_path / "r.json").read_text())["checks"]] == [True, None]


def test_a_nan_never_agrees(tmp_path: Path) -> None:
    with safe_open(RECORDINGS / "tiny_gpt.safetensors", "pt") as file:
        tensors, held = {key: file.get_tensor(key) for key in file.keys()}, file.metadata()  # noqa: SIM118
    tensors["act.scale3"][0, 0, 0] = torch.nan
    save_file(tensors, tmp_path / "r.safetensors", held)
    first = check_recording(tmp_path / "r.safetensors").comparison.first_divergence
    assert first is not None
    assert (first.name, first.problem) == ("act.scale3", "not finite")
