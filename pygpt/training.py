"""The luz loop: epochs, steps, validation, history. It reports events and knows no terminal and no files."""

from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor

from pygpt import r_semantics
from pygpt.ahead import Ahead
from pygpt.corpus import batches, sampled
from pygpt.exactness import Exactness
from pygpt.models import CharacterModel, build_model, cross_entropy
from pygpt.processes import ALONE, Processes
from pygpt.r_optimizers import r_optimizer
from pygpt.rehearsal import Rehearsed
from pygpt.settings import ModelSettings, TrainingSettings
from pygpt.shares import LossOf, Shares, whole
from pygpt.shuffling import Shuffling


@dataclass(frozen=True)
class Step:
    """One training step is done; `step` counts from 1 over the whole run, `epoch` from 1."""

    step: int
    epoch: int
    loss: float


@dataclass(frozen=True)
class Validated:
    """One batch of the validation after `epoch` is done."""

    epoch: int
    batch: int


@dataclass(frozen=True)
class Epoch:
    """Losses of an epoch in nats, as luz reports them: running means over batches, dropout on for `train`."""

    epoch: int
    train: float
    valid: float


# Where threads are R's, a rehearsal only pays in so many steps of so many multiplications.
_FEW_STEPS, _MANY = 20, 1 << 28

Event = Exactness | Step | Validated | Epoch
Backward = Callable[[LossOf, Tensor, Tensor], Tensor]
"""Puts the gradients of a batch's loss into the parameters, and gives the loss, detached."""


@dataclass
class TrainingState:
    """All that a run is at one moment, between two events."""

    model: CharacterModel
    optimizer: torch.optim.Optimizer
    step: int = 0
    """Steps done in all."""
    epoch: int = 0
    """Epochs that are over, their validation included."""
    step_in_epoch: int = 0
    mean_loss: Tensor | None = None
    """luz's running mean of the present epoch's losses."""
    shuffle_rng: Tensor | None = None
    """State of torch's generator just before the present epoch's shuffle: from it, the order is drawn again."""
    history: list[Epoch] = field(default_factory=list)


def start(model: ModelSettings, training: TrainingSettings) -> TrainingState:
    """Seed torch's global generator, build the model and its optimizer, in R's order."""
    torch.manual_seed(training.seed)
    fast = training.engine == "fast"
    built = build_model(model, training.padding_row, fused=fast).to(training.device)
    return TrainingState(built, _optimizer(built, training))


def fit(
    state: TrainingState, train: Tensor, valid: Tensor, settings: TrainingSettings, processes: Processes = ALONE
) -> Generator[Event, None, None]:
    """Train until `epochs` or `max_steps` are reached, from wherever `state` is.

    `state` is changed in place. Whoever stops after any event, saves `state` with the generator's state, and
    goes on from there gets the same numbers as one who never stopped.

    Args:
        train: windows (n, block_size + 1) to train on, as `corpus.windows` gives them.
        valid: windows to validate on.
        processes: those that share every batch; all of them call this with the same state.

    Engine r computes on torch's present number of threads, with the bits of R on `settings.r_threads`; but several
    processes add numbers in another order, so their losses are R's within rounding.

    Yields:
        Exactness before the Step in which a rehearsal found something new; Step after each step; Validated and, at the
        end, Epoch in each validation.
    """
    parameters = r_semantics.parameters(state.model)
    shares = Shares(processes, settings.accumulate, parameters, own_masks=not settings.compile)
    rehearsed, told, of_r = _rehearsed(state, settings, shares.several), None, settings.engine == "r"
    loss_of = _loss_of(state.model, settings)
    clip = r_semantics.clip_grad_norm if of_r else _clip_fast
    while state.epoch < settings.epochs:
        order = _order(state, len(train), settings)
        state.model.train()
        for x, y in batches(train, settings.batch_size, settings.device, order, state.step_in_epoch):
            if settings.max_steps is not None and state.step >= settings.max_steps:
                return
            with rehearsed.computing(x):
                loss = training_step(
                    loss_of, state.optimizer, parameters, x, y, settings.max_norm, clip, shares.backward
                )
            if of_r and rehearsed.exactness.is_news_after(told):
                told = rehearsed.exactness
                yield told
            state.step += 1
            state.step_in_epoch += 1
            state.mean_loss = r_semantics.running_mean(state.mean_loss, loss, state.step_in_epoch)
            yield Step(state.step, state.epoch + 1, loss.item())
        yield from _validate(state, partial(shares.loss, loss_of), valid, settings, rehearsed)


def training_step(
    loss_of: LossOf,
    optimizer: torch.optim.Optimizer,
    parameters: list[torch.nn.Parameter],
    x: Tensor,
    y: Tensor,
    max_norm: float,
    clip: Callable[[list[torch.nn.Parameter], float], object] = r_semantics.clip_grad_norm,
    backward: Backward = whole,
) -> Tensor:
    """One step as luz takes it: gradients to zero, loss, backward, clip, update.

    Args:
        loss_of: the loss of a batch, a scalar with its graph.
        parameters: those whose gradients are clipped together, in R's order.
        x: rows of the vocabulary, (batch, k).
        y: the next characters' rows, (batch, k).

    Returns:
        The loss before the step, detached.
    """
    optimizer.zero_grad(set_to_none=True)
    loss = backward(loss_of, x, y)
    clip(parameters, max_norm)
    optimizer.step()
    return loss


