"""Likely mistakes: what each is called, what it changes, and what it costs after one epoch of the fast engine."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from pygpt import r_semantics
from pygpt.exercises.exercise import ExerciseFile
from pygpt.output.messages import Message, say
from pygpt.settings import MODELS, ModelName
from pygpt.training import TrainingState

_NAMES = {
    "no_mask": say("no causal mask, so that attention sees what is to be predicted"),
    "no_positions": say("no position embedding"),
    "no_dropout": say("no dropout, or a model that is not in training mode"),
    "no_residual": say("no residual connections"),
    "no_eval": say("validation with dropout on"),
    "no_shuffle": say("training windows that are not shuffled"),
    "no_clip": say("gradients that are not clipped"),
    "sgd": say("SGD in place of AdamW"),
}
_NO_LIMIT = 1e9


def name_of(mistake: str) -> Message:
    """What a mistake is called; `n_embd_64` is a setting with another value."""
    setting, _, value = mistake.rpartition("_")
    return _NAMES.get(mistake) or say("{name} = {value}", name=setting, value=value)


@dataclass(frozen=True)
class Mistake:
    """One mistake: other settings than the exercise's, or a change to what is trained.

    Attributes:
        settings: by name, those of the model and of the training alike.
        change: what is done to the state before it is trained.
        in_order: whether the windows come as they stand in the text.
    """

    name: str
    settings: dict[str, Any] = field(default_factory=dict)
    change: Callable[[TrainingState], None] = lambda state: None
    models: tuple[ModelName, ...] = MODELS
    in_order: bool = False


def mistakes_of(file: ExerciseFile) -> list[Mistake]:
    """The likely mistakes of an exercise, the likeliest first; none that changes nothing."""
    m, t = file.model, file.training
    settings: list[tuple[str, Any]] = [
        ("lr", 10 * t.lr),
        ("n_embd", m.n_embd // 2),
        ("share", t.share / 3),
        ("block_size", m.block_size // 2),
        ("lr", t.lr / 10),
        ("n_layer", 1),
        ("share", 1.0),
        ("n_embd", 2 * m.n_embd),
        ("block_size", 2 * m.block_size),
        ("lr", 0.3 * t.lr),
        ("n_head", 1),
    ]
    own = {"n_embd": m.n_embd, "n_layer": m.n_layer, "n_head": m.n_head, "share": t.share}
    of_settings = [
        Mistake(f"{name}_{value:g}", {name: type(value)(f"{value:g}")}, models=("gpt",) if name == "n_head" else MODELS)
        for name, value in settings
        if own.get(name) != value and not (name == "n_embd" and value % m.n_head) and value > 0
    ]
    both = [*_CHANGES[:2], _no_dropout(file), *_CHANGES[2:], *of_settings]
    made = [mistake for mistake in both if mistake is not None and m.model in mistake.models]
    return [mistake for mistake in made if not mistake.in_order or t.order == "shuffle"]


def start(mistake: Mistake, state: TrainingState, train: Tensor) -> Tensor:
    """Make the mistake in a state that is about to be trained.

    Args:
        train: the training windows (n, block_size + 1).

    Returns:
        The windows to train on.
    """
    mistake.change(state)
    if not mistake.in_order:
        return train
    # The order is drawn when the epoch begins: put the windows so that it undoes it.
    before = torch.get_rng_state()
    order = r_semantics.shuffle(len(train))
    torch.set_rng_state(before)
    return train[order[: len(train)].argsort()]


def _no_mask(state: TrainingState) -> None:
    model: Any = state.model

    def attend(j: int, normed: Tensor) -> Tensor:
        q = normed.transpose(0, 1)
        out, _ = model.attention(j)(q, q, q, need_weights=False)
        attended: Tensor = out.transpose(0, 1)
        return attended

    model._attend = attend


def _no_positions(state: TrainingState) -> None:
    nn.init.zeros_(state.model.wpe.weight)
    state.model.wpe.weight.requires_grad_(False)


def _no_residual(state: TrainingState) -> None:
    model: Any = state.model

    def block(j: int, h: Tensor) -> Tensor:
        if model.has_attention:
            h = model._attend(j, model.attention_norm(j, h))
        after: Tensor = model.FFN[j](model.scale2[j](h))
        return after

    model.block = block


def _sgd(state: TrainingState) -> None:
    state.optimizer = torch.optim.SGD(state.model.parameters(), lr=state.optimizer.param_groups[0]["lr"])


def _no_eval(state: TrainingState) -> None:
    model: Any = state.model
    model.eval = model.train


def _no_dropout(file: ExerciseFile) -> Mistake | None:
    return Mistake("no_dropout", {"dropout": 0.0}) if file.model.dropout else None


_CHANGES = (
    Mistake("no_mask", change=_no_mask, models=("gpt",)),
    Mistake("no_positions", change=_no_positions),
    Mistake("no_residual", change=_no_residual),
    Mistake("sgd", change=_sgd),
    Mistake("no_clip", {"max_norm": _NO_LIMIT}),
    Mistake("no_eval", change=_no_eval),
    Mistake("no_shuffle", in_order=True),
)
