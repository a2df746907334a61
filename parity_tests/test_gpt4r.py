"""GPT4R, the course's author's program: a small training and its texts, as GPT4R's own code made them on R torch."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from pygpt import corpus, training
from pygpt.determinism import kernel_fingerprint, reproducible
from pygpt.generation import Rule, generate
from pygpt.models import build_model
from pygpt.output.messages import say
from pygpt.parity.recordings import read_recording
from pygpt.settings import ModelSettings, TrainingSettings

FOLDER = Path(__file__).parent
MODEL = ModelSettings(block_size=8, n_embd=12, n_layer=2, n_head=2, vocab_size=66, dropout=0.2)
# GPT4R's settings (config.R, Train.R), but for the sizes and two epochs in place of five.
SETTINGS = TrainingSettings(
    share=1.0, train_share=0.9, split_at="round", batch_size=64, optimizer="adam", lr=0.003, max_norm=1.0, epochs=2,
    order="sample", sample_seed=1, epoch_windows=64 * 500, valid_windows=64 * 200, seed=42,
)  # fmt: skip
TOKENS = 2 + ((np.arange(1, 140_005) * 7919) % 10007) % 65 - 1


@pytest.fixture(scope="module")
def recorded() -> dict[str, Tensor]:
    return {name: value.clone() for name, value in load_file(FOLDER / "gpt4r" / "gpt4r.safetensors").items()}


@pytest.fixture(scope="module")
def exact() -> bool:
    """Whether the kernels are the recordings'."""
    provenance = read_recording(FOLDER / "recordings" / "tiny_gpt.safetensors").provenance
    return provenance["kernel_fingerprint"] == kernel_fingerprint()


def losses(settings: TrainingSettings) -> tuple[list[float], list[training.Epoch], dict[str, Tensor]]:
    """Of every step and epoch, and the weights after them."""
    parts = corpus.split(TOKENS, settings.share, settings.train_share, settings.split_at)
    train, valid = (corpus.windows(part, MODEL.block_size, say("the stream")) for part in parts)
    with reproducible():
        state = training.start(MODEL, settings)
        events = list(training.fit(state, train, valid[: settings.valid_windows], settings))
    steps = [event.loss for event in events if isinstance(event, training.Step)]
    return steps, [event for event in events if isinstance(event, training.Epoch)], state.model.state_dict()


def test_the_training_is_gpt4r_s(recorded: dict[str, Tensor], exact: bool) -> None:
    steps, epochs, weights = losses(SETTINGS)
    pairs = {
        "step_losses": torch.tensor(steps),
        "train_loss": torch.tensor([epoch.train for epoch in epochs]),
        "valid_loss": torch.tensor([epoch.valid for epoch in epochs]),
    } | {f"final.{name}": value for name, value in weights.items()}
    assert pairs.keys() == recorded.keys() - {"generated", "generated_greedy"}
    if exact:
        assert [name for name, value in pairs.items() if not torch.equal(value, recorded[name])] == []
    for name in ("train_loss", "valid_loss"):
        assert torch.allclose(pairs[name], recorded[name], atol=0.01)


@pytest.mark.parametrize(
    "other",
    [{"optimizer": "adamw"}, {"sample_seed": 2}, {"order": "shuffle", "epoch_windows": None}],
    ids=lambda other: next(iter(other)),
)
def test_other_settings_give_other_losses(other: dict[str, str], recorded: dict[str, Tensor]) -> None:
    steps, _, _ = losses(dataclasses.replace(SETTINGS, max_steps=20, **other))
    assert not torch.allclose(torch.tensor(steps), recorded["step_losses"][:20], rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["generated", "generated_greedy"])
def test_the_texts_are_gpt4r_s(name: str, recorded: dict[str, Tensor]) -> None:
    def drawn(rule: Rule, top_k: int | None) -> list[int]:
        return [step[0] + 1 for step in generate(model, TOKENS[:5].tolist(), 60, 0.7, (123,), top_k, rule=rule)]

    model = build_model(MODEL, "r").eval()
    model.load_state_dict({key.removeprefix("final."): v for key, v in recorded.items() if key.startswith("final.")})
    top_k = 3 if name == "generated" else None
    assert drawn("gpt4r", top_k) == recorded[name].flatten().tolist()
    assert drawn("course", top_k) != recorded[name].flatten().tolist()
