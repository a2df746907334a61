"""Doing again in Python what a recording of R did; the results carry the recording's names."""

from collections.abc import Iterator

import torch
from torch import Tensor

from pygpt import corpus, generation, r_semantics, training
from pygpt.determinism import ALL_CORES, reproducible
from pygpt.models import CharacterModel, build_model, cross_entropy
from pygpt.output.messages import say
from pygpt.parity.recordings import PROMPT, ModelRun, Recording, TrainingRun
from pygpt.settings import TrainingSettings
from pygpt.trace import activations, gradients, weights


def replay(recording: Recording, threads: int | None = None) -> dict[str, Tensor]:
    """All quantities of `recording`, in the order of computation, with engine `r`.

    Where the recording holds initial weights these are compared, then taken over, so that a fault in
    drawing them does not hide the next.

    Args:
        threads: what a training is computed on, all cores by default. The few steps of a `model` recording take as
            many as R had.

    Raises:
        PygptError: the stream is too short for two windows; the logits are not finite.
    """
    run = recording.run
    if isinstance(run, ModelRun):
        with reproducible(recording.r_threads):
            return dict(_replay_model(recording, run))
    with reproducible(threads or ALL_CORES):
        return dict(_replay_training(recording, run))


def _replay_model(recording: Recording, run: ModelRun) -> Iterator[tuple[str, Tensor]]:
    torch.manual_seed(run.build_seed)
    model = build_model(recording.model).eval()
    yield from weights(model, "init").items()
    init = {name.removeprefix("init."): t for name, t in recording.tensors.items() if name.startswith("init.")}
    model.load_state_dict(init)
    x, y = recording.tensors["x"] - 1, recording.tensors["y"] - 1
    yield from activations(model, x).items()
    loss, by_name = gradients(model, x, y)
    yield "loss", loss.reshape(1)
    # copies, for clipping changes the gradients in place
    yield from {name: gradient.clone() for name, gradient in by_name.items()}.items()

    parameters = r_semantics.parameters(model)
    yield "grad_norm", r_semantics.clip_grad_norm(parameters, run.max_norm).reshape(1)
    r_semantics.AdamW(parameters, lr=run.lr).step()
    yield from weights(model, "step1").items()

    model.load_state_dict(init)
    losses = _train(model.train(), x, y, run)
    yield "train_loss1", losses[:1]
    yield "losses", losses.to(torch.float64)
    yield from weights(model, f"step{run.train_steps}").items()
    yield "generated", _generated(model, x[1, :PROMPT].tolist(), recording)


def _replay_training(recording: Recording, run: TrainingRun) -> Iterator[tuple[str, Tensor]]:
    settings = TrainingSettings(
        lr=run.lr,
        max_norm=run.max_norm,
        epochs=run.epochs,
        batch_size=run.batch_size,
        seed=run.seed,
        r_threads=recording.r_threads,
    )
    tokens, block_size = _stream(run), recording.model.block_size
    state = training.start(recording.model, settings)
    train = corpus.windows(tokens[: run.train_tokens], block_size, say("the stream's training part"))
    valid = corpus.windows(tokens[run.train_tokens :], block_size, say("the stream's validation part"))
    losses = [e.loss for e in training.fit(state, train, valid, settings) if isinstance(e, training.Step)]
    yield "step_losses", torch.tensor(losses, dtype=torch.float32)
    yield "train_loss", torch.tensor([e.train for e in state.history], dtype=torch.float32)
    yield "valid_loss", torch.tensor([e.valid for e in state.history], dtype=torch.float32)
    yield from weights(state.model, "final").items()
    yield "generated", _generated(state.model, tokens[: run.prompt_tokens].tolist(), recording)


def _train(model: CharacterModel, x: Tensor, y: Tensor, run: ModelRun) -> Tensor:
    """The losses of steps on the same batch, (train_steps,)."""
    parameters = r_semantics.parameters(model)
    optimizer = r_semantics.AdamW(parameters, lr=run.lr)
    torch.manual_seed(run.train_seed)
    losses = [
        training.training_step(lambda x, y: cross_entropy(model(x), y), optimizer, parameters, x, y, run.max_norm)
        for _ in range(run.train_steps)
    ]
    return torch.stack(losses)


def _generated(model: CharacterModel, prompt: list[int], recording: Recording) -> Tensor:
    run = recording.run
    drawn = generation.generate(
        model.eval(), prompt, run.new_tokens, run.temperature, [run.generate_seed], r_threads=recording.r_threads
    )
    return torch.tensor([[row + 1 for row in [*prompt, *(step[0] for step in drawn)]]])


def _stream(run: TrainingRun) -> Tensor:
    """The stream's rows: the R ids, less one."""
    a, b, c = run.stream.a, run.stream.b, run.stream.c
    return torch.tensor([1 + i * a % b % c for i in range(1, run.train_tokens + run.valid_tokens + 1)])
