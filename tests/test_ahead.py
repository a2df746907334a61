"""Masks drawn ahead are the generator's, which is where it would be after every step, whatever the steps draw."""

from contextlib import nullcontext

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from pygpt import corpus, training
from pygpt.ahead import Ahead, drawn
from pygpt.determinism import reproducible
from pygpt.exactness import Exactness
from pygpt.output.messages import say
from pygpt.settings import ModelSettings, TrainingSettings

DRAW = st.tuples(st.sampled_from([(3, 5), (40,), (2, 3, 4)]), st.sampled_from([0.8, 0.5]))
# Steps that draw the same masks, as those of an epoch do; now and then others; something else draws in between.
STEPS = st.lists(st.tuples(st.lists(DRAW, max_size=4), st.integers(1, 3), st.booleans()), max_size=5)


@given(STEPS, st.integers(0, 2**31))
def test_every_mask_and_the_generator_are_as_without(steps: list, seed: int) -> None:  # type: ignore[type-arg]
    def all_drawn(ahead: Ahead | None) -> list[Tensor]:
        torch.manual_seed(seed)
        seen = []
        for draws, times, shuffles in steps:
            if shuffles:
                seen.append(torch.randperm(7))
            for _ in range(times):
                with ahead or nullcontext():
                    seen += [drawn(torch.empty(shape), share) for shape, share in draws]
                seen.append(torch.get_rng_state())
        return seen

    assert all(torch.equal(a, b) for a, b in zip(all_drawn(Ahead()), all_drawn(None), strict=True))


def test_masks_that_are_ready_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    ahead, own = Ahead(), []
    draw = Tensor.bernoulli_

    def bernoulli(mask: Tensor, share: float, **options: object) -> Tensor:
        own.append("generator" not in options)
        return draw(mask, share, **options)

    monkeypatch.setattr(Tensor, "bernoulli_", bernoulli)
    for _ in range(3):
        with ahead:
            drawn(torch.empty(5), 0.5)
    assert own.count(True) == 1  # the first step's


@pytest.mark.parametrize("model", ["gpt", "gpt_noattn"])
def test_a_training_that_draws_ahead_has_the_same_losses(model: str) -> None:
    settings = TrainingSettings(epochs=2, batch_size=64)
    shape = ModelSettings(model=model, block_size=32, n_embd=64, n_layer=1)
    rows = torch.randint(1, 66, (350,), generator=torch.Generator().manual_seed(0))
    windows = corpus.windows(rows, 32, say("rows"))

    def trained(threads: int) -> tuple[list[object], Exactness | None]:
        with reproducible(threads):
            state = training.start(shape, settings)
            events = list(training.fit(state, windows, windows, settings))
            told = [e for e in events if isinstance(e, Exactness)]
            rest = [e for e in events if not isinstance(e, Exactness)]
            return [*rest, torch.get_rng_state().tolist()], told[0] if told else None

    alone, ahead = trained(1), trained(2)
    assert alone[0] == ahead[0]
    assert ahead[1] is not None
    assert ahead[1].ahead is not None
    assert alone[1] is None or alone[1].ahead is None  # one thread is one thread
