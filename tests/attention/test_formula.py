"""Exercise 1's formulas against PyTorch's module, and what the exercise says of W."""

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from pygpt.attention import formula
from pygpt.attention.rungs import attend_as_gpt
from pygpt.errors import PygptError

SHAPES = {
    "heads": st.integers(1, 4), "d_k": st.integers(1, 6), "k": st.integers(1, 8),
    "bias": st.booleans(), "seed": st.integers(0, 2**31),
}  # fmt: skip


def _drawn(
    heads: int, d_k: int, k: int, bias: bool, seed: int
) -> tuple[torch.nn.MultiheadAttention, Tensor, list[formula.Head], Tensor]:
    """PyTorch's module in float64, with biases that are not 0, an X for it, and its heads with the X they take."""
    torch.manual_seed(seed)
    module = torch.nn.MultiheadAttention(heads * d_k, heads, bias=bias, dtype=torch.float64)
    for name, parameter in module.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(parameter)
    X = torch.randn(k, heads * d_k, dtype=torch.float64)
    return module, X, formula.heads_of(module), formula.with_ones(X) if bias else X


@given(**SHAPES)
def test_the_last_equation_is_pytorchs_multi_head_attention(**shapes: Any) -> None:
    module, X, heads, X_of_heads = _drawn(**shapes)
    expected, W = attend_as_gpt(module, X.unsqueeze(0))
    by_sums = formula.multi_head(X_of_heads, heads) + (module.out_proj.bias if shapes["bias"] else 0.0)
    torch.testing.assert_close(by_sums, expected[0], rtol=0, atol=1e-12)
    for h, head in enumerate(heads):
        torch.testing.assert_close(formula.weights(X_of_heads, head), W[0, h], rtol=0, atol=1e-12)


@given(**SHAPES)
def test_w_is_a_distribution_over_the_past_and_z_its_means(**shapes: Any) -> None:
    _, _, heads, X = _drawn(**shapes)
    k, above = len(X), torch.ones(len(X), len(X), dtype=torch.bool).triu(1)
    for head in heads:
        W = formula.weights(X, head)
        torch.testing.assert_close(W.sum(dim=1), torch.ones(k, dtype=torch.float64), rtol=0, atol=1e-12)
        assert (W[above] == 0).all()
        assert (W[~above] > 0).all()
        V, Z = formula.values(X, head), formula.attention(X, head)
        torch.testing.assert_close(Z[0], V[0], rtol=0, atol=1e-12)
        assert (V.cummax(dim=0).values + 1e-12 >= Z).all()
        torch.testing.assert_close(formula.kernel_smoother(X, head), Z, rtol=1e-10, atol=1e-12)


def test_m_and_e() -> None:
    inf = float("inf")
    assert formula.mask(3).tolist() == [[0, -inf, -inf], [0, 0, -inf], [0, 0, 0]]
    _, _, heads, X = _drawn(heads=2, d_k=3, k=4, bias=False, seed=1)
    S, E = formula.scores(X, heads[0]), formula.masked_scores(X, heads[0])
    lower = torch.ones(4, 4).tril().bool()
    assert torch.equal(E[lower], S[lower])
    assert (E[~lower] == -inf).all()
    # one element by hand: S_ij = q_i k_j' / sqrt(d_k)
    q, key = X[2] @ heads[0].U_Q, X[1] @ heads[0].U_K
    assert S[2, 1].item() == pytest.approx(sum(a * b for a, b in zip(q.tolist(), key.tolist(), strict=True)) / 3**0.5)


def test_the_weights_are_a_function_of_the_data() -> None:
    _, X, heads, _ = _drawn(heads=2, d_k=3, k=5, bias=False, seed=1)
    other = torch.randn_like(X)
    for head in heads:
        W, W_other = formula.weights(X, head), formula.weights(other, head)
        assert (W - W_other).abs().max() > 0.01
        # Of a row, the past is all that counts: a new last position leaves the rows before it alone.
        later = torch.cat([X[:-1], other[-1:]])
        assert torch.equal(formula.weights(later, head)[:-1], W[:-1])
        assert not torch.equal(formula.weights(later, head)[-1], W[-1])


def test_large_scores_do_not_overflow() -> None:
    _, X, heads, _ = _drawn(heads=1, d_k=4, k=5, bias=False, seed=1)
    W = formula.weights(1e4 * X, heads[0])
    assert W.isfinite().all()
    torch.testing.assert_close(W.sum(dim=1), torch.ones(5, dtype=torch.float64))


def test_bad_shapes_are_named() -> None:
    head = formula.heads_of(torch.nn.MultiheadAttention(4, 2, bias=False))[0]
    for shape in ((4,), (3, 5), (1, 3, 4)):
        X = torch.ones(shape)
        for function in (formula.weights, formula.values):
            with pytest.raises(PygptError) as caught:
                function(X, head)
            assert str(caught.value) == f"X must have shape (k, d_model) and U_Q (d_model, d_k); got {shape} and (4, 2)"
    with pytest.raises(PygptError, match=r"two dimensions each; got U_Q \(1, 4, 2\), U_K \(4, 2\)"):
        formula.Head(head.U_Q.unsqueeze(0), head.U_K, head.U_V, head.U_O)
    with pytest.raises(PygptError, match=r"U_V \(3, 2\), U_O \(2, 4\)"):
        formula.Head(head.U_Q, head.U_K, head.U_V[:3], head.U_O)
    with pytest.raises(PygptError, match=r"U_V \(4, 2\), U_O \(1, 4\)"):
        formula.Head(head.U_Q, head.U_K, head.U_V, head.U_O[:1])
