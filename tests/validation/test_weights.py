"""`validate weights`: weights that come from R."""

import dataclasses
import hashlib
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from pygpt import corpus, training, weights
from pygpt.corpus import Corpus
from pygpt.exercises.exercise import ExerciseFile
from pygpt.exercises.opening import course as exercises
from pygpt.models import build_model
from pygpt.output.messages import say
from pygpt.parity.recordings import read_recording
from pygpt.settings import ModelSettings, TrainingSettings
from pygpt.validation import gather, trained
from pygpt.vocabulary import Vocabulary
from tests.validation.helpers import Cli, refused

RECORDINGS = Path(__file__).parents[2] / "parity_tests" / "recordings"


def unigram_weights(text: str, order: str) -> tuple[dict[str, torch.Tensor], float]:
    """A no-attention model that gives every character its share of the text, and its loss on `text` by counting."""
    vocabulary = Vocabulary.from_text(text, order)
    shares = torch.full((len(vocabulary),), 1e-9, dtype=torch.float64)
    for row, character in enumerate(vocabulary.characters, start=1):
        shares[row] = text.count(character) / len(text)
    weights = {k: torch.zeros_like(v) for k, v in build_model(ModelSettings(model="gpt_noattn")).state_dict().items()}
    # scale3 gives (1, 0, 0, ...) whatever comes in, so the logits are the first column of ln_f
    weights["scale3.bias"][0] = 1
    weights["ln_f.weight"][:, 0] = shares.log().to(torch.float32)
    return weights, -sum(shares[r] * shares[r].log() for r in range(1, len(vocabulary))).item()


@pytest.mark.parametrize("order", ["icu", "c"])
def test_weights_are_evaluated_in_the_order_they_were_trained_in(
    order: str, tmp_path: Path, shakespeare: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = trained.windows

    def few(file: ExerciseFile, text: Corpus, vocabulary: Vocabulary) -> tuple[torch.Tensor, torch.Tensor]:
        train, valid = whole(file, text, vocabulary)
        return train, valid[: 64 * 64 * 2 : 64]

    monkeypatch.setattr(trained, "windows", few)
    # 128 windows that do not overlap: this text, each of its characters predicted once
    vocabulary = Vocabulary.from_text(shakespeare.text)
    windows = few(exercises()["gpt"].file, shakespeare, vocabulary)[1]
    text = vocabulary.decode(windows[:, 1:].flatten().tolist())
    missing = "".join(sorted(set(shakespeare.text) - set(text)))
    weights, _ = unigram_weights(text + missing, order)
    save_file(weights, tmp_path / "w.safetensors")
    counts = {c: (text + missing).count(c) / len(text + missing) for c in set(text)}
    expected = -sum(math.log(counts[c]) for c in text) / len(text)
    attempt = trained.from_weights(tmp_path / "w.safetensors", shakespeare, exercises())
    assert attempt.model == "gpt_noattn"
    assert attempt.facts["vocabulary"] == order
    assert attempt.losses == {(3, "valid"): pytest.approx(expected, abs=1e-5)}
    assert attempt.weights_sha256 != exercises()["gpt_noattn"].recorded.weights_sha256


def test_weights_by_command(cli: Cli, tmp_path: Path, shakespeare: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(42)
    path = tmp_path / "w.safetensors"
    save_file(build_model(ModelSettings(model="gpt_noattn")).state_dict(), path)
    loss = exercises()["gpt_noattn"].recorded.losses[3, "valid"]
    monkeypatch.setattr(training, "validation_loss", lambda *_: loss)
    other = cli("validate", "weights", path)
    assert other.exit_code == 0, other.output
    assert "The weights are not R's of seed 42" in other.output
    assert "Inside the band around R's: validation loss of epoch 3 (2.5455" in other.output
    monkeypatch.setattr(training, "validation_loss", lambda *_: 4.3)
    assert cli("validate", "weights", path).exit_code == 1
    monkeypatch.setattr(training, "validation_loss", lambda *_: loss)
    held = exercises()["gpt_noattn"]
    recorded = dataclasses.replace(held.recorded, weights_sha256=gather.weights_sha256(weights.read_tensors(path)[0]))
    monkeypatch.setitem(exercises(), "gpt_noattn", dataclasses.replace(held, recorded=recorded))
    same = cli("validate", "weights", path)
    assert "The weights are R's of seed 42" in same.output


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda w: w.update({"wte.weight": torch.zeros(90, 128), "ln_f.weight": torch.zeros(90, 128)}),
            ["90 rows", "66"],
        ),
        (lambda w: w.update({"wpe.weight": torch.zeros(32, 128)}), ["does not fit", "wpe.weight has shape (32, 128)"]),
        (lambda w: w.pop("scale3.bias"), ["missing scale3.bias"]),
        (lambda w: w.update({"MH.0.in_proj_weight": torch.zeros(384, 128)}), ["does not fit this gpt model"]),
    ],
)
def test_bad_weights(
    cli: Cli, tmp_path: Path, shakespeare: Corpus, change: Callable[[dict[str, torch.Tensor]], object], words: list[str]
) -> None:
    weights = build_model(ModelSettings(model="gpt_noattn")).state_dict()
    change(weights)
    save_file(weights, tmp_path / "w.safetensors")
    refused(cli("validate", "weights", tmp_path / "w.safetensors"), *words)
    (tmp_path / "w.safetensors").write_bytes(b"weights")
    refused(cli("validate", "weights", tmp_path / "w.safetensors"), "not a whole safetensors file")


def test_validation_loss_is_rs() -> None:
    recording = read_recording(RECORDINGS / "stream_gpt_noattn.safetensors")
    r_ids = [2 + (i * 7919 % 10007) % 65 for i in range(3295, 4118)]
    valid = corpus.windows(torch.tensor(r_ids) - 1, 64, say("the stream"))
    model = build_model(recording.model)
    model.load_state_dict({k.removeprefix("final."): v for k, v in recording.tensors.items() if k.startswith("final.")})
    loss = training.validation_loss(model, valid, TrainingSettings())
    assert loss == pytest.approx(
        recording.tensors["valid_loss"][1].item(), abs=0 if gather.same_kernels(exercises()) else 2e-6
    )


def test_the_hash_of_weights_is_the_readmes() -> None:
    tensors = {"b": torch.tensor([1.0, 2.0]), "a.weight": torch.tensor([[3.0]])}
    content = b"a.weight" + np.float32([3]).tobytes() + b"b" + np.float32([1, 2]).tobytes()
    assert gather.weights_sha256(tensors) == hashlib.sha256(content).hexdigest()
