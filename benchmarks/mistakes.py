"""What a usual mistake costs: the course's first epoch with one mistake in it, kept in `data/mistakes.json`.

    python -m benchmarks.mistakes                  # all that the table lacks: hours on one thread
    python -m benchmarks.mistakes gpt/no_mask      # these

Each is trained as the spread over seeds was (`data/course_results.json`): engine fast, bf16, one thread, one epoch.
A figure is written as soon as it is known, so that the whole may be stopped and begun again.
"""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn

from pygpt import r_semantics, training
from pygpt.corpus import read_corpus, split, windows
from pygpt.files import write_atomically
from pygpt.output.messages import say
from pygpt.settings import MODELS, ModelName, ModelSettings, TrainingSettings, from_dict, split_settings
from pygpt.training import Epoch, Step, TrainingState
from pygpt.vocabulary import Vocabulary

TABLE = Path(__file__).parent.parent / "data" / "mistakes.json"
PROTOCOL = {"corpus": "shakespeare", "engine": "fast", "bf16": True, "threads": 1, "epochs": 1, "seed": 42}


@dataclass(frozen=True)
class Mistake:
    """One mistake: other settings than the course's, or a change to what is trained."""

    name: str
    settings: dict[str, Any] = field(default_factory=dict)
    change: Callable[[TrainingState], None] = lambda state: None
    models: tuple[ModelName, ...] = MODELS


def no_mask(state: TrainingState) -> None:
    def attend(j: int, normed: Tensor) -> Tensor:
        q = normed.transpose(0, 1)
        out, _ = state.model.attention(j)(q, q, q, need_weights=False)
        return out.transpose(0, 1)

    state.model._attend = attend


def no_positions(state: TrainingState) -> None:
    nn.init.zeros_(state.model.wpe.weight)
    state.model.wpe.weight.requires_grad_(False)


def no_residual(state: TrainingState) -> None:
    model = state.model

    def block(j: int, h: Tensor) -> Tensor:
        if model.has_attention:
            h = model._attend(j, model.attention_norm(j, h))
        return model.FFN[j](model.scale2[j](h))

    model.block = block


def sgd(state: TrainingState) -> None:
    state.optimizer = torch.optim.SGD(state.model.parameters(), lr=state.optimizer.param_groups[0]["lr"])


def no_eval(state: TrainingState) -> None:
    state.model.eval = state.model.train


# The likeliest first.
MISTAKES = (
    Mistake("no_mask", change=no_mask, models=("gpt",)),
    Mistake("no_positions", change=no_positions),
    Mistake("no_dropout", {"dropout": 0.0}),
    Mistake("no_residual", change=no_residual),
    Mistake("lr_0.01", {"lr": 1e-2}),
    Mistake("sgd", change=sgd),
    Mistake("n_embd_64", {"n_embd": 64}),
    Mistake("share_0.1", {"share": 0.1}),
    Mistake("block_size_32", {"block_size": 32}),
    Mistake("lr_0.0001", {"lr": 1e-4}),
    Mistake("no_clip", {"max_norm": 1e9}),
    Mistake("no_eval", change=no_eval),
    Mistake("no_shuffle"),
    Mistake("n_layer_1", {"n_layer": 1}),
    Mistake("share_1", {"share": 1.0}),
    Mistake("n_embd_256", {"n_embd": 256}),
    Mistake("block_size_128", {"block_size": 128}),
    Mistake("lr_0.0003", {"lr": 3e-4}),
    Mistake("n_head_1", {"n_head": 1}, models=("gpt",)),
)


def measure(model: ModelName, mistake: Mistake) -> Epoch:
    """Losses after the first epoch."""
    text = read_corpus("shakespeare").text
    vocabulary = Vocabulary.from_text(text)
    for_model, for_training = split_settings(PROTOCOL | {"model": model} | mistake.settings)
    shape = from_dict(ModelSettings, for_model | {"vocab_size": len(vocabulary)})
    settings = from_dict(TrainingSettings, for_training)
    parts = split(vocabulary.encode(text), settings.share, settings.train_share)
    train, valid = (windows(part, shape.block_size, say("the text")) for part in parts)
    state = training.start(shape, settings)
    mistake.change(state)
    order = torch.arange if mistake.name == "no_shuffle" else r_semantics.shuffle
    began = time.monotonic()
    with patch("pygpt.r_semantics.shuffle", order):
        for event in training.fit(state, train, valid, settings):
            if isinstance(event, Step) and event.step % 500 == 0:
                print(f"  step {event.step:,}: {event.loss:.4f}, {time.monotonic() - began:.0f} s", flush=True)
    return state.history[0]


def main(wanted: list[str]) -> None:
    torch.set_num_threads(1)
    table = json.loads(TABLE.read_text(encoding="utf-8"))
    for model in MODELS:
        for mistake in (m for m in MISTAKES if model in m.models):
            key = f"{model}/{mistake.name}"
            if key in table["measured"] or (wanted and key not in wanted):
                continue
            print(key, flush=True)
            epoch = measure(model, mistake)
            table["measured"][key] = {"train": round(epoch.train, 8), "valid": round(epoch.valid, 8)}
            write_atomically(TABLE, json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
