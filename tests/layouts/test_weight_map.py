"""Carrying R's weights over: by name, by `weight_map`, by shape and building order."""

import contextlib
from collections.abc import Callable, Mapping
from itertools import permutations
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pygpt.grading.claims import parameters_of
from pygpt.grading.r_model import r_shapes
from pygpt.isolation.session import AnswerError
from pygpt.layouts.pieces import Axes, Shape, axes_of, placed, read
from pygpt.layouts.weight_map import Carried, UnclearError, carry
from pygpt.settings import ModelSettings

Formula = Callable[[torch.Tensor], torch.Tensor]
SETTINGS = ModelSettings("gpt", block_size=5, n_embd=4, n_layer=2, n_head=2, vocab_size=9, dropout=0.0)


def renamed(names: dict[str, str]) -> dict[str, tuple[int, ...]]:
    """R's parameters under other names, in R's order."""
    return {names.get(name.split(".")[0], name.split(".")[0]) + name[len(name.split(".")[0]) :]: shape
            for name, shape in r_shapes(SETTINGS).items()}  # fmt: skip


def carried_of(own: Mapping[str, Shape], settings: ModelSettings = SETTINGS, **said: Any) -> list[Carried]:
    r = {name: axes_of(name, shape, settings) for name, shape in r_shapes(settings).items()}
    return carry(r, own, said.get("aliases", {}), said.get("weight_map", {}), settings)


def test_weights_go_by_name() -> None:
    shapes = r_shapes(SETTINGS)
    carried = carried_of(dict(reversed(shapes.items())))[0]
    assert not carried.missing
    assert {name: pieces[0].name for name, pieces in carried.pieces.items()} == {name: name for name in shapes}
    assert carried.line() == ""


def test_weights_go_by_building_order() -> None:
    own = renamed({"wpe": "place", "wte": "token", "MH": "a", "scale1": "n", "scale2": "m", "scale3": "l",
                   "FFN": "f", "ln_f": "o"})  # fmt: skip
    carried = carried_of(own)[0]
    assert carried.pieces["wte.weight"][0].name == "token.weight"
    assert carried.pieces["scale2.1.bias"][0].name == "m.1.bias"
    assert "building order" in carried.how.template


def three(*letters: str) -> dict[str, Shape]:
    """Query, key and value in three layers, whose names come in this order."""
    own: dict[str, Shape] = {}
    for name, shape in r_shapes(SETTINGS).items():
        if name.endswith("in_proj_weight"):
            for letter in letters:
                own[f"{name}.{letter}.weight"], own[f"{name}.{letter}.bias"] = (4, 4), (4,)
        elif not name.endswith("in_proj_bias"):
            own[f"my.{name}"] = shape
    return own


def test_query_key_and_value_are_tried_in_every_order_where_names_do_not_tell() -> None:
    firsts = [c.pieces["MH.0.in_proj_weight"] for c in carried_of(three("a", "b", "c"))]
    orders = {tuple(p.name.split(".")[3] for p in sorted(pieces, key=lambda p: p.at)) for pieces in firsts}
    assert orders == set(permutations("abc"))


NAMES_OF_THREE = [
    ("key", "query", "value"), ("keys", "queries", "values"), ("chave", "consulta", "valor"), ("W_K", "W_Q", "W_V"),
    ("U_K", "U_Q", "U_V"), ("w_ks", "w_qs", "w_vs"), ("fc_k", "fc_q", "fc_v"), ("k_linear", "q_linear", "v_linear"),
    ("to_k", "to_q", "to_v"), ("k_proj", "q_proj", "v_proj"), ("Wk", "Wq", "Wv"), ("lin_k", "lin_q", "lin_v"),
    ("keyLayer", "queryLayer", "valueLayer"), ("K", "Q", "V"), ("proj_k", "proj_q", "proj_v"), ("kw", "qw", "vw"),
    ("camada_chave", "camada_consulta", "camada_valor"), ("kproj", "qproj", "vproj"), ("linK", "linQ", "linV"),
    ("k", "q", "v"), ("wk", "wq", "wv"), ("attn_k", "attn_q", "attn_v"), ("key_proj", "query_proj", "value_proj"),
]  # fmt: skip


@pytest.mark.parametrize("names", NAMES_OF_THREE, ids=lambda names: names[0])
def test_query_key_and_value_are_told_by_their_names_first(names: tuple[str, str, str]) -> None:
    pieces = carried_of(three(*names))[0].pieces["MH.0.in_proj_weight"]
    assert {piece.name.split(".")[3]: piece.at for piece in pieces} == {
        names[1]: (("s", 0, 1),), names[0]: (("s", 1, 1),), names[2]: (("s", 2, 1),)
    }  # fmt: skip


def test_what_fits_twice_is_told_apart_later() -> None:
    settings = ModelSettings("gpt_noattn", block_size=9, n_embd=4, n_layer=1, n_head=2, vocab_size=9, dropout=0.0)
    own = {f"x.{name}": shape for name, shape in r_shapes(settings).items()}
    firsts = {c.pieces["wpe.weight"][0].name for c in carried_of(own, settings)}
    assert firsts == {"x.wpe.weight", "x.wte.weight"}


def test_what_fits_nowhere_is_named() -> None:
    with pytest.raises(UnclearError, match="cannot be carried over") as unclear:
        carried_of({"x": (7, 7), "y": (2,)})
    assert "x (7, 7), y (2,)" in unclear.value.message.render("en")