def _rehearsed(state: TrainingState, settings: TrainingSettings, several: bool) -> Rehearsed:
    """How this training keeps R's bits, or engine fast its own.

    Nothing is rehearsed where threads are R's and the model is so small that nothing can be gained, nor for bf16, nor
    for batches in several shares.
    """
    threads, fast = torch.get_num_threads(), settings.engine == "fast"
    if several:
        return Rehearsed(state.model, Exactness(threads, threads), False)
    r_threads = threads if fast else settings.r_threads
    on_cpu = torch.device(settings.device).type == "cpu"
    draws_ahead = fast and on_cpu and threads > 1 and state.model.settings.dropout > 0 and not settings.compile
    few = settings.max_steps is not None and settings.max_steps - state.step < _FEW_STEPS
    gains = threads != r_threads or not (few or _multiplications(state.model, settings) < _MANY)
    rehearses = on_cpu and gains and not (settings.bf16 or settings.compile)
    as_it_is = Exactness(
        threads, r_threads if rehearses else threads, ahead=Ahead() if draws_ahead else None, fused=fast
    )
    return Rehearsed(state.model, as_it_is, rehearses)


def _multiplications(model: CharacterModel, settings: TrainingSettings) -> int:
    """Of a forward pass over a batch, about: one a weight and position."""
    return settings.batch_size * model.settings.block_size * sum(p.numel() for p in model.parameters())


def _clip_fast(parameters: list[torch.nn.Parameter], max_norm: float) -> None:
    torch.nn.utils.clip_grad_norm_(parameters, max_norm, foreach=True)


def validation_loss(model: CharacterModel, valid: Tensor, settings: TrainingSettings) -> float:
    """The loss of a trained model as luz reports it: the running mean over batches, in eval mode.

    Args:
        valid: windows (n, block_size + 1) to validate on, in their order.
    """
    model.eval()
    *_, mean = _running_validation(_loss_of(model, settings), valid, settings)
    return mean.item()


def _validate(
    state: TrainingState, loss_of: LossOf, valid: Tensor, settings: TrainingSettings, rehearsed: Rehearsed
) -> Iterator[Event]:
    state.model.eval()
    mean: Tensor | None = None
    for count, so_far in enumerate(_running_validation(loss_of, valid, settings, rehearsed.computing), start=1):
        mean = so_far
        yield Validated(state.epoch + 1, count)
    assert mean is not None
    assert state.mean_loss is not None
    done = Epoch(state.epoch + 1, state.mean_loss.item(), mean.item())
    state.history.append(done)
    state.epoch, state.step_in_epoch, state.mean_loss, state.shuffle_rng = done.epoch, 0, None, None
    yield done


def _running_validation(
    loss_of: LossOf,
    valid: Tensor,
    settings: TrainingSettings,
    computing: Callable[[Tensor], AbstractContextManager[object]] = nullcontext,
) -> Iterator[Tensor]:
    mean: Tensor | None = None
    for count, (x, y) in enumerate(batches(valid, settings.batch_size, settings.device), start=1):
        with torch.no_grad(), computing(x):
            mean = r_semantics.running_mean(mean, loss_of(x, y), count)
        yield mean


def epoch_windows(windows: int, settings: TrainingSettings) -> int:
    """How many windows an epoch has, where there are so many."""
    return windows if settings.epoch_windows is None else settings.epoch_windows


def _order(state: TrainingState, windows: int, settings: TrainingSettings) -> Tensor | Shuffling:
    if settings.order == "sample":
        # R's own generator, which the seed alone decides; torch's is not touched.
        return sampled(windows, epoch_windows(windows, settings), settings.sample_seed, state.epoch)
    if state.shuffle_rng is None:
        state.shuffle_rng = torch.get_rng_state()
        return r_semantics.shuffle(windows)
    # A resumed epoch: its order is drawn again, then the generator goes on where it was.
    now = torch.get_rng_state()
    torch.set_rng_state(state.shuffle_rng)
    order = r_semantics.shuffle(windows)
    torch.set_rng_state(now)
    return order


def _optimizer(model: CharacterModel, settings: TrainingSettings) -> torch.optim.Optimizer:
    parameters = r_semantics.parameters(model)
    if settings.engine == "fast":
        if settings.optimizer == "adam":
            return torch.optim.Adam(parameters, lr=settings.lr, fused=True)
        return torch.optim.AdamW(parameters, lr=settings.lr, weight_decay=0.01, fused=True)
    if settings.optimizer == "adamw":
        return r_semantics.AdamW(parameters, lr=settings.lr)
    return r_optimizer(settings.optimizer, parameters, lr=settings.lr)


def _loss_of(model: CharacterModel, settings: TrainingSettings) -> LossOf:
    device = torch.device(settings.device).type
    # On a GPU the kernels of a step are many and short: as CUDA graphs they are started all at once. Their shapes are
    # fixed, so the short last batch has graphs of its own.
    how: dict[str, Any] = {"mode": "reduce-overhead", "dynamic": False} if device == "cuda" else {}
    logits: Callable[[Tensor], Tensor] = torch.compile(model, **how) if settings.compile else model

    def loss(x: Tensor, y: Tensor) -> Tensor:
        return cross_entropy(logits(x), y)

    def loss_bf16(x: Tensor, y: Tensor) -> Tensor:
        with torch.autocast(device, dtype=torch.bfloat16):
            return loss(x, y)

    return loss_bf16 if settings.bf16 else loss
