"""The rungs against the notebook's numbers, and each against the one before."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pygpt.attention import notebook as attention_notebook
from pygpt.attention import rungs as attention
from pygpt.errors import PygptError

NOTEBOOK = attention_notebook.read_notebook()
COMPUTED = {name: value for _, rung in attention_notebook.climb(NOTEBOOK) for name, value in rung.items()}
MASKS = ("dropout_of_ones", "dropout_of_weights")


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(1)


@pytest.mark.parametrize("name", [name for name in NOTEBOOK.printed if name not in MASKS])
def test_every_printed_number_to_its_four_decimals(name: str) -> None:
    printed, here = NOTEBOOK.printed[name].values, COMPUTED[name].double()
    assert here.shape == printed.shape
    # Half of the fourth decimal; the rest is float32's own rounding. -inf stands where -inf is printed.
    finite = printed.isfinite()
    assert (here[finite] - printed[finite]).abs().max() <= 0.5e-4 + 1e-6
    assert torch.equal(here[~finite], printed[~finite])


def test_the_data_hold_all_884_numbers_and_name_their_cells() -> None:
    places = [(cell, p) for p in NOTEBOOK.printed.values() for cell in p.cells]
    assert sum(p.values.numel() for _, p in places) == 884
    # The code cells that print nothing.
    silent = {1, 16, 17, 27, 29, 37, 44, 46, 48, 49}
    assert {cell for cell, _ in places} == set(range(1, 59)) - silent


def test_agrees_sees_one_wrong_decimal_a_wrong_shape_and_a_lost_infinity() -> None:
    printed = NOTEBOOK.printed["masked_scores"]
    good = {"masked_scores": COMPUTED["masked_scores"]}
    assert attention_notebook.agrees(printed, good)
    wrong = COMPUTED["masked_scores"].clone()
    wrong[0, 0] += 1.1e-4
    lost = COMPUTED["masked_scores"].clone()
    lost[0, 1] = 0.0
    for value in (wrong, lost, COMPUTED["masked_scores"][:5]):
        assert not attention_notebook.agrees(printed, {"masked_scores": value})


def test_dropout_halves_the_weights_and_doubles_the_rest() -> None:
    torch.manual_seed(123)
    dropped = attention.drop_weights(torch.ones(1000, 1000), 0.5)
    assert set(dropped.unique().tolist()) == {0.0, 2.0}
    # 5 standard deviations of a million fair coins are 0.0025.
    assert abs((dropped == 0).double().mean().item() - 0.5) < 0.0025


@pytest.mark.parametrize("source", ["printed", "computed"])
def test_one_seed_is_one_mask_for_ones_and_for_weights(source: str) -> None:
    ones, weights = (
        COMPUTED[name].double() if source == "computed" else NOTEBOOK.printed[name].values for name in MASKS
    )
    # What is printed has its own rounding, and that of the weights, doubled.
    expected = ones * NOTEBOOK.printed["causal_weights"].values
    assert (weights - expected).abs().max() <= 1.6e-4
    assert set(ones.unique().tolist()) == {0.0, 2.0}


def test_the_dropout_property_can_fail() -> None:
    ones = torch.ones(6, 6)
    half = torch.ones(6, 6).tril(-1) * 2
    assert attention_notebook.is_half_dropped(half, ones)
    assert not attention_notebook.is_half_dropped(half / 2, ones)
    assert not attention_notebook.is_half_dropped(ones * 0, ones)
    assert not attention_notebook.is_half_dropped(ones * 2, ones)


@pytest.mark.parametrize("module", ["causal", "multi"])
def test_modules_drop_weights_in_training_only(module: str) -> None:
    build = {
        "causal": lambda: attention.CausalAttention(3, 4, 6, 0.5),
        "multi": lambda: attention.MultiHeadAttention(3, 4, 6, 0.5, num_heads=2),
    }[module]
    x, model = torch.randn(1, 6, 3), build()
    assert not torch.equal(model(x), model(x))
    model.eval()
    assert torch.equal(model(x), model(x))


# --- The erratum: softmax over dim=1 ---


def _wrapper(softmax_dim: int) -> attention.MultiHeadAttentionWrapper:
    torch.manual_seed(123)
    return attention.MultiHeadAttentionWrapper(3, 2, 6, 0.0, num_heads=2, softmax_dim=softmax_dim)


def test_erratum_softmax_over_dim_1_gives_the_notebooks_numbers_and_no_attention() -> None:
    batch = NOTEBOOK.printed["batch"].values.float()
    model = _wrapper(1)
    assert (model(batch) - NOTEBOOK.printed["wrapper"].values).abs().max() <= 0.5e-4 + 1e-6
    weights = model.heads[0].weights(batch)
    assert (weights.sum(dim=-1) - 1).abs().max() > 0.5
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(2, 6))


def test_erratum_the_default_gives_rows_that_sum_to_1_and_other_numbers() -> None:
    batch = NOTEBOOK.printed["batch"].values.float()
    model = _wrapper(-1)
    for head in model.heads:
        weights = head.weights(batch)
        torch.testing.assert_close(weights.sum(dim=-1), torch.ones(2, 6))
        assert torch.equal(weights, weights.tril())
    assert (model(batch) - NOTEBOOK.printed["wrapper"].values).abs().max() > 0.1


@pytest.mark.parametrize(("softmax_dim", "leaks"), [(1, True), (-1, False)])
def test_erratum_over_dim_1_the_future_leaks_into_the_past(softmax_dim: int, leaks: bool) -> None:
    batch = NOTEBOOK.printed["batch"].values.float()
    other = batch.clone()
    other[:, -1] += 1.0
    model = _wrapper(softmax_dim)
    changed = (model(batch)[:, :-1] - model(other)[:, :-1]).abs().max()
    assert (changed > 1e-3) == leaks


# --- Each rung and the one before ---


def test_naive_and_stable_softmax_agree_until_the_naive_one_overflows() -> None:
    scores = torch.randn(4, 7)
    torch.testing.assert_close(attention.softmax_naive(scores), torch.softmax(scores, dim=-1))
    torch.testing.assert_close(attention.softmax_stable(scores), torch.softmax(scores, dim=-1))
    large = torch.tensor([1000.0, 999.0])
    assert attention.softmax_naive(large).isnan().all()
    torch.testing.assert_close(attention.softmax_stable(large), torch.tensor([0.7310586, 0.2689414]))


def test_v2_with_v1s_matrices_transposed_is_v1() -> None:
    v1, v2, x = attention.SelfAttentionV1(3, 2), attention.SelfAttentionV2(3, 2), torch.randn(5, 3)
    v2.load_state_dict({f"{name}.weight": value.T for name, value in v1.state_dict().items()})
    torch.testing.assert_close(v2(x), v1(x))


def test_both_ways_of_masking_give_the_same_weights() -> None:
    scores = torch.randn(2, 6, 6)
    by_infinity = torch.softmax(attention.mask_by_infinity(scores), dim=-1)
    torch.testing.assert_close(attention.mask_by_renormalizing(torch.softmax(scores, dim=-1)), by_infinity)


def test_the_last_token_sees_all_so_that_causal_attention_gives_it_what_v2_does() -> None:
    v2, causal, x = attention.SelfAttentionV2(3, 2), attention.CausalAttention(3, 2, 6, 0.0), torch.randn(5, 3)
    causal.load_state_dict(v2.state_dict() | {"mask": causal.mask})
    contexts = causal(x.unsqueeze(0))[0]
    torch.testing.assert_close(contexts[-1], v2(x)[-1])
    assert not torch.allclose(contexts[:-1], v2(x)[:-1])


def test_multi_head_with_the_wrappers_heads_and_nothing_to_mix_is_the_wrapper() -> None:
    wrapper, x = attention.MultiHeadAttentionWrapper(3, 2, 6, 0.0, num_heads=4), torch.randn(2, 5, 3)
    one = attention.MultiHeadAttention(3, 8, 6, 0.0, num_heads=4)
    with torch.no_grad():
        for name in ("W_query", "W_key", "W_value"):
            getattr(one, name).weight.copy_(torch.cat([getattr(head, name).weight for head in wrapper.heads]))
        one.out_proj.weight.copy_(torch.eye(8))
        one.out_proj.bias.zero_()
    torch.testing.assert_close(one(x), wrapper(x))


@given(
    heads=st.integers(1, 4), d_k=st.integers(1, 5), n=st.integers(1, 7), batch=st.integers(1, 3),
    bias=st.booleans(), seed=st.integers(0, 2**31),
)  # fmt: skip
def test_last_rung_pytorchs_module_with_the_same_weights_gives_the_same_output(
    heads: int, d_k: int, n: int, batch: int, bias: bool, seed: int
) -> None:
    torch.manual_seed(seed)
    d = heads * d_k
    before = attention.MultiHeadAttention(d, d, n, 0.0, heads, qkv_bias=bias).double()
    x = torch.randn(batch, n, d, dtype=torch.float64)
    contexts, weights = attention.attend_as_gpt(attention.to_torch(before), x)
    torch.testing.assert_close(contexts, before(x), rtol=0, atol=1e-12)
    assert weights.shape == (batch, heads, n, n)


def test_last_rung_keeps_dropout_and_mode() -> None:
    before = attention.MultiHeadAttention(4, 4, 6, 0.3, num_heads=2)
    assert attention.to_torch(before).training
    after = attention.to_torch(before.eval())
    assert (after.dropout, after.training) == (0.3, False)


# --- Bad input ---


def test_bad_shapes_are_named() -> None:
    with pytest.raises(PygptError, match=r"d_out = 3 is not divisible by num_heads = 2: .*\(b, n, 3\)"):
        attention.MultiHeadAttention(3, 3, 6, 0.0, num_heads=2)
    for module in (attention.SelfAttentionV1(3, 2), attention.SelfAttentionV2(3, 2)):
        with pytest.raises(PygptError, match=r"\(n, d_in = 3\); got \(2, 6, 3\)"):
            module(torch.ones(2, 6, 3))
    batched = (
        attention.CausalAttention(3, 2, 6, 0.0),
        attention.MultiHeadAttentionWrapper(3, 2, 6, 0.0, num_heads=2),
        attention.MultiHeadAttention(3, 2, 6, 0.0, num_heads=2),
    )
    for module in batched:
        for shape in ((6, 3), (2, 7, 3), (2, 6, 4)):
            with pytest.raises(PygptError) as caught:
                module(torch.ones(shape))
            assert str(caught.value) == f"x must have shape (b, n, d_in = 3) with n <= 6; got {shape}"
    with pytest.raises(PygptError, match=r"same d; got \(6, 3\) and \(6, 2\)"):
        attention.dot_product_scores(torch.ones(6, 3), torch.ones(6, 2))
    with pytest.raises(PygptError, match=r"W_query has shape \(2, 3\)"):
        attention.to_torch(attention.MultiHeadAttention(3, 2, 6, 0.0, num_heads=2))
    with pytest.raises(PygptError, match=r"got \(6, 3\)"):
        attention.attend_as_gpt(torch.nn.MultiheadAttention(3, 1), torch.ones(6, 3))
