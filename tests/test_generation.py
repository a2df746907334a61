from collections.abc import Sequence
from unittest.mock import patch

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from pygpt import cached_forward, generation
from pygpt.cached_forward import CachedForward
from pygpt.determinism import on_threads
from pygpt.errors import PygptError
from pygpt.generation import LOGIT_TOLERANCE, generate
from pygpt.models import CharacterModel, build_model
from pygpt.settings import ModelSettings

models = st.builds(
    lambda model, block_size, heads, width, layers, seed, sharp: drawn_model(
        ModelSettings(model, block_size, heads * width, layers, heads, vocab_size=12), seed, sharp
    ),
    st.sampled_from(["gpt", "gpt_noattn"]), st.integers(1, 10), st.integers(1, 3), st.integers(2, 8),
    st.integers(1, 3), st.integers(0, 2**31), st.sampled_from([0.1, 1.0, 10.0]),
)  # fmt: skip
prompts = st.lists(st.integers(0, 11), min_size=1, max_size=14)


def drawn_model(settings: ModelSettings, seed: int, sharp: float) -> CharacterModel:
    torch.manual_seed(seed)
    model = build_model(settings).eval()
    with torch.no_grad():
        model.ln_f.weight *= sharp
    return model


def as_r_does(model: CharacterModel, prompt: Sequence[int], tokens: int, temperature: float, seed: int) -> list[int]:
    """`Generate_Text_Base` of exercise 2, line by line, after torch_manual_seed(seed)."""
    torch.manual_seed(seed)
    idx = torch.tensor([list(prompt)])
    with torch.no_grad():
        for _ in range(tokens):
            logits = model(idx[:, -model.settings.block_size :])[:, -1, :] / temperature
            probs = torch.nn.functional.softmax(logits, dim=-1)
            idx = torch.cat([idx, torch.multinomial(probs, num_samples=1)], dim=1)
    return idx[0, len(prompt) :].tolist()


@given(models, prompts, st.sampled_from([0.05, 0.8, 1.0, 3.0]), st.integers(0, 2**31))
def test_the_text_is_rs(model: CharacterModel, prompt: list[int], temperature: float, seed: int) -> None:
    drawn = [step[0] for step in generate(model, prompt, 25, temperature, [seed])]
    assert drawn == as_r_does(model, prompt, 25, temperature, seed)


@given(models, prompts, st.integers(1, 5), st.integers(0, 2**31))
def test_samples_are_those_of_their_seeds(model: CharacterModel, prompt: list[int], samples: int, seed: int) -> None:
    together = zip(*generate(model, prompt, 15, 0.8, range(seed, seed + samples)), strict=True)
    assert [list(t) for t in together] == [as_r_does(model, prompt, 15, 0.8, seed + i) for i in range(samples)]


@pytest.mark.parametrize("samples", [1, 3, 4])
def test_samples_are_those_of_their_seeds_on_any_number_of_threads(samples: int) -> None:
    model = drawn_model(ModelSettings("gpt", 8, 8, 2, 2, 12), seed=0, sharp=10.0)
    with on_threads(3), patch.object(generation, "_SAMPLES_FOR_A_THREAD", 1):
        together = zip(*generate(model, [1, 2], 20, 0.8, range(samples)), strict=True)
        assert [list(t) for t in together] == [as_r_does(model, [1, 2], 20, 0.8, i) for i in range(samples)]
        assert torch.get_num_threads() == 3


@pytest.mark.parametrize("rows_for_onednn", [1, 10**9])
@given(model=models, prompt=prompts, batch=st.sampled_from([1, 2, 90]), grown=st.integers(1, 14))
def test_cached_logits_are_well_within_the_tolerance(
    rows_for_onednn: int, model: CharacterModel, prompt: list[int], batch: int, grown: int
) -> None:
    with patch.object(cached_forward, "_ROWS_FOR_ONEDNN", rows_for_onednn):
        check_cached_logits(model, torch.tensor([(prompt * 2)[i:] + (prompt * 2)[:i] for i in range(batch)]), grown)


def check_cached_logits(model: CharacterModel, ids: Tensor, grown: int) -> None:
    block_size = model.settings.block_size
    forward = CachedForward(model, len(ids))
    with torch.no_grad():
        for end in range(min(grown, ids.shape[1]), ids.shape[1] + 1):
            whole = model(ids[:, :end][:, -block_size:])[:, -1]
            bound = LOGIT_TOLERANCE * whole.abs().max().clamp(min=1) / 20
            assert (forward(ids[:, :end]) - whole).abs().max() <= bound


