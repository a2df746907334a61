import dataclasses
import math
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pygpt.errors import PygptError
from pygpt.settings import ModelSettings, TrainingSettings, from_dict, read_toml, setting_names, to_toml


def test_defaults_are_the_courses() -> None:
    # exercises 2 and 3, `config`
    m, t = ModelSettings(), TrainingSettings()
    assert (m.block_size, m.n_embd, m.n_layer, m.n_head, m.dropout) == (64, 128, 2, 2, 0.2)
    assert (t.lr, t.batch_size, t.epochs, t.max_norm, t.share, t.train_share) == (0.001, 64, 3, 1.0, 0.3, 0.9)


@given(st.integers(1, 8), st.integers(1, 8), st.integers(1, 64), st.floats(0, 0.99))
def test_model_settings_survive_toml(n_head: int, width: int, block_size: int, dropout: float) -> None:
    settings = ModelSettings(n_head=n_head, n_embd=n_head * width, block_size=block_size, dropout=dropout)
    assert from_dict(ModelSettings, tomllib.loads(to_toml(settings))) == settings


def test_training_settings_survive_toml() -> None:
    settings = TrainingSettings(corpus='dom casmurro — "x".txt', max_steps=7, bf16=True, engine="fast")
    assert from_dict(TrainingSettings, tomllib.loads(to_toml(settings))) == settings


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"n_embd": 0}, "n_embd = 0"),
        ({"n_embd": -128}, "n_embd = -128"),
        ({"n_embd": 10, "n_head": 4}, "n_embd = 10 is not divisible by n_head = 4.*n_embd = 12"),
        ({"n_layer": 1.5}, "n_layer = 1.5 is not a whole number"),
        ({"n_head": True}, "n_head = True is not a whole number"),
        ({"dropout": 1.0}, "dropout = 1.0"),
        ({"dropout": math.nan}, "dropout = nan"),
        ({"model": "lstm"}, "gpt, gpt_noattn"),
        ({"width": 3}, "unknown setting 'width'"),
    ],
)
def test_a_bad_model_setting_is_named(values: dict[str, object], words: str) -> None:
    with pytest.raises(PygptError, match=words):
        from_dict(ModelSettings, values)


@pytest.mark.parametrize(
    "name",
    [
        "lr",
        "max_norm",
        "share",
        "train_share",
        "batch_size",
        "epochs",
        "max_steps",
        "threads",
        "r_threads",
        "valid_windows",
    ],
)
@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf])
def test_training_numbers_are_above_zero_and_finite(name: str, value: float) -> None:
    with pytest.raises(PygptError, match=name):
        from_dict(TrainingSettings, {name: value})


def test_flags_of_engine_fast_are_refused_for_engine_r() -> None:
    with pytest.raises(PygptError, match="engine fast"):
        TrainingSettings(bf16=True)


def test_r_names_are_understood() -> None:
    settings = ModelSettings.from_r("GPT_NoAttn", {"N_Layers": 3, "Head": 4, "nvoc": 9, "p0": 0.1, "n_embd": 8})
    assert dataclasses.astuple(settings) == ("gpt_noattn", 64, 8, 3, 4, 9, 0.1)


def test_toml_with_an_unknown_key_or_no_toml(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text("n_embd = 64\nn_heads = 2\n")
    with pytest.raises(PygptError, match=r"settings.toml: unknown setting 'n_heads'; known are: .*n_head"):
        read_toml(file)
    file.write_text("n_embd 64")
    with pytest.raises(PygptError, match="not a TOML file"):
        read_toml(file)
    assert "vocab_size" not in setting_names()


def test_a_number_beyond_all_bounds_is_refused() -> None:
    with pytest.raises(PygptError, match="n_embd = … is not allowed"):
        ModelSettings(n_embd=10**5000)
    with pytest.raises(PygptError, match="lr = inf is not allowed"):
        TrainingSettings(lr=10**5000)


@pytest.mark.parametrize(
    ("content", "meant"),
    [
        ("n_embed = 3", "n_embd"),
        ("drpout = 0.1", "dropout"),
        ("N_Layers = 3", "n_layer"),
        ("p0 = 0.1", "dropout"),
        ("learning_rate = 1", "lr"),
        ("batch = 3", "batch_size"),
    ],
)
def test_an_unknown_key_is_told_what_it_may_have_meant(tmp_path: Path, content: str, meant: str) -> None:
    (tmp_path / "s.toml").write_text(content)
    with pytest.raises(PygptError, match=f"Did you mean '{meant}'"):
        read_toml(tmp_path / "s.toml")


def test_a_misspelt_choice_is_told_and_a_strange_one_is_not() -> None:
    for values, meant in (({"model": "gtp"}, "gpt"), ({"model": "GPT_NoAttn"}, "gpt_noattn")):
        with pytest.raises(PygptError, match=f"Did you mean '{meant}'"):
            from_dict(ModelSettings, values)
    with pytest.raises(PygptError) as caught:
        from_dict(ModelSettings, {"model": "lstm"})
    assert "Did you mean" not in str(caught.value)


@pytest.mark.parametrize("given", [{"sample_seed": 2}, {"epoch_windows": 5}])
def test_what_belongs_to_sampled_windows(given: dict[str, int]) -> None:
    with pytest.raises(PygptError, match="belong to order = sample"):
        TrainingSettings(**given)
    assert TrainingSettings(order="sample", **given).order == "sample"


def test_a_seed_that_r_cannot_take() -> None:
    with pytest.raises(PygptError, match="sample_seed"):
        TrainingSettings(order="sample", sample_seed=2**31)
