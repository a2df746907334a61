"""What exercise 3 claims, tested: what a model without attention depends on, and how low its loss can get."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pygpt.models import CharacterModel

_Array = NDArray[Any]


@dataclass(frozen=True)
class Floors:
    """Losses in nats per character that no model can beat on the validation windows, by what its output depends on.

    Each of the first three is a conditional entropy of the next character, counted on those windows themselves
    and weighted as luz's mean weighs them (every batch alike), so it is a true floor of luz's validation loss.

    Attributes:
        place: given the place in the window alone.
        token: given the present character alone.
        both: given the present character and its place: the floor of exercise 3's model.
        counted: not a floor: the loss there of a table of pairs of characters counted on the training text
            (one added to each count), the simplest model of the present character alone.
    """

    place: float
    token: float
    both: float
    counted: float


def count_floors(train: _Array, valid: _Array, vocab_size: int, batch_size: int) -> Floors:
    """Count the floors.

    Args:
        train: rows of the training text, (n,).
        valid: validation windows, (m, block_size + 1), in the order in which they are batched.
    """
    present, following = valid[:, :-1].astype(np.int64), valid[:, 1:].astype(np.int64)
    places = np.broadcast_to(np.arange(present.shape[1]), present.shape)
    weights = _luz_weights(len(valid), batch_size)[:, None] / present.shape[1]
    weights = np.broadcast_to(weights, present.shape)

    def floor(given: _Array) -> float:
        return conditional_entropy(given.ravel(), following.ravel(), weights.ravel())

    pairs = np.ones((vocab_size, vocab_size))
    np.add.at(pairs, (train[:-1].astype(np.int64), train[1:].astype(np.int64)), 1)
    log_share = np.log(pairs / pairs.sum(axis=1, keepdims=True))
    counted = -float((log_share[present, following] * weights).sum())
    return Floors(floor(places), floor(present), floor(places * vocab_size + present), counted)


def conditional_entropy(given: _Array, following: _Array, weights: _Array) -> float:
    """Entropy in nats of `following` given `given` (whole numbers from 0), each pair counted with its weight."""
    width = int(following.max()) + 1
    cells = (int(given.max()) + 1) * width
    joint = np.bincount(given * width + following, weights=weights, minlength=cells)
    table = joint.reshape(-1, width) / joint.sum()
    margin = np.broadcast_to(table.sum(axis=1, keepdims=True), table.shape)
    seen = table > 0
    return -float((table[seen] * np.log(table[seen] / margin[seen])).sum())


def effect_of_others(model: CharacterModel) -> float:
    """By how much the logits at a place change, at most, when all other characters of the block are changed.

    64 places and two random blocks (for a block of 64): 0 says that the output depends on the present character and
    its place alone.
    """
    k, rows = model.settings.block_size, model.settings.vocab_size
    draw = torch.Generator().manual_seed(0)
    block, others = (torch.randint(1, rows, (k, k), generator=draw) for _ in range(2))
    block = block[:1].repeat(k, 1)
    others = torch.where(torch.eye(k, dtype=torch.bool), block, others)
    training = model.training
    with torch.inference_mode():
        model.eval()
        change = (model(block) - model(others))[torch.arange(k), torch.arange(k)].abs().max().item()
        model.train(training)
    return float(change)


def _luz_weights(windows: int, batch_size: int) -> _Array:
    """luz's mean over batches counts every batch alike: the windows of a short last batch weigh more."""
    starts = np.arange(windows) // batch_size * batch_size
    sizes = np.minimum(batch_size, windows - starts)
    weights: _Array = 1 / (sizes * -(-windows // batch_size))
    return weights
