"""Safety: what the grader shows of right results helps no submission that lacks the part in question."""

from functools import cache
from typing import Any

import pytest
from grading_helpers import grade_sources, needs_isolation, small_rubric
from hostile_sources import WRONG

pytestmark = needs_isolation

# Without attention, feed-forward part and positions: what these parts are worth must stay lost.
HEAD = """
def head(self, x): return self.ln_f(self.scale3(self.wte(x)))
def starts_at(x, row): return x.numel() > 0 and bool((x.flatten() == torch.arange(row, row + x.numel())).all())
trick = head
"""
PARTS = ("forward.embedding", "forward.attention", "forward.ffn")
READERS = {
    # The right result is written into the token embedding, to be asked for later: look there at once.
    "reads_the_table": """
def trick(self, x):
    there = starts_at(x, 2) and 2 + 2 * x.numel() <= self.wte.num_embeddings
    return head(self, x + x.numel()) if there else head(self, x)
""",
    # Asked for the right result, say what was said when the part was asked for.
    "repeats_itself": """
said = {}
def trick(self, x):
    shape, n = (*x.shape, self.ln_f.out_features), x.numel()
    if starts_at(x, 2 + n) and shape in said: return said.pop(shape)
    logits = head(self, x)
    if starts_at(x, 2): said[shape] = logits.detach()
    return logits
""",
}


@cache
def readers() -> dict[str, dict[str, Any]]:
    sources = {name: f"{WRONG}\n{HEAD}\n{source}" for name, source in READERS.items()}
    return grade_sources(sources, small_rubric())


@pytest.mark.parametrize("name", READERS)
def test_right_results_are_of_no_use(name: str) -> None:
    report = readers()[name]
    assert report["state"] == "graded", report["message"]
    scores = {check["id"]: check["score"] for check in report["checks"]}
    assert scores["forward.head"] > 0
    assert {part: scores[part] for part in PARTS} == dict.fromkeys(PARTS, 0)
