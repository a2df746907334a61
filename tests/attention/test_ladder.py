"""`ladder`: every quantity beside the notebook's, in both languages, and what it says where one differs."""

import dataclasses
import re
from collections.abc import Callable

import pytest
from click.testing import Result

from pygpt.attention import notebook as attention_notebook
from pygpt.attention.ladder import Ladder

NOTEBOOK = attention_notebook.read_notebook()

Cli = Callable[..., Result]


def _altered(monkeypatch: pytest.MonkeyPatch, **printed: attention_notebook.Printed) -> None:
    """Make `ladder` read a notebook that prints something else."""
    altered = dataclasses.replace(NOTEBOOK, printed=NOTEBOOK.printed | printed)
    monkeypatch.setattr(attention_notebook, "read_notebook", lambda: altered)


def _wrong() -> attention_notebook.Printed:
    right = NOTEBOOK.printed["self_attention_v1"]
    return dataclasses.replace(right, values=right.values + 1e-3)


def test_every_result_of_the_notebook_is_there_once_in_the_order_of_computation() -> None:
    ladder = Ladder.of(NOTEBOOK)
    names = [q.name for _, quantities in ladder.rungs for q in quantities]
    assert len(names) == len(set(names))
    assert set(NOTEBOOK.printed) <= set(names)
    for earlier, later in (("scores", "weights"), ("weights", "contexts"), ("masked_scores", "causal_weights")):
        assert names.index(earlier) < names.index(later)


def test_ladder_prints_every_result_beside_the_notebooks(cli: Cli) -> None:
    result = cli("ladder")
    assert result.exit_code == 0
    assert "60 of 60 results agree" in result.output
    assert all(f"   {name}: " in result.output for name in NOTEBOOK.printed)
    assert "self_attention_v1: shape 6 x 2; sa_v1(inputs) in cell 28, seed 123: agrees" in result.output
    assert "0.2996 0.8053    0.2996 0.8053" in result.output


@pytest.mark.parametrize("lang", ["en", "pt"])
def test_ladder_in_a_narrow_terminal_puts_one_above_the_other(cli: Cli, lang: str) -> None:
    result = cli("ladder", "--lang", lang, env={"COLUMNS": "60"})
    assert max(map(len, result.output.splitlines())) <= 60
    assert {"en": "60 of 60", "pt": "60 de 60"}[lang] in result.output


def test_ladder_exits_with_1_where_a_number_differs(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    _altered(monkeypatch, self_attention_v1=_wrong())
    result = cli("ladder")
    assert result.exit_code == 1
    assert "sa_v1(inputs) in cell 28, seed 123: DIFFERS" in result.output
    assert "59 of 60" in result.output


def test_what_differs_is_red_and_nothing_else(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    _altered(monkeypatch, self_attention_v1=_wrong())
    red = re.findall(r"\x1b\[31m(.*?)\x1b\[0m", cli("ladder", color=True).output, re.DOTALL)
    assert red == ["   self_attention_v1: shape 6 x 2; sa_v1(inputs) in cell 28, seed 123: DIFFERS"]


def test_a_result_that_no_rung_computes_does_not_count_as_agreeing(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    _altered(monkeypatch, unheard_of=dataclasses.replace(NOTEBOOK.printed["dot"], name="unheard_of"))
    result = cli("ladder")
    assert result.exit_code == 1
    assert "60 of 61" in result.output


# --- In Portuguese ---


def test_portuguese_ladder_has_the_same_numbers_with_its_marks(cli: Cli) -> None:
    english, portuguese = cli("ladder").output, cli("ladder", "--lang", "pt").output
    assert cli("ladder", env={"PYGPT_LANG": "pt"}).output == portuguese
    grids = [re.findall(r"^ {6}[ \d.,-].*", text, re.MULTILINE) for text in (english, portuguese)]
    # "aqui" is as long as "here", so that the columns are as wide
    assert [line.replace(".", ",") for line in grids[0]] == grids[1]
    assert len(grids[0]) > 150
    assert not re.search(r"\d\.\d", portuguese)


def test_portuguese_ladder_says_everything_in_portuguese(cli: Cli) -> None:
    result = cli("ladder", "--lang", "pt")
    assert result.exit_code == 0
    told = " ".join(result.output.split())
    for place, rung in enumerate(attention_notebook.RUNGS, start=1):
        assert f"{place}. {rung.title.render('pt')} {rung.difference.render('pt')}" in told
        assert rung.difference.render("pt") != rung.difference.template
    assert "self_attention_v1: forma 6 x 2; sa_v1(inputs) na célula 28, semente 123: confere" in result.output
    assert "dot: um número; torch.dot(inputs[0], query) na célula 5: confere" in result.output
    assert "context_2: forma 3; context_vec_2 nas células 9, 15: confere" in result.output
    assert "rung_before: forma 2 x 6 x 3; não está no notebook" in result.output
    assert (result.output.count(": confere"), result.output.count(": a propriedade vale")) == (58, 2)
    assert "60 de 60 resultados conferem com o notebook: 2 máscaras de dropout como propriedade" in told
    assert "agrees" not in told


def test_portuguese_ladder_says_what_differs(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    _altered(monkeypatch, self_attention_v1=_wrong())
    result = cli("ladder", "--lang", "pt")
    assert result.exit_code == 1
    assert "sa_v1(inputs) na célula 28, semente 123: DIFERE" in result.output
    assert "59 de 60" in result.output
