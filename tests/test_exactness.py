"""R's bits on any number of threads: what one thread gives, others give, and without the fallbacks they do not."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from torch import Tensor

from pygpt import corpus, exactness, r_semantics, training
from pygpt.determinism import on_threads, reproducible
from pygpt.exactness import Exactness
from pygpt.output.messages import say
from pygpt.rehearsal import Rehearsal
from pygpt.settings import ModelSettings, TrainingSettings

THREADS = st.sampled_from([2, 3, 4, 8, 16])
# Its output layer's product has other bits from 4 threads on, where MKL multiplies with AVX-512.
SPLIT = ModelSettings(block_size=8, n_embd=16, n_layer=1, vocab_size=66)


@st.composite
def shapes(draw: st.DrawFn) -> ModelSettings:
    heads = draw(st.integers(1, 3))
    return ModelSettings(
        model=draw(st.sampled_from(["gpt", "gpt_noattn"])),
        block_size=draw(st.integers(2, 12)),
        n_head=heads,
        n_embd=heads * draw(st.integers(3, 24)),
        n_layer=draw(st.integers(1, 2)),
        vocab_size=draw(st.integers(3, 100)),
    )


def started(
    model: ModelSettings, r_threads: int, batch_size: int = 8
) -> tuple[training.TrainingState, list, TrainingSettings]:  # type: ignore[type-arg]
    settings = TrainingSettings(batch_size=batch_size, r_threads=r_threads, lr=0.01, epochs=1)
    rows = torch.randint(
        1, model.vocab_size, (3 * batch_size + 3 + model.block_size,), generator=torch.Generator().manual_seed(0)
    )
    windows = corpus.windows(rows, model.block_size, say("rows"))
    return training.start(model, settings), [windows, windows[: batch_size + 1]], settings


def trained(model: ModelSettings, threads: int, r_threads: int) -> tuple[list[object], dict[str, Tensor]]:
    """Every loss of one epoch, a short last batch included, and the weights after it."""
    with reproducible(threads):
        state, data, settings = started(model, r_threads)
        events = [e for e in training.fit(state, *data, settings) if not isinstance(e, Exactness)]
    return events, state.model.state_dict()


def same(a: tuple[list[object], dict[str, Tensor]], b: tuple[list[object], dict[str, Tensor]]) -> bool:
    return a[0] == b[0] and all(torch.equal(a[1][name], b[1][name]) for name in a[1])


@hypothesis_settings(max_examples=12)
@given(shapes(), THREADS)
@example(SPLIT, 4)
@example(SPLIT, 16)
def test_many_threads_give_the_bits_of_one(model: ModelSettings, threads: int) -> None:
    assert same(trained(model, threads, r_threads=1), trained(model, 1, r_threads=1))


@hypothesis_settings(max_examples=12)
@given(shapes(), THREADS, st.sampled_from([1, 2]))
@example(SPLIT, 8, 2)
def test_few_threads_give_the_bits_of_many(model: ModelSettings, r_threads: int, threads: int) -> None:
    assert same(trained(model, threads, r_threads), trained(model, r_threads, r_threads))


def test_without_rs_parts_of_the_layer_norm_gradient_the_bits_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Exactness, "prepare", lambda *_: None)
    assert not same(trained(SPLIT, 3, r_threads=1), trained(SPLIT, 1, r_threads=1))


def test_without_the_fallback_the_bits_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    if not found(SPLIT, 4, 1).fallback:
        pytest.skip("on this processor no product of this shape depends on the threads")
    monkeypatch.setattr(exactness._AsFound, "__torch_dispatch__", lambda _, f, __, a=(), k=None: f(*a, **(k or {})))
    assert not same(trained(SPLIT, 4, r_threads=1), trained(SPLIT, 1, r_threads=1))


def test_a_gradient_that_is_not_in_rs_parts_is_seen_and_left_to_rs_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another libtorch may sum otherwise: then PyTorch's own operation runs on R's threads, and the bits stay."""
    true = r_semantics.layer_norm_backward

    def backwards(g: Tensor, x: Tensor, *rest: object) -> tuple[Tensor, ...]:
        of_x, of_weight, of_bias = true(g, x, *rest)  # type: ignore[arg-type]
        return of_x, of_weight.nextafter(torch.tensor(9.0)), of_bias

    monkeypatch.setattr(r_semantics, "layer_norm_backward", backwards)
    what = found(SPLIT, 3, 1)
    assert [name.split()[0] for name in what.names] == ["aten::native_layer_norm_backward"]
    assert what.count == 1
    assert str(what) == "exact on 3 threads; 1 operation on 1"
    assert same(trained(SPLIT, 3, r_threads=1), trained(SPLIT, 1, r_threads=1))


