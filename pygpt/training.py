"""The luz loop: epochs, steps, validation, history. It reports events and knows no terminal and no files."""

import copy
import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor

from pygpt import r_semantics
from pygpt.corpus import batches
from pygpt.exactness import Exactness, Rehearsal
from pygpt.models import CharacterModel, build_model, cross_entropy
from pygpt.processes import ALONE, Processes
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
) -> Iterator[Event]:
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
        Exactness first, where a rehearsal found it; Step after each step; Validated and, at the end, Epoch in each
        validation.
    """
    parameters = r_semantics.parameters(state.model)
    shares = Shares(processes, settings.accumulate, parameters, own_masks=not settings.compile)
    threads = torch.get_num_threads()
    exactness = Exactness(threads, threads) if shares.several else _rehearsed(state, train, valid, settings)
    exactness.prepare(state.model)
    if exactness.threads != exactness.r_threads or exactness.quick or exactness.ahead:
        yield exactness
    loss_of = _loss_of(state.model, settings)
    clip = r_semantics.clip_grad_norm if settings.engine == "r" else _clip_fast
    while state.epoch < settings.epochs:
        order = _order(state, len(train))
        state.model.train()
        for x, y in batches(train, settings.batch_size, settings.device, order, state.step_in_epoch):
            if settings.max_steps is not None and state.step >= settings.max_steps:
                return
            with exactness.computing():
                loss = training_step(
                    loss_of, state.optimizer, parameters, x, y, settings.max_norm, clip, shares.backward
                )
            state.step += 1
            state.step_in_epoch += 1
            state.mean_loss = r_semantics.running_mean(state.mean_loss, loss, state.step_in_epoch)
            yield Step(state.step, state.epoch + 1, loss.item())
        yield from _validate(state, partial(shares.loss, loss_of), valid, settings, exactness)


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


def _rehearsed(state: TrainingState, train: Tensor, valid: Tensor, settings: TrainingSettings) -> Exactness:
    """How this training keeps R's bits: found by a rehearsal, which leaves all as it was.

    There is none where threads are R's and the model is so small that nothing can be gained.
    """
    threads, r_threads = torch.get_num_threads(), settings.r_threads
    as_it_is = Exactness(threads, threads)
    steps_left = 0 if state.epoch >= settings.epochs else (settings.max_steps or math.inf) - state.step
    on_cpu = torch.device(settings.device).type == "cpu"
    if settings.engine != "r" or not on_cpu or steps_left <= 0:
        return as_it_is
    if threads == r_threads and (steps_left < _FEW_STEPS or _multiplications(state.model, settings) < _MANY):
        return as_it_is
    as_it_is.prepare(state.model)
    model, optimizer = copy.deepcopy((state.model, state.optimizer))
    parameters, rehearsal, loss_of = (
        r_semantics.parameters(model),
        Rehearsal(threads, r_threads),
        _loss_of(model, settings),
    )
    whole_epoch = steps_left >= -(-len(train) // settings.batch_size) - state.step_in_epoch
    with torch.random.fork_rng(devices=()):
        for x, y in _one_of_each_size(train, settings)[: None if whole_epoch else 1]:
            with rehearsal.begin():
                training_step(loss_of, optimizer, parameters, x, y, settings.max_norm)
        model.eval()
        for x, y in _one_of_each_size(valid, settings) if whole_epoch else ():
            with torch.no_grad(), rehearsal.begin():
                loss_of(x, y)
    return rehearsal.result()


def _multiplications(model: CharacterModel, settings: TrainingSettings) -> int:
    """Of a forward pass over a batch, about: one a weight and position."""
    return settings.batch_size * model.settings.block_size * sum(p.numel() for p in model.parameters())


def _one_of_each_size(windows: Tensor, settings: TrainingSettings) -> list[tuple[Tensor, Tensor]]:
    """A batch as large as an epoch's are, and one as large as its last where that is shorter."""
    whole, n = settings.batch_size, len(windows)
    sizes = sorted({min(whole, n), n % whole} - {0}, reverse=True)
    return [batch for size in sizes for batch in batches(windows[:size], size, settings.device)]


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
    state: TrainingState, loss_of: LossOf, valid: Tensor, settings: TrainingSettings, exactness: Exactness
) -> Iterator[Event]:
    state.model.eval()
    mean: Tensor | None = None
    for count, so_far in enumerate(_running_validation(loss_of, valid, settings, exactness.computing), start=1):
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
    computing: Callable[[], AbstractContextManager[object]] = nullcontext,
) -> Iterator[Tensor]:
    mean: Tensor | None = None
    for count, (x, y) in enumerate(batches(valid, settings.batch_size, settings.device), start=1):
        with torch.no_grad(), computing():
            mean = r_semantics.running_mean(mean, loss_of(x, y), count)
        yield mean


def _order(state: TrainingState, windows: int) -> Tensor | Shuffling:
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
    if settings.engine == "r":
        return r_semantics.AdamW(parameters, lr=settings.lr)
    return torch.optim.AdamW(parameters, lr=settings.lr, weight_decay=0.01, fused=True)


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