@pytest.mark.parametrize(
    ("weight_map", "words"),
    [
        ({"wte.weight": ["nowhere"]}, "no parameter nowhere"),
        ({"wte.weight": ["wpe.weight"]}, "wte.weight has shape (9, 4), yours wpe.weight (5, 4)"),
        ({"wte.weight": ["wte.weight[0:3]"]}, "wte.weight has shape (9, 4), yours wte.weight[0:3] (3, 4)"),
        ({"MH.0.in_proj_weight": ["MH.0.in_proj_weight[d s h k]"]}, "yours MH.0.in_proj_weight[d s h k] (12, 4)"),
        ({"wte.weight": []}, "no parameter"),
    ],
)
def test_a_wrong_weight_map_is_named(weight_map: dict[str, list[str]], words: str) -> None:
    with pytest.raises(UnclearError) as unclear:
        carried_of(r_shapes(SETTINGS), weight_map=weight_map)
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
        for carried in carried_of(own, aliases=aliases, weight_map=weight_map):
            assert set(carried.pieces) | set(carried.missing) == set(r_shapes(SETTINGS))
            assert {piece.name for pieces in carried.pieces.values() for piece in pieces} <= set(own)


def test_a_single_number_is_no_weight() -> None:
    own = r_shapes(SETTINGS) | {"x": ()}
    with pytest.raises(UnclearError) as unclear:
        carried_of(own, weight_map={"wte.weight": ["x"]})
    assert "wte.weight has shape (9, 4), yours x ()" in unclear.value.message.render("en")


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
    carried = carried_of(own, aliases={"ln_f.weight": "mine", "also.0.weight": "FFN.0.0.weight"})[0]
    assert (carried.missing, carried.extra, carried.tied) == ((), (), {})
    assert [piece.name for piece in carried.pieces["ln_f.weight"]] == ["mine"]


@pytest.mark.parametrize("said", ["alias", "map"])
def test_tied_is_tied_however_it_is_said(said: str) -> None:
    shapes = r_shapes(SETTINGS)
    own = {name: shape for name, shape in shapes.items() if name != "ln_f.weight"}
    aliases = {"ln_f.weight": "wte.weight"} if said == "alias" else {}
    weight_map = {"ln_f.weight": ["wte.weight"]} if said == "map" else {}
    carried = carried_of(own, aliases=aliases, weight_map=weight_map)[0]
    assert (carried.missing, carried.tied) == (("ln_f.weight",), {"ln_f.weight": "wte.weight"})


WEIGHT = axes_of("MH.0.in_proj_weight", (18, 6), ModelSettings("gpt", 5, 6, 2, 3, 9))
OUT = axes_of("MH.0.out_proj.weight", (6, 6), ModelSettings("gpt", 5, 6, 2, 3, 9))
PLAIN = axes_of("wte.weight", (5, 4), ModelSettings("gpt", 5, 4, 2, 2, 5))


@pytest.mark.parametrize(
    ("axes", "own", "spelt", "formula"),
    [
        (PLAIN, (1, 5, 4), ["x"], lambda w: w.reshape(1, 5, 4)),
        (PLAIN, (5, 1, 4), ["x"], lambda w: w.reshape(5, 1, 4)),
        (PLAIN, (4, 5), ["x.T"], lambda w: w.T),
        (PLAIN, (4, 5), ["x[d o]"], lambda w: w.T),
        (WEIGHT, (6, 18), ["x.T"], lambda w: w.T),
        (WEIGHT, (18, 6), ["x[h s k d]"], lambda w: w.reshape(3, 3, 2, 6).transpose(0, 1).reshape(18, 6)),
        (WEIGHT, (18, 6), ["x[s k h d]"], lambda w: w.reshape(3, 3, 2, 6).transpose(1, 2).reshape(18, 6)),
        (WEIGHT, (3, 3, 6, 2), ["x[s h d k]"], lambda w: w.reshape(3, 3, 2, 6).mT),
        (OUT, (3, 2, 6), ["x[h k o]"], lambda w: w.T.reshape(3, 2, 6)),
        (OUT, (6, 6), ["x[o k h]"], lambda w: w.reshape(6, 3, 2).mT.reshape(6, 6)),
    ],
)
def test_any_order_of_axes_is_read_and_undone(axes: Axes, own: Shape, spelt: list[str], formula: Formula) -> None:
    weight = torch.arange(float(torch.Size(axes.shape).numel())).reshape(axes.shape)
    pieces = placed([read(name) for name in spelt], {"x": own}, axes)
    carried = Carried({"x": own}, {"r": axes}, {"r": pieces})
    assert torch.equal(carried.to_own({"r": weight})["x"], formula(weight))
    assert torch.equal(carried.to_r({"x": formula(weight)})["r"], weight)


def test_pieces_of_rows_of_one_parameter_are_put_together() -> None:
    weight = torch.arange(20.0).reshape(5, 4)
    said = {"wte.weight": [read("x[2:7]")], "wpe.weight": [read("x[0]"), read("x[1]")]}
    axes = {"wte.weight": PLAIN, "wpe.weight": axes_of("wpe.weight", (2, 4), SETTINGS)}
    carried = Carried({"x": (7, 4)}, axes, {n: placed(p, {"x": (7, 4)}, axes[n]) for n, p in said.items()})
    own = carried.to_own({"wte.weight": weight, "wpe.weight": -weight[:2]})
    assert torch.equal(own["x"], torch.cat([-weight[:2], weight]))
    assert torch.equal(carried.to_r(own)["wpe.weight"], -weight[:2])
