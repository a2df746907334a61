"""Floors of the loss and the effect of other characters; values by hand or by counting in another way."""

import itertools
import math
import statistics
from collections import Counter

import numpy as np
import pytest
import torch
from torch.nn import functional

from pygpt import corpus
from pygpt.errors import PygptError
from pygpt.exercises.floor import conditional_entropy, count_floors, effect_of_others
from pygpt.exercises.opening import course as exercises
from pygpt.models import build_model
from pygpt.settings import ModelSettings
from pygpt.vocabulary import Vocabulary


def test_entropy_by_hand() -> None:
    # after 0 comes 0 or 1 alike (log 2), after 1 always 1 (0); 0 has a third of the weight
    given, following = np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1])
    assert conditional_entropy(given, following, np.ones(4)) == pytest.approx(math.log(2) / 2)
    assert conditional_entropy(given, following, np.array([1, 1, 2, 2])) == pytest.approx(math.log(2) / 3)


def best_luz_loss(valid: np.ndarray, keys: np.ndarray, batch_size: int) -> float:
    """luz's loss of the best table there is, batch by batch; the table is fitted by weighted counting in a dict."""
    batches = [slice(i, i + batch_size) for i in range(0, len(valid), batch_size)]
    joint: Counter[tuple[int, int]] = Counter()
    margin: Counter[int] = Counter()
    for batch in batches:
        pairs = list(zip(keys[batch].ravel().tolist(), valid[batch, 1:].ravel().tolist(), strict=True))
        for key, following in pairs:
            joint[key, following] += 1 / len(pairs)  # type: ignore[assignment]
            margin[key] += 1 / len(pairs)  # type: ignore[assignment]
    losses = []
    for batch in batches:
        pairs = list(zip(keys[batch].ravel().tolist(), valid[batch, 1:].ravel().tolist(), strict=True))
        losses.append(statistics.fmean(-math.log(joint[k, f] / margin[k]) for k, f in pairs))
    return statistics.fmean(losses)


def test_the_floor_is_what_the_best_table_gets_from_luz() -> None:
    rng = np.random.default_rng(1)
    tokens = rng.integers(1, 5, 30)
    valid = np.lib.stride_tricks.sliding_window_view(tokens, 6)  # 25 windows, batches of 8: the last has one
    place = np.broadcast_to(np.arange(5), (25, 5))
    floors = count_floors(tokens, valid, vocab_size=5, batch_size=8)
    assert floors.both == pytest.approx(best_luz_loss(valid, place * 5 + valid[:, :-1], 8))
    assert floors.token == pytest.approx(best_luz_loss(valid, valid[:, :-1], 8))
    assert floors.place == pytest.approx(best_luz_loss(valid, place, 8))
    assert floors.both < min(floors.token, floors.place) < floors.counted


def test_no_attention_sees_one_character_and_attention_sees_others() -> None:
    torch.manual_seed(0)
    small = {"block_size": 16, "n_embd": 16}
    assert effect_of_others(build_model(ModelSettings(model="gpt_noattn", **small))) == 0
    assert effect_of_others(build_model(ModelSettings(model="gpt", **small))) > 0.01


def test_the_floor_on_shakespeare_lies_below_every_loss_without_attention() -> None:
    try:
        text = corpus.read_corpus("shakespeare").text
    except PygptError as error:
        pytest.skip(f"the course's text is not at hand: {error}")
    vocabulary = Vocabulary.from_text(text)
    train, valid = corpus.split(vocabulary.encode(text), 0.3, 0.9)
    windows = corpus.windows(valid, 64, "Shakespeare")
    floors = count_floors(train.numpy(), windows.numpy(), 66, 64)
    # the entropy given the present character, counted once per character of the text: the windows' ends weigh less
    used = text[: math.floor(0.3 * len(text))]
    part = used[math.floor(0.9 * len(used)) :]
    pairs, single = Counter(itertools.pairwise(part)), Counter(part[:-1])
    entropy = -sum(n * math.log(n / single[a]) for (a, _), n in pairs.items()) / (len(part) - 1)
    assert floors.token == pytest.approx(entropy, abs=2e-3)
    # 64 places of nearly the same text: knowing the place helps little
    assert floors.token - 1e-3 < floors.both <= floors.token
    losses = exercises()["gpt_noattn"]
    for key in losses.keys:
        if key[1] == "valid":
            assert floors.both < losses.recorded.losses[key] < floors.place
            assert floors.both < losses.published.losses[key] < floors.place
    # only attention gets below
    assert exercises()["gpt"].recorded.losses[3, "valid"] < floors.both
    # what one table counted on the training text gets, by torch: one more of each pair
    table = torch.ones(66, 66)
    for a, b in zip(train[:-1].tolist(), train[1:].tolist(), strict=True):
        table[a, b] += 1
    log_share = (table / table.sum(1, keepdim=True)).log()
    losses_ = functional.nll_loss(log_share[valid[:-1].long()], valid[1:].long())
    assert floors.counted == pytest.approx(losses_.item(), abs=2e-3)
