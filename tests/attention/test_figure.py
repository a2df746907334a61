"""The pictures of `attention`: what they draw, and that the same numbers give the same bytes."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

from pygpt.attention import figure as attention_figure
from pygpt.attention.view import AttentionView

Cli = Callable[..., Result]
RunOf = Callable[[str], Path]
TEXT = "TEODORA: a\nb"


@pytest.mark.parametrize(("name", "start"), [("a.png", b"\x89PNG"), ("a.svg", b"<?xml")])
@pytest.mark.parametrize("position", [(), ("--position", 3)])
def test_pictures(
    cli: Cli, run_of: RunOf, tmp_path: Path, name: str, start: bytes, position: tuple[object, ...]
) -> None:  # fmt: skip
    arguments = ("attention", "--run", run_of("gpt"), "--text", TEXT, *position, "--out", tmp_path / name)
    result = cli(*arguments)
    assert result.stdout == f"wrote {tmp_path / name}\n"
    content = (tmp_path / name).read_bytes()
    assert content.startswith(start)
    cli(*arguments)
    assert (tmp_path / name).read_bytes() == content


def _view(text: str) -> AttentionView:
    k = len(text)
    weights = np.tril(np.random.default_rng(1).uniform(0.1, 1, (2, 3, k, k))).astype(np.float32)
    weights /= weights.sum(axis=-1, keepdims=True)
    return AttentionView(text, 0, weights, weights)


def test_heat_maps_have_the_characters_on_both_axes_and_hide_the_future() -> None:
    view = _view("a$\n b")
    panels = [axes for axes in attention_figure.heat_maps(view).axes if axes.get_title()]
    assert [axes.get_title() for axes in panels] == [f"layer {i}, head {j}" for i in (1, 2) for j in (1, 2, 3)]
    for axes, weights in zip(panels, view.weights.reshape(-1, 5, 5), strict=True):
        for labels in (axes.get_xticklabels(), axes.get_yticklabels()):
            assert [label.get_text() for label in labels] == ["a", "$", "↵", "␣", "b"]
        drawn = axes.images[0].get_array()
        assert isinstance(drawn, np.ma.MaskedArray)
        assert (np.ma.getmaskarray(drawn) == np.triu(np.ones((5, 5), dtype=bool), 1)).all()
        assert np.array_equal(drawn.filled(0), weights)


def test_bars_are_the_ten_largest_of_the_position() -> None:
    view = _view("abcdefghijklmnop")
    axes = attention_figure.bars(view, 14).axes[4]
    weights = view.weights[1, 1, 13]
    order = np.argsort(-weights)[:10]
    assert axes.get_title() == "layer 2, head 2"
    assert [bar.get_width() for bar in axes.patches] == pytest.approx(list(weights[order]))
    assert [t.get_text() for t in axes.get_yticklabels()] == [f"{j + 1} {view.text[j]}" for j in order]


def test_pictures_in_portuguese() -> None:
    view = _view("abc")
    *panels, colours = attention_figure.heat_maps(view, "pt").axes
    assert [axes.get_title() for axes in panels] == [f"camada {i}, cabeça {j}" for i in (1, 2) for j in (1, 2, 3)]
    assert {(axes.get_xlabel(), axes.get_ylabel()) for axes in panels} == {("chave j", "consulta i")}
    assert colours.get_ylabel() == "peso w_ij (cor pela raiz quadrada)"
    assert colours.yaxis.get_major_formatter()(0.25) == "0,25"
    axes = attention_figure.bars(view, 3, "pt").axes[4]
    assert (axes.get_title(), axes.get_xlabel()) == ("camada 2, cabeça 2", "peso w_ij")
    assert axes.xaxis.get_major_formatter()(0.25) == "0,25"
