"""Safety: what the grader shows of right results helps no submission that lacks the part in question."""

from functools import cache

import pytest

from pygpt.grading.report import GradeReport
from tests.grading.helpers import grade_sources, lost, needs_isolation, small_rubric
from tests.grading.hostile.sources import WRONG

pytestmark = needs_isolation

# Without attention, feed-forward part and positions, and with a right or a wrong output layer.
HEADS = {
    "right": """
def head(self, x): return self.ln_f(self.scale3(self.wte(x)))
def starts_at(x, row): return x.numel() > 0 and bool((x.flatten() == torch.arange(row, row + x.numel())).all())
trick = head
""",
}
HEADS["doubled"] = HEADS["right"].replace("return self.ln_f", "return 2 * self.ln_f")
READERS = {
    "head alone": "",
    # The right result is written into the token embedding, to be asked for later: look there at once.
    "reads_the_table": """
def trick(self, x):
    there = starts_at(x, 2) and 2 + 2 * x.numel() <= self.wte.num_embeddings
    return head(self, x + x.numel()) if there else head(self, x)
""",
    # Asked for the right result or what is beside it, say what was said when the part was asked for.
    "repeats_itself": """
said = {}
def trick(self, x):
    shape, n = (*x.shape, self.ln_f.out_features), x.numel()
    if any(starts_at(x, 2 + i * n) for i in range(1, 6)) and shape in said: return said.pop(shape)
    logits = head(self, x)
    if starts_at(x, 2): said[shape] = logits.detach()
    return logits
""",
}


@cache
def readers() -> dict[str, GradeReport]:
    sources = {f"{head} {name}": f"{WRONG}\n{HEADS[head]}\n{READERS[name]}" for head in HEADS for name in READERS}
    return grade_sources(sources, small_rubric())


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("name", [name for name in READERS if name != "head alone"])
def test_right_results_are_of_no_use(name: str, head: str) -> None:
    report, plain = readers()[f"{head} {name}"], readers()[f"{head} head alone"]
    assert report.state == "graded", report.message
    assert lost(report) == lost(plain)
    assert {"forward.embedding", "forward.attention", "forward.ffn", "forward.whole"} <= set(lost(plain))
    assert ("forward.head" in lost(plain)) is (head == "doubled")
