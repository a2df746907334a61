"""Carrying R's weights over: by name, by `weight_map`, by shape and building order."""

import contextlib

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pygpt.grading.guesses import Piece, seen_as
from pygpt.grading.port import parameters_of, r_shapes
from pygpt.grading.weight_map import Carried, UnclearError, carry
from pygpt.isolation.session import AnswerError
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


@pytest.mark.parametrize("shape", [[-1], [-2, -2], [2**70], [0, 2**70], [2**33, 2**31], [1 << 22, 2], [0], [3, 0]])
def test_a_claim_that_nothing_could_be_made_of_is_refused(shape: list[int]) -> None:
    with pytest.raises(AnswerError):
        parameters_of(claim([[2, 3], shape]))
    assert parameters_of(claim([[2, 3], []])) == ({"p0": (2, 3), "p1": ()}, {})


@pytest.mark.parametrize(
    "names",
    [
        claim([[1]] * 20_000),
        claim([[1 << 19]] * 3),
        "x" * 201 + "\t" + "x" * 201 + "\t2",
        claim([[2]]) + "".join(f"\na{i}\tp0" for i in range(20_000)),
        claim([[2]]) + "\na\tnowhere",
        claim([[2]]) + "\np1\tp1\t" + "9" * 5_000,
    ],
)
def test_a_claim_of_too_much_is_refused(names: str) -> None:
    with pytest.raises(AnswerError):
        parameters_of(names, r_shapes(SETTINGS))


def test_an_alias_is_the_parameter_itself() -> None:
    shapes = r_shapes(SETTINGS)
    own = {"mine" if name == "ln_f.weight" else name: shape for name, shape in shapes.items()}
    carried = carry(shapes, own, {"ln_f.weight": "mine", "also.0.weight": "FFN.0.0.weight"}, {}, SETTINGS)
    assert (carried.missing, carried.extra, carried.tied) == ((), (), {})
    assert carried.pieces["ln_f.weight"] == (Piece("mine"),)


@pytest.mark.parametrize("said", ["alias", "map"])
def test_tied_is_tied_however_it_is_said(said: str) -> None:
    shapes = r_shapes(SETTINGS)
    own = {name: shape for name, shape in shapes.items() if name != "ln_f.weight"}
    aliases = {"ln_f.weight": "wte.weight"} if said == "alias" else {}
    weight_map = {"ln_f.weight": ["wte.weight"]} if said == "map" else {}
    carried = carry(shapes, own, aliases, weight_map, SETTINGS)
    assert (carried.missing, carried.tied) == (("ln_f.weight",), {"ln_f.weight": "wte.weight"})


@pytest.mark.parametrize(
    ("own", "piece", "ndim", "seen"),
    [
        ((1, 5, 4), Piece("x"), 2, (5, 4)),
        ((5, 1, 4), Piece("x"), 2, (5, 4)),
        ((2, 3, 4), Piece("x"), 2, (6, 4)),
        ((2, 4, 3), Piece("x", True), 2, (6, 4)),
        ((2, 3), Piece("x"), 1, (6,)),
        ((1, 1), Piece("x"), 1, (1,)),
        ((4, 5), Piece("x", True), 2, (5, 4)),
        ((), Piece("x"), 1, ()),
    ],
)
def test_shapes_are_seen_as_r_s(own: tuple[int, ...], piece: Piece, ndim: int, seen: tuple[int, ...]) -> None:
    assert seen_as(own, piece, ndim) == seen
    if seen and ndim == 2:
        # There and back again is the same, and R's rows are the submission's, head by head.
        weights = {"wte.weight": torch.arange(float(torch.Size(seen).numel())).reshape(seen)}
        carried = Carried({"x": own}, {"wte.weight": (piece,)}, ndims={"wte.weight": 2})
        there = carried.to_own(weights)["x"]
        assert there.shape == own
        assert torch.equal(carried.to_r({"x": there})["wte.weight"], weights["wte.weight"])
        if len(own) == 3 and own[0] == 2:
            rows = there[1].T if piece.transposed else there[1]
            assert torch.equal(rows, weights["wte.weight"][3:])
