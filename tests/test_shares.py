"""A batch in shares: all of them together are the batch, its masks included."""

from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pygpt import training
from pygpt.errors import PygptError
from pygpt.machine import check_machine
from pygpt.models import build_model, cross_entropy
from pygpt.processes import Processes
from pygpt.settings import ModelSettings, TrainingSettings
from pygpt.shares import Shares, whole


class OneOfMany(Processes):
    """A process whose sums with the others are made by the test."""

    def add(self, tensor: torch.Tensor) -> None:
        pass


@given(
    model=st.sampled_from(["gpt", "gpt_noattn"]),
    fused=st.booleans(),
    rows=st.integers(1, 9),
    count=st.integers(1, 4),
    accumulate=st.integers(1, 3),
    seed=st.integers(0, 99),
)
def test_all_shares_together_are_the_batch(
    model: str, fused: bool, rows: int, count: int, accumulate: int, seed: int
) -> None:
    torch.manual_seed(seed)
    built = build_model(ModelSettings(model=model, block_size=5, n_embd=8, vocab_size=7, dropout=0.4), fused=fused)
    x, y = torch.randint(7, (2, rows, 5))
    parameters, state = list(built.parameters()), torch.get_rng_state()

    def loss_of(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return cross_entropy(built(x), y)

    def gradients(shares: Shares | None) -> list[torch.Tensor]:
        torch.set_rng_state(state)
        built.zero_grad()
        loss = whole(loss_of, x, y) if shares is None else shares.backward(loss_of, x, y)
        return [loss, torch.get_rng_state(), *(p.grad.clone() for p in parameters if p.grad is not None)]

    loss, generator, *expected = gradients(None)
    parts = [gradients(Shares(OneOfMany(rank, count), accumulate, parameters)) for rank in range(count)]
    assert all(torch.equal(part[1], generator) for part in parts)
    torch.testing.assert_close(torch.stack([part[0] for part in parts]).sum(), loss, atol=1e-6, rtol=0)
    for one, whole_one in zip(zip(*(part[2:] for part in parts), strict=True), expected, strict=True):
        torch.testing.assert_close(torch.stack(one).sum(0), whole_one, atol=1e-6, rtol=0)
    built.eval()
    losses = [Shares(OneOfMany(rank, count), accumulate).loss(loss_of, x, y) for rank in range(count)]
    torch.testing.assert_close(torch.stack(losses).sum(), loss_of(x, y), atol=1e-6, rtol=0)


@pytest.mark.parametrize("model", ["gpt", "gpt_noattn"])
def test_accumulating_changes_losses_by_rounding_alone(model: str) -> None:
    shape = ModelSettings(model=model, block_size=8, n_embd=16, vocab_size=12)
    windows = torch.randint(12, (60,), generator=torch.Generator().manual_seed(1), dtype=torch.uint8).unfold(0, 9, 1)
    losses = []
    for accumulate in (1, 3):
        settings = TrainingSettings(engine="fast", batch_size=16, epochs=2, accumulate=accumulate)
        events = list(training.fit(training.start(shape, settings), windows, windows[:21], settings))
        losses.append([e.loss for e in events if isinstance(e, training.Step)])
        losses[-1] += [x for e in events if isinstance(e, training.Epoch) for x in (e.train, e.valid)]
    assert losses[0] != losses[1]
    assert losses[0] == pytest.approx(losses[1], abs=1e-6)


@pytest.mark.parametrize(
    ("settings", "count", "words"),
    [
        ({"batch_size": 64}, 3, "batch_size = 64 cannot be shared by 3 processes.*batch_size = 66"),
        ({"batch_size": 1}, 2, "batch_size = 2"),
        ({"engine": "fast", "compile": True}, 2, "compile does not go with several processes"),
    ],
)
def test_processes_that_cannot_share_a_batch(settings: dict[str, object], count: int, words: str) -> None:
    check_machine(TrainingSettings(**settings), Processes())
    with pytest.raises(PygptError, match=words):
        check_machine(TrainingSettings(**settings), Processes(0, count))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"accumulate": 0}, "accumulate = 0 is not allowed"),
        ({"accumulate": 2}, "accumulate = 2 belongs to engine fast"),
        ({"accumulate": 9, "batch_size": 8, "engine": "fast"}, "batch_size = 8 has not so many parts"),
    ],
)
def test_parts_that_are_refused(settings: dict[str, object], words: str) -> None:
    with pytest.raises(PygptError, match=words):
        partial(TrainingSettings, **settings)()
