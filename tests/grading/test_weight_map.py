"""Carrying R's weights over: by name, by `weight_map`, by shape and building order."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pygpt.grading.isolation.session import AnswerError
from pygpt.grading.port import parameters_of, r_shapes
from pygpt.grading.weight_map import Carried, UnclearError, carry
from pygpt.settings import ModelSettings

SETTINGS = ModelSettings("gpt", block_size=5, n_embd=4, n_layer=2, n_head=2, vocab_size=9, dropout=0.0)


def renamed(names: dict[str, str]) -> dict[str, tuple[int, ...]]:
    """R's parameters under other names, in R's order."""
    return {names.get(name.split(".")[0], name.split(".")[0]) + name[len(name.split(".")[0]) :]: shape
            for name, shape in r_shapes(SETTINGS).items()}  # fmt: skip


def test_weights_go_by_name() -> None:
    shapes = r_shapes(SETTINGS)
    carried = carry(shapes, dict(reversed(shapes.items())), {}, {}, SETTINGS)
    assert not carried.missing
    assert {name: pieces[0].name for name, pieces in carried.pieces.items()} == {name: name for name in shapes}


def test_weights_go_by_building_order() -> None:
    own = renamed({"wpe": "place", "wte": "token", "MH": "a", "scale1": "n", "scale2": "m", "scale3": "l",
                   "FFN": "f", "ln_f": "o"})  # fmt: skip
    carried = carry(r_shapes(SETTINGS), own, {}, {}, SETTINGS)
    assert carried.pieces["wte.weight"][0].name == "token.weight"
    assert carried.pieces["scale2.1.bias"][0].name == "m.1.bias"
    assert "building order" in carried.how.template


def test_query_and_key_need_names() -> None:
    shapes = r_shapes(SETTINGS)
    own: dict[str, tuple[int, ...]] = {}
    for name, shape in shapes.items():
        if name.endswith("in_proj_weight"):
            for letter in "abc":
                own[f"{name}.{letter}.weight"], own[f"{name}.{letter}.bias"] = (4, 4), (4,)
        elif not name.endswith("in_proj_bias"):
            own[f"my.{name}"] = shape
    with pytest.raises(UnclearError) as unclear:
        carry(shapes, own, {}, {}, SETTINGS)
    assert "query, key and value" in unclear.value.message.render("en")
    assert "weight_map = {" in unclear.value.message.render("en")


def test_what_fits_twice_is_ambiguous_and_says_what_to_add() -> None:
    settings = ModelSettings("gpt_noattn", block_size=9, n_embd=4, n_layer=1, n_head=2, vocab_size=9, dropout=0.0)
    own = {f"x.{name}": shape for name, shape in r_shapes(settings).items()}
    with pytest.raises(UnclearError) as unclear:
        carry(r_shapes(settings), own, {}, {}, settings)
    assert 'weight_map = {"wpe.weight"' in unclear.value.message.render("en")


@pytest.mark.parametrize(
    ("weight_map", "words"),
    [
        ({"wte.weight": ["nowhere"]}, "no parameter nowhere"),
        ({"wte.weight": ["wpe.weight"]}, "wte.weight has shape (9, 4), yours (5, 4)"),
        ({"wte.weight": []}, "no parameter"),
    ],
)
def test_a_wrong_weight_map_is_named(weight_map: dict[str, list[str]], words: str) -> None:
    with pytest.raises(UnclearError) as unclear:
        carry(r_shapes(SETTINGS), r_shapes(SETTINGS), {}, weight_map, SETTINGS)
    assert words in unclear.value.message.render("en")


NAMES = st.sampled_from([*r_shapes(SETTINGS), "x", "wte.weight.T", "blocks.{j}.q", "MH.{j}.in_proj_weight", "", "ü"])
SHAPES = st.lists(st.integers(0, 20), max_size=3).map(tuple)


@given(
    own=st.dictionaries(NAMES, SHAPES | st.sampled_from([*r_shapes(SETTINGS).values()]), max_size=12),
    aliases=st.dictionaries(NAMES, NAMES, max_size=3),
    weight_map=st.dictionaries(NAMES, st.lists(NAMES, max_size=3), max_size=4),
    as_r=st.booleans(),
)
def test_any_claim_about_weights_is_carried_or_unclear(
    own: dict[str, tuple[int, ...]], aliases: dict[str, str], weight_map: dict[str, list[str]], as_r: bool
) -> None:
    own = r_shapes(SETTINGS) | own if as_r else own
    with contextlib.suppress(UnclearError):
        carried = carry(r_shapes(SETTINGS), own, aliases, weight_map, SETTINGS)
        assert isinstance(carried, Carried)
        assert set(carried.pieces) | set(carried.missing) == set(r_shapes(SETTINGS))
        assert {piece.name for pieces in carried.pieces.values() for piece in pieces} <= set(own)


def test_a_single_number_is_no_weight() -> None:
    own = r_shapes(SETTINGS) | {"x": ()}
    with pytest.raises(UnclearError) as unclear:
        carry(r_shapes(SETTINGS), own, {}, {"wte.weight": ["x"]}, SETTINGS)
    assert "wte.weight has shape (9, 4), yours ()" in unclear.value.message.render("en")


def claim(shapes: list[list[int]]) -> str:
    return "\n".join(f"p{i}\tp{i}\t{','.join(map(str, shape))}" for i, shape in enumerate(shapes))


@given(st.text() | st.lists(st.lists(st.integers(), max_size=4), max_size=4).map(claim))
def test_any_list_of_parameters_is_read_or_refused(names: str) -> None:
    with contextlib.suppress(AnswerError):
        named, aliases = parameters_of(names)
        assert all(n >= 0 for shape in named.values() for n in shape)
        assert not set(named) & set(aliases)


@pytest.mark.parametrize("shape", [[-1], [-2, -2], [2**70], [0, 2**70], [2**33, 2**31], [1 << 22, 2]])
def test_a_claim_that_nothing_could_be_made_of_is_refused(shape: list[int]) -> None:
    with pytest.raises(AnswerError):
        parameters_of(claim([[2, 3], shape]))
    assert parameters_of(claim([[2, 3], []])) == ({"p0": (2, 3), "p1": ()}, {})
