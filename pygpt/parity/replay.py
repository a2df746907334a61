"""Doing again in Python what a recording of R did; the results carry the recording's names."""

import re
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from pygpt import corpus, generation, r_semantics, training
from pygpt.determinism import reproducible
from pygpt.errors import PygptError
from pygpt.models import CharacterModel, build_model, cross_entropy
from pygpt.output.messages import say
from pygpt.parity.recordings import Recording
from pygpt.settings import TrainingSettings
from pygpt.trace import activations, gradients, weights


def replay(recording: Recording) -> dict[str, Tensor]:
    """All quantities of `recording`, in the order of computation, with one thread and engine `r`.

    Where the recording holds initial weights these are compared, then taken over, so that a fault in
    drawing them does not hide the next.
    """
    with reproducible():
        quantities = _replay_model(recording) if recording.kind == "model" else _replay_training(recording)
        return dict(quantities)


def _replay_model(recording: Recording) -> Iterator[tuple[str, Tensor]]:
    run = recording.run
    torch.manual_seed(run["build_seed"])
    model = build_model(recording.model).eval()
    yield from weights(model, "init").items()
    _take_over(model, recording)
    x, y = _rows(recording, "x"), _rows(recording, "y")
    yield from activations(model, x).items()
    loss, by_name = gradients(model, x, y)
    yield "loss", loss.reshape(1)
    yield from by_name.items()

    parameters = r_semantics.parameters(model)
    yield "grad_norm", r_semantics.clip_grad_norm(parameters, run["max_norm"]).reshape(1)
    r_semantics.AdamW(parameters, lr=run["lr"]).step()
    yield from weights(model, "step1").items()

    _take_over(model, recording)
    optimizer = r_semantics.AdamW(parameters, lr=run["lr"])
    model.train()
    torch.manual_seed(run["train_seed"])
    losses = [_step(model, optimizer, parameters, x, y, run["max_norm"]) for _ in range(run["train_steps"])]
    yield "train_loss1", losses[0].reshape(1)
    yield "losses", torch.stack(losses).to(torch.float64)
    yield from weights(model, _trained_name(recording)).items()
    yield "generated", _generated(model, x[1, :3].tolist(), recording)


def _replay_training(recording: Recording) -> Iterator[tuple[str, Tensor]]:
    run = recording.run
    settings = TrainingSettings(
        lr=run["lr"], max_norm=run["max_norm"], epochs=run["epochs"], batch_size=run["batch_size"], seed=run["seed"]
    )
    tokens, block_size = _stream(run), recording.model.block_size
    state = training.start(recording.model, settings)
    train = corpus.windows(tokens[: run["train_tokens"]], block_size, say("the stream's training part"))
    valid = corpus.windows(tokens[run["train_tokens"] :], block_size, say("the stream's validation part"))
    losses = [e.loss for e in training.fit(state, train, valid, settings) if isinstance(e, training.Step)]
    yield "step_losses", torch.tensor(losses, dtype=torch.float32)
    yield "train_loss", torch.tensor([e.train for e in state.history], dtype=torch.float32)
    yield "valid_loss", torch.tensor([e.valid for e in state.history], dtype=torch.float32)
    yield from weights(state.model, "final").items()
    yield "generated", _generated(state.model, tokens[: run["prompt_tokens"]].tolist(), recording)


def _step(
    model: CharacterModel,
    optimizer: torch.optim.Optimizer,
    parameters: list[torch.nn.Parameter],
    x: Tensor,
    y: Tensor,
    max_norm: float,
) -> Tensor:
    optimizer.zero_grad(set_to_none=True)
    loss = cross_entropy(model(x), y)
    loss.backward()  # type: ignore[no-untyped-call]
    r_semantics.clip_grad_norm(parameters, max_norm)
    optimizer.step()
    return loss.detach()


def _take_over(model: CharacterModel, recording: Recording) -> None:
    init = {name.removeprefix("init."): t for name, t in recording.tensors.items() if name.startswith("init.")}
    try:
        model.load_state_dict(init)
    except RuntimeError as error:
        raise PygptError(f"{recording.path}: its initial weights do not fit its settings: {error}") from error


def _generated(model: CharacterModel, prompt: list[int], recording: Recording) -> Tensor:
    run = recording.run
    drawn = generation.generate(model.eval(), prompt, run["new_tokens"], run["temperature"], [run["generate_seed"]])
    return torch.tensor([[row + 1 for row in [*prompt, *(step[0] for step in drawn)]]])


def _stream(run: dict[str, Any]) -> Tensor:
    """Rows of the synthetic stream: R id `2 + ((i * a) mod b) mod c` for i from 1."""
    a, b, c = (run["stream"][key] for key in "abc")
    return torch.tensor([1 + i * a % b % c for i in range(1, run["train_tokens"] + run["valid_tokens"] + 1)])


def _rows(recording: Recording, name: str) -> Tensor:
    try:
        return recording.tensors[name] - 1
    except KeyError as error:
        raise PygptError(f"{recording.path} lacks the input {name!r}") from error


def _trained_name(recording: Recording) -> str:
    """`step20` where 20 steps were recorded: the recording's own name for the weights after training."""
    found = {name.split(".")[0] for name in recording.tensors if re.match(r"step\d+\.", name)} - {"step1"}
    return found.pop() if found else f"step{recording.run['train_steps']}"