def test_a_close_draw_is_decided_by_the_whole_model() -> None:
    model = drawn_model(ModelSettings("gpt", 8, 8, 1, 1, 12), seed=0, sharp=1.0)
    with torch.no_grad():
        model.ln_f.weight[:] = model.ln_f.weight[0]  # every logit the same: each draw is as close as can be
        model.ln_f.weight[3] *= 1 + 1e-6
    calls = []
    model.register_forward_hook(lambda *_: calls.append(1))
    greedy = [step[0] for step in generate(model, [1, 2], 5, temperature=0)]
    assert len(calls) == 5
    with torch.no_grad():
        assert greedy[0] == model(torch.tensor([[1, 2]]))[0, -1].argmax().item()


@given(models, prompts)
def test_temperature_zero_takes_the_likeliest(model: CharacterModel, prompt: list[int]) -> None:
    ids = list(prompt)
    for step in generate(model, prompt, 10, temperature=0, seeds=[5]):
        with torch.no_grad():
            logits = model(torch.tensor([ids[-model.settings.block_size :]]))[0, -1]
        assert step[0] == int(logits.argmax())
        ids.append(step[0])


@given(models, prompts, st.integers(1, 4), st.integers(0, 2**31))
def test_top_k_draws_from_the_k_likeliest(model: CharacterModel, prompt: list[int], k: int, seed: int) -> None:
    ids = list(prompt)
    for step in generate(model, prompt, 10, 2.0, [seed], top_k=k):
        with torch.no_grad():
            logits = model(torch.tensor([ids[-model.settings.block_size :]]))[0, -1]
        assert step[0] in logits.topk(k).indices.tolist()
        ids.append(step[0])


def test_pad_can_be_drawn_as_in_r() -> None:
    model = drawn_model(ModelSettings("gpt_noattn", 8, 8, 1, 1, 3), seed=0, sharp=0.0)
    assert 0 in {step[0] for step in generate(model, [1], 40)}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"prompt": []}, "prompt is empty"),
        ({"tokens": 0}, "tokens = 0"),
        ({"temperature": -1.0}, "temperature = -1"),
        ({"temperature": float("nan")}, "temperature = nan"),
        ({"top_k": 0}, "top_k = 0"),
    ],
)
def test_what_is_not_allowed(change: dict[str, object], words: str) -> None:
    model = drawn_model(ModelSettings("gpt", 8, 8, 1, 1, 12), 0, 1.0)
    with pytest.raises(PygptError, match=words):
        next(generate(model, **({"prompt": [1], "tokens": 3} | change)))  # type: ignore[arg-type]


def test_a_diverged_model_is_named() -> None:
    model = drawn_model(ModelSettings("gpt", 8, 8, 1, 1, 12), 0, float("nan"))
    with pytest.raises(PygptError, match="not finite"):
        next(generate(model, [1], 3))


def as_gpt4r_does(
    model: CharacterModel, prompt: Sequence[int], k: int | None, temperature: float, seed: int
) -> list[int]:
    """`Generate` of GPT4R, line by line, after torch_manual_seed(seed)."""
    torch.manual_seed(seed)
    idx = torch.tensor([list(prompt)])
    with torch.no_grad():
        for _ in range(20):
            logits = model(idx[:, -model.settings.block_size :])[:, -1, :] / temperature
            if k is None:
                following = logits.max(1).indices.unsqueeze(1)
            else:
                values, indices = logits.topk(k)
                selected = torch.multinomial(torch.nn.functional.softmax(values, -1), num_samples=1)
                following = indices[:, selected.item()].unsqueeze(1)
            idx = torch.cat([idx, following], 1)
    return idx[0, len(prompt) :].tolist()


@given(
    models, prompts, st.one_of(st.none(), st.integers(1, 12)), st.sampled_from([0.1, 0.7, 2.0]), st.integers(0, 2**31)
)
def test_gpt4r_s_rule(model: CharacterModel, prompt: list[int], k: int | None, temperature: float, seed: int) -> None:
    drawn = [step[0] for step in generate(model, prompt, 20, temperature, [seed], k, rule="gpt4r")]
    assert drawn == as_gpt4r_does(model, prompt, k, temperature, seed)


def test_gpt4r_s_rule_is_another_than_the_course_s() -> None:
    model = drawn_model(ModelSettings("gpt", 8, 8, 1, 1, 12), seed=0, sharp=1.0)
    texts = [[s[0] for s in generate(model, [1], 40, 0.8, [1], 3, rule=rule)] for rule in ("course", "gpt4r")]
    assert texts[0] != texts[1]


def test_gpt4r_s_rule_with_more_than_there_are() -> None:
    model = drawn_model(ModelSettings("gpt", 8, 8, 1, 1, 12), seed=0, sharp=1.0)
    texts = [[s[0] for s in generate(model, [1], 20, 0.8, [1], k, rule="gpt4r")] for k in (12, 99)]
    assert texts[0] == texts[1]