def found(model: ModelSettings, threads: int, r_threads: int) -> Exactness:
    with reproducible(threads):
        state, data, settings = started(model, r_threads)
        event = next(training.fit(state, *data, settings))
    assert isinstance(event, Exactness)
    return event


def test_a_rehearsed_step_is_the_step_that_one_thread_takes() -> None:
    def one_step(threads: int) -> list[object]:
        with reproducible(threads):
            state, data, settings = started(SPLIT, 1)
            fit = training.fit(state, *data, settings)
            told = next(fit)
            step = next(fit) if isinstance(told, Exactness) else told
            assert torch.get_num_threads() == threads
            gradients = [p.grad.tolist() for p in state.model.parameters() if p.grad is not None]
            return [step, gradients, torch.get_rng_state().tolist(), isinstance(told, Exactness)]

    alone = one_step(1)
    assert alone.pop() is False
    for threads in (2, 4, 16):
        rehearsed = one_step(threads)
        assert rehearsed.pop() is True
        assert rehearsed == alone


def test_what_a_later_kind_of_batch_brings_is_told_then(monkeypatch: pytest.MonkeyPatch) -> None:
    """An epoch has whole batches and a short last one, to train and to validate on; each is rehearsed as it comes."""
    true = Rehearsal._ours

    def other_bits_in_short_batches(self: Rehearsal, func: object) -> Callable[..., object]:
        if func is not torch.ops.aten.gelu.default:
            return true(self, func)  # type: ignore[no-any-return]
        return lambda x, **kw: torch.nn.functional.gelu(x) + (1.0 if len(x) < 8 else 0.0)

    monkeypatch.setattr(Rehearsal, "_ours", other_bits_in_short_batches)
    with reproducible(2):
        state, data, settings = started(SPLIT, 1)
        events = list(training.fit(state, *data, settings))
    told = [(i, e) for i, e in enumerate(events) if isinstance(e, Exactness)]
    assert [[name.split()[:2] for name in e.names] for _, e in told] == [[], [["aten::gelu", "3x8x64"]]]
    assert [i for i, _ in told] == [0, 4]  # before the first step and before the fourth, whose batch is short
    monkeypatch.undo()
    assert [e for e in events if not isinstance(e, Exactness)] == trained(SPLIT, 1, r_threads=1)[0]


def test_nothing_is_rehearsed_where_threads_are_rs_or_no_step_is_left() -> None:
    with reproducible(2):
        state, data, settings = started(SPLIT, 2)
        assert isinstance(next(training.fit(state, *data, settings)), training.Step)
        state, data, settings = started(SPLIT, 1)
        list(training.fit(state, *data, settings))
        assert list(training.fit(state, *data, settings)) == []


def by_halves(x: Tensor) -> Tensor:
    """A sum that depends on the number of threads."""
    return sum((part.sum() for part in x.chunk(torch.get_num_threads())), torch.zeros(()))


@pytest.mark.parametrize(
    ("operation", "differs"),
    [
        (lambda x: x.softmax(-1), False),
        (lambda x: torch.nn.functional.dropout(x, 0.5), False),
        (lambda x: x.clone().mul_(x).add_(1), False),
        (lambda x: torch._foreach_norm([x, x])[0], False),
        (lambda x: torch.ops.pygpt_tests.by_halves(x), True),
    ],
    ids=["softmax", "random", "in place", "foreach", "split"],
)
def test_an_operation_is_found_by_its_bits(operation: Callable[[Tensor], Tensor], differs: bool) -> None:
    library = torch.library.Library("pygpt_tests", "FRAGMENT")
    library.define("by_halves(Tensor x) -> Tensor")
    library.impl("by_halves", by_halves, "CPU")
    torch.manual_seed(0)
    x = torch.randn(40, 30)
    with on_threads(3):
        expected = operation(x)
    torch.manual_seed(0)
    torch.randn(40, 30)
    rehearsal = Rehearsal(2, 3)
    with on_threads(2), rehearsal.begin():
        assert torch.equal(operation(x), expected)
    assert rehearsal.result(Exactness(2, 3)).count == differs
    library._destroy()
