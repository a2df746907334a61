"""Parameters: excess and tied weights cost their points, at any size; what is missing is paid where it is used."""

import pytest

from pygpt.grading.check import Outcome
from tests.grading.helpers import CORRECT, examined, mutated, needs_isolation

pytestmark = needs_isolation

RIGHT = CORRECT.read_text()
_FIRST, _SECOND = "nn.Linear(n_embd, 4 * n_embd)", "nn.Linear(4 * n_embd, n_embd)"

CASES: dict[str, tuple[list[tuple[str, str]], Outcome, str]] = {
    "right": ([(_FIRST, _FIRST)], Outcome.RIGHT, "matched by R's names"),
    "no bias": ([(_SECOND, _SECOND.replace(")", ", bias=False)"))], Outcome.PAID, "FFN.0.2.bias"),
    "too many": ([("n_embd, nvoc, bias=False)", "n_embd, nvoc)")], Outcome.WRONG, "not in R: ln_f.bias"),
    "tied": ([("        self.drop0 =", "        self.ln_f.weight = self.wte.weight\n        self.drop0 =")],
        Outcome.WRONG, "shares the token embedding's weights"),
    "too many at some sizes": ([("n_embd, nvoc, bias=False)", "n_embd, nvoc, bias=nvoc == 23)")], Outcome.WRONG,
        "not in R: ln_f.bias"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_what_parameters_cost(name: str) -> None:
    changes, outcome, words = CASES[name]
    items = examined(mutated(RIGHT, *changes), "builds.parameters", "training.step")["builds.parameters"]
    assert [item.outcome for item in items] == [outcome, outcome]
    assert all(words in item.actual.render("en") for item in items)
