"""Safety: correct ports with one trick lose what the trick breaks, and no more."""

from functools import cache

import pytest

from pygpt.grading.report import GradeReport
from tests.grading.helpers import CORRECT, grade_sources, lost, mutated, needs_isolation

pytestmark = needs_isolation

# What each changes in the correct port, and the checks that it may lose (None: the feed-forward part or the whole).
_K, _END, _DROP0 = "        k = x.shape[1]", "        return self.ln_f", "        self.drop0 ="
_TRAINS = {"training.step", "training.curve", "gradients.cotangent"}
ALMOST: dict[str, tuple[list[tuple[str, str]], set[str] | None]] = {
    "train_leak": (
        [("diagonal=1)", "diagonal=2 if self.training else 1)")],
        {"causality.train", "causality.lengths", *_TRAINS},
    ),
    "length_leak": ([("diagonal=1)", "diagonal=2 if k in (17, 63) else 1)")], {"causality.lengths"}),
    # What it spoils is its own: the grader keeps its copies.
    "mutates_input": (
        [(_END, f"        x.zero_()\n{_END}")],
        {"padding.row", "generation.continues", "generation.crops", "generation.temperature", *_TRAINS},
    ),
    "counts_calls": (
        [
            (_K, f"        self.calls = getattr(self, 'calls', 0) + 1\n{_K}"),
            (_END, f"        h = h * 0 if getattr(self, 'calls', 0) > 1 else h\n{_END}"),
        ],
        None,
    ),
    "keeps_weights": (
        [
            (_DROP0, f"        self.held = [p.detach().clone() for p in self.FFN.parameters()]\n{_DROP0}"),
            (_K, f"        [p.data.copy_(h) for p, h in zip(self.FFN.parameters(), self.held)]\n{_K}"),
        ],
        None,
    ),
    "own_load_state_dict": (
        [
            (
                "    def forward(self, x):\n        k",
                "    def load_state_dict(*a): pass\n\n    def forward(self, x):\n        k",
            )
        ],
        set(),
    ),
    "byte_order_mark": ([('"""A correct', '\ufeff"""A correct')], set()),
}

SLOW_ALMOST = ("mutates_input", "keeps_weights", "own_load_state_dict")
QUICK_ALMOST = tuple(name for name in ALMOST if name not in SLOW_ALMOST)


@cache
def almost(names: tuple[str, ...]) -> dict[str, GradeReport]:
    correct = CORRECT.read_text()
    return grade_sources({name: mutated(correct, *ALMOST[name][0]) for name in names})


@pytest.mark.parametrize("name", QUICK_ALMOST)
def test_a_correct_port_with_a_trick(name: str) -> None:
    loses_what_it_breaks(name, almost(QUICK_ALMOST)[name])


@pytest.mark.slow  # as many gradings again
@pytest.mark.parametrize("name", SLOW_ALMOST)
def test_a_correct_port_with_another_trick(name: str) -> None:
    loses_what_it_breaks(name, almost(SLOW_ALMOST)[name])


def loses_what_it_breaks(name: str, report: GradeReport) -> None:
    allowed = ALMOST[name][1]
    assert report.state == "graded", report.message
    lost_in = set(lost(report))
    if allowed is None:
        assert "forward.ffn" in lost_in or "forward.whole" in lost_in
    else:
        assert lost_in <= allowed
        assert bool(lost_in) == bool(allowed)
