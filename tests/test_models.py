import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pygpt.errors import PygptError
from pygpt.models import build_model, cross_entropy
from pygpt.settings import ModelSettings

MODELS = ["gpt", "gpt_noattn"]


@st.composite
def shapes(draw: st.DrawFn, model: str | None = None) -> ModelSettings:
    heads = draw(st.integers(1, 3))
    return ModelSettings(
        model=model or draw(st.sampled_from(MODELS)),
        block_size=draw(st.integers(1, 12)),
        n_head=heads,
        n_embd=heads * draw(st.integers(3, 6)),  # a norm over one or two values gives signs alone
        n_layer=draw(st.integers(1, 3)),
        vocab_size=draw(st.integers(3, 20)),
    )


@given(shapes(), st.booleans(), st.integers(0, 2**31), st.data())
def test_a_later_token_never_changes_an_earlier_output(
    settings: ModelSettings, fused: bool, seed: int, data: st.DataObject
) -> None:
    torch.manual_seed(seed)
    model = build_model(settings, fused=fused).eval()
    x = torch.randint(0, settings.vocab_size, (2, data.draw(st.integers(1, settings.block_size))))
    t = data.draw(st.integers(0, x.shape[1] - 1))
    changed = x.clone()
    changed[:, t] = (x[:, t] + 1) % settings.vocab_size
    before, after = model(x), model(changed)
    assert torch.equal(before[:, :t], after[:, :t])
    assert not torch.equal(before[:, t], after[:, t])


@given(shapes("gpt"), st.integers(0, 2**31))
def test_an_earlier_token_reaches_later_outputs_through_attention(settings: ModelSettings, seed: int) -> None:
    torch.manual_seed(seed)
    model = build_model(settings).eval()
    x = torch.randint(0, settings.vocab_size, (1, settings.block_size))
    changed = x.clone()
    changed[:, 0] = (x[:, 0] + 1) % settings.vocab_size
    if settings.block_size > 1:
        assert not torch.equal(model(x)[:, -1], model(changed)[:, -1])


@given(shapes("gpt_noattn"), st.integers(0, 2**31), st.data())
def test_without_attention_the_output_depends_on_token_and_place_alone(
    settings: ModelSettings, seed: int, data: st.DataObject
) -> None:
    torch.manual_seed(seed)
    model = build_model(settings).eval()
    x, other = torch.randint(0, settings.vocab_size, (2, 1, settings.block_size))
    t = data.draw(st.integers(0, settings.block_size - 1))
    other[:, t] = x[:, t]
    assert torch.allclose(model(x)[:, t], model(other)[:, t], atol=1e-6)
    other[:, t] = (x[:, t] + 1) % settings.vocab_size
    assert not torch.equal(model(x)[:, t], model(other)[:, t])


@given(shapes(), st.sampled_from([torch.int32, torch.int64]), st.data())
def test_logits_have_the_shape_that_was_asked_for(
    settings: ModelSettings, dtype: torch.dtype, data: st.DataObject
) -> None:
    x = torch.zeros(data.draw(st.integers(1, 4)), data.draw(st.integers(1, settings.block_size)), dtype=dtype)
    assert build_model(settings)(x).shape == (*x.shape, settings.vocab_size)


@pytest.mark.parametrize("x", [torch.zeros(1, 9, dtype=torch.int64), torch.zeros(1, 0, dtype=torch.int64),
                               torch.zeros(4, dtype=torch.int64), torch.zeros(1, 3)])  # fmt: skip
def test_inputs_of_another_shape_or_type_are_refused(x: torch.Tensor) -> None:
    with pytest.raises(PygptError, match=r"block_size = 8; got shape|int32 or int64"):
        build_model(ModelSettings(block_size=8))(x)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(("padding_row", "without_gradient"), [("r", 1), ("corrected", 0)])
def test_one_row_of_the_embedding_has_no_gradient(model: str, padding_row: str, without_gradient: int) -> None:
    torch.manual_seed(1)
    m = build_model(ModelSettings(model=model, block_size=8, n_embd=8, vocab_size=5), padding_row)
    assert m.wte.weight[0].abs().sum() == 0
    assert m.wte.weight[1].abs().sum() > 0
    x = torch.tensor([[0, 1, 2, 3, 4]])
    cross_entropy(m(x), x).backward()
    assert m.wte.weight.grad is not None
    zero = (m.wte.weight.grad.abs().sum(dim=1) == 0).nonzero().flatten().tolist()
    assert zero == [without_gradient]


@pytest.mark.parametrize("model", MODELS)
def test_engine_fast_is_the_same_model_within_rounding(model: str) -> None:
    settings = ModelSettings(model=model, block_size=16, n_embd=32)
    x = torch.randint(0, 66, (3, 16))
    outputs = []
    for fused in (False, True):
        torch.manual_seed(3)
        outputs.append(build_model(settings, fused=fused).eval()(x))
    torch.testing.assert_close(outputs[0], outputs[1], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("model", MODELS)
def test_dropout_is_in_its_places_and_only_in_training(model: str) -> None:
    m = build_model(ModelSettings(model=model, dropout=0.5))
    x = torch.randint(1, 66, (8, 64))
    share = (m.train().embed(x) == 0).float().mean().item()
    assert 0.49 < share < 0.51
    assert (m.eval().embed(x) == 0).float().mean().item() == 0
    m.train()
    rates = [d.p for d in m.modules() if isinstance(d, torch.nn.Dropout)]
    assert rates == [0.5] * 3
    assert [a.dropout for a in m.modules() if isinstance(a, torch.nn.MultiheadAttention)] == [0.5] * (
        2 if model == "gpt" else 0
    )


def test_cross_entropy_is_the_mean_of_minus_log_probability() -> None:
    logits = torch.log(torch.tensor([[[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]]]))
    expected = (math.log(2) - math.log(0.1)) / 2
    assert cross_entropy(logits, torch.tensor([[0, 1]])).item() == pytest.approx(expected, rel=1e-6)


def test_parameter_counts() -> None:
    # by hand: wpe 64d, wte and ln_f 66d each; block: MH 4d^2 + 4d, FFN 8d^2 + 5d, norms 4d; scale3 2d; d = 128
    d = 128
    with_attention = 64 * d + 2 * 66 * d + 2 * (12 * d * d + 13 * d) + 2 * d
    counts = [sum(p.numel() for p in build_model(ModelSettings(model=m)).parameters()) for m in MODELS]
    assert counts == [with_attention, with_attention - 2 * (4 * d * d + 6 * d)]


@pytest.mark.parametrize("model", MODELS)
def test_what_a_model_is_its_settings_say(model: str) -> None:
    built = build_model(ModelSettings(model=model))
    attends = any("MH" in name for name, _ in built.named_parameters())
    assert built.has_attention == attends == (built.settings.model == "gpt")
    # one class, so that no other one can say otherwise
    assert type(built) is type(build_model(ModelSettings()))
