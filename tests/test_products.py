"""Products by oneDNN: near MKL's anywhere, with its bits where kernels are the recordings', and taken only then."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from pygpt import corpus, products, training
from pygpt.determinism import kernel_fingerprint, on_threads, reproducible
from pygpt.exactness import Exactness
from pygpt.exercises.opening import course
from pygpt.output.messages import say
from pygpt.settings import ModelSettings, TrainingSettings

aten = torch.ops.aten
LAYOUTS = st.sampled_from([lambda x: x, lambda x: x.t().contiguous().t()])
# Large enough for a rehearsal where threads are R's, and for a gain where oneDNN is quicker.
MODEL = ModelSettings(model="gpt_noattn", block_size=64, n_embd=96, n_layer=2)


@pytest.fixture(autouse=True)
def _onednn() -> None:
    if products._ONEDNN is None:
        pytest.skip("this torch has no oneDNN")


@given(st.integers(1, 90), st.integers(1, 700), st.integers(1, 90), LAYOUTS, LAYOUTS, st.booleans())
def test_a_product_is_the_product(m: int, k: int, n: int, layout_a, layout_b, biased: bool) -> None:  # type: ignore[no-untyped-def]
    draw = torch.Generator().manual_seed(m * k * n)
    a, b, bias = (torch.randn(*shape, generator=draw) for shape in ((m, k), (k, n), (n,)))
    got = products.product(layout_a(a), layout_b(b), bias if biased else None)
    assert got.is_contiguous()
    expected = a.double() @ b.double() + (bias if biased else 0)
    assert torch.allclose(got.double(), expected, rtol=0, atol=1e-6 * k)


@pytest.mark.parametrize(
    ("m", "k", "n"), [(4096, 128, 384), (1920, 512, 128), (512, 1920, 128), (128, 4096, 512), (66, 1920, 128)]
)
def test_with_the_recordings_kernels_it_has_mkls_bits(m: int, k: int, n: int) -> None:
    if kernel_fingerprint() != course()["gpt"].fingerprint:
        pytest.skip("another kernel fingerprint than the recordings'")
    torch.manual_seed(0)
    a, b, bias = torch.randn(m, k), torch.randn(n, k).t(), torch.randn(n)
    assert torch.equal(products.product(a, b), a @ b)
    assert torch.equal(products.product(a, b, bias), torch.addmm(bias, a, b))
    a, b = torch.randn(k, m).t(), torch.randn(k, n)
    assert torch.equal(products.product(a, b), a @ b)


@pytest.mark.parametrize(("m", "k", "n"), [(512, 1920, 128), (128, 4096, 512), (66, 1920, 128), (70, 700, 2)])
@pytest.mark.parametrize("threads", [2, 3, 5])
def test_blocks_of_columns_on_threads_of_their_own_are_the_product(m: int, k: int, n: int, threads: int) -> None:
    torch.manual_seed(0)
    a, b = torch.randn(k, m).t(), torch.randn(k, n, requires_grad=True)  # saved activations require gradients, too
    with on_threads(threads), torch.no_grad():
        got = products.in_columns(a, b)
        assert torch.get_num_threads() == threads
    assert not got.requires_grad
    assert torch.allclose(got.double(), a.double() @ b.double(), rtol=0, atol=1e-6 * k)
    if n > 2 and kernel_fingerprint() == course()["gpt"].fingerprint:
        assert torch.equal(got, a @ b)


def test_blocks_of_columns_are_for_gradients_of_weights_on_several_threads() -> None:
    gradient, x = torch.randn(4096, 128).t(), torch.randn(4096, 128)
    for threads, expected in ((1, [products.product]), (2, [products.product, products.in_columns])):
        with on_threads(threads):
            assert products.by_onednn(aten.mm.default, (gradient, x), {}) == expected
            assert products.by_onednn(aten.mm.default, (x, gradient), {}) == [products.product]


def test_what_is_small_or_of_another_kind_is_left_alone() -> None:
    a, b = torch.randn(128, 128), torch.randn(128, 128)
    assert products.by_onednn(aten.mm.default, (a, b), {}) == [products.product]
    assert len(products.by_onednn(aten.addmm.default, (a[0], a, b), {})) == 1
    others = [
        (aten.mm.default, (a[:63], b), {}),
        (aten.mm.default, (a.double(), b.double()), {}),
        (aten.mm.default, (a[:, ::2], b[:64]), {}),
        (aten.addmm.default, (a, a, b), {}),
        (aten.addmm.default, (a[0], a, b), {"beta": 2}),
        (aten.mul.Tensor, (a, b), {}),
    ]
    assert [products.by_onednn(*other) for other in others] == [[]] * len(others)


def trained(steps: int, threads: int = 1) -> tuple[list[float], Exactness | None]:
    settings = TrainingSettings(max_steps=steps)
    rows = torch.randint(1, 66, (9000,), generator=torch.Generator().manual_seed(0))
    windows = corpus.windows(rows, MODEL.block_size, say("rows"))
    with reproducible(threads):
        events = list(training.fit(training.start(MODEL, settings), windows, windows, settings))
    told = [e for e in events if isinstance(e, Exactness)]
    return [e.loss for e in events if isinstance(e, training.Step)], told[0] if told else None


def test_products_that_differ_in_a_bit_are_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    expected, _ = trained(3)  # too few steps for a rehearsal: PyTorch's own products
    monkeypatch.setattr(training, "_FEW_STEPS", 1)
    right = products.product

    def nearly(a: Tensor, b: Tensor, bias: Tensor | None = None) -> Tensor:
        return right(a, b, bias).mul_(1 + 2**-23)

    monkeypatch.setattr(products, "product", nearly)
    losses, told = trained(3)
    assert losses == expected
    assert told is None


def test_products_that_take_longer_are_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "_FEW_STEPS", 1)

    def slowly(a: Tensor, b: Tensor, bias: Tensor | None = None) -> Tensor:
        for _ in range(4):
            same = a @ b if bias is None else torch.addmm(bias, a, b)
        return same

    monkeypatch.setattr(products, "product", slowly)
    assert trained(2)[1] is None


def test_with_what_was_found_the_losses_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    expected, _ = trained(4)
    monkeypatch.setattr(training, "_FEW_STEPS", 1)
    losses, told = trained(4)
    assert losses == expected
    if told is not None:  # where oneDNN has the bits and is quicker
        assert told.facts["products_by_onednn"] > 0
        assert str(told) == "exact on 1 thread"
