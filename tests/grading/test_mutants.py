"""Fairness: correct ports of any form get full marks; each honest mistake loses what its stage is worth, no more."""

from functools import cache

import pytest

from pygpt.grading.report import GradeReport
from tests.grading.helpers import CORRECT, SUBMISSIONS, grade_file, grade_sources, lost, mutated, needs_isolation

pytestmark = needs_isolation

PORTS = ("correct", "other_names", "hand_attention", "in_float64", "own_algebra", "slow")
_ATTEND = "h = h + self.MH[j](q, q, q, attn_mask=mask, need_weights=False)[0].transpose(0, 1)"
_DROP = "self.drop0(self.wte(x) + self.wpe(torch.arange({})))"
_LIVE = "functional.dropout(self.wte(x) + self.wpe(torch.arange({})), self.drop0.p)"
_NO_ATTN = "\n        return self.ln_f(self.scale3(h))\n\n\nclass GPT_NoAttn"
_NORMS = "self.scale1 = {0}\n        self.scale2 = {0}".format(
    "nn.ModuleList(nn.LayerNorm(n_embd) for _ in range(N_Layers))"
)
_SCALE1_TWICE = ("scale2[j](h))" + _NO_ATTN, "scale1[j](h))" + _NO_ATTN)

# name: (base, changes, checks that may lose points, least and most points lost)
MUTANTS: dict[str, tuple[str, list[tuple[str, str]], set[str], float, float]] = {
    "mask_off_by_one": (
        "correct",
        [("diagonal=1", "diagonal=2")],
        {"causality.eval", "causality.train", "causality.lengths"},
        6,
        6,
    ),
    "no_root_d": ("hand_attention", [(" / width**0.5", "")], {"forward.attention"}, 10, 10),
    "eps_1e-3": ("correct", [("LayerNorm(n_embd)", "LayerNorm(n_embd, eps=1e-3)")], {"forward.norm_eps"}, 3, 3),
    "eps_1e-6": ("correct", [("LayerNorm(n_embd)", "LayerNorm(n_embd, eps=1e-6)")], {"forward.norm_eps"}, 3, 3),
    "gelu_tanh": ("correct", [("nn.GELU()", 'nn.GELU(approximate="tanh")')], {"forward.ffn"}, 8, 8),
    "ids_from_0": (
        "correct",
        [("i + 1 for", "i for"), ("i - 1]", "i]")],
        {"vocabulary.encode", "vocabulary.decode"},
        2,
        2,
    ),
    "live_padding_row": ("correct", [("self.wte(x) +", "self.wte.weight[x] +")], {"padding.row"}, 4, 4),
    "no_padding_idx": ("correct", [(", padding_idx=0", "")], {"padding.row", "builds.padding_zero"}, 6, 6),
    "dropout_in_eval": (
        "correct",
        [(_DROP.format("k"), _LIVE.format("k")), (_DROP.format("x.shape[1]"), _LIVE.format("x.shape[1]"))],
        {"dropout.eval"},
        2,
        2,
    ),
    "norms_exchanged": (
        "correct",
        [
            ("self.scale1[j](h)", "self.scale2[j](h)"),
            ("self.FFN[j](self.scale2[j](h))" + _NO_ATTN, "self.FFN[j](self.scale1[j](h))" + _NO_ATTN),
        ],
        {"forward.norm_places"},
        2,
        2,
    ),
    "post_norm": (
        "correct",
        [
            ("q = self.scale1[j](h).transpose(0, 1)", "q = h.transpose(0, 1)"),
            (_ATTEND, _ATTEND.replace("h + self", "self.scale1[j](h + self") + ")"),
            ("h = h + self.FFN[j](self.scale2[j](h))", "h = self.scale2[j](h + self.FFN[j](h))"),
        ],
        {"forward.norm_places"},
        4,
        4,
    ),
    "no_final_norm": (
        "correct",
        [("self.ln_f(self.scale3(h))", "self.ln_f(h)")],
        {"forward.head"},
        6,
        6,
    ),
    "no_final_norm_built": (
        "correct",
        [
            ("self.ln_f(self.scale3(h))", "self.ln_f(h)"),
            ("        self.scale3 = nn.LayerNorm(n_embd)\n", ""),
        ],
        {"forward.head"},
        6,
        6,
    ),
    "tied": (
        "correct",
        [("        self.drop0 =", "        self.ln_f.weight = self.wte.weight\n        self.drop0 =")],
        {"builds.parameters"},
        8,
        8,
    ),
    "blocks_exchanged": (
        "correct",
        [("for j in range(self.N):", "for j in reversed(range(self.N)):")],
        {"forward.whole"},
        5,
        5,
    ),
    "parallel_parts": (
        "correct",
        [(_ATTEND, _ATTEND.replace("h = h", "a = h")), ("h = h + self.FFN[j](self.scale2[j](h))" + _NO_ATTN,
          "h = a + self.FFN[j](self.scale2[j](h))" + _NO_ATTN)],
        {"forward.whole"},
        2.5,
        5,
    ),
    "positions_forgotten": (
        "correct",
        [(" + self.wpe(torch.arange(k))", ""), (" + self.wpe(torch.arange(x.shape[1]))", "")],
        {"forward.embedding"},
        6,
        6,
    ),
    "scale1_twice": ("correct", [_SCALE1_TWICE], {"forward.norm_places"}, 2, 2),
    "one_norm_a_block": ("correct", [_SCALE1_TWICE, (_NORMS, _NORMS.split("\n")[0])], {"forward.norm_places"}, 2, 2),
    "detached": ("correct", [("self.ln_f(self.scale3(h))", "self.ln_f(self.scale3(h.detach()))")],
        {"gradients.cotangent", "padding.row"}, 8, 12),
    "rate_doubled": ("correct", [("self.drop0 = nn.Dropout(p0)", "self.drop0 = nn.Dropout(2 * p0)")],
        {"dropout.embedding"}, 2, 2),
    "sgd": ("correct", [("torch.optim.AdamW", "torch.optim.SGD")], {"training.step", "training.curve"}, 6, 6),
    "no_decay": ("correct", [("lr=lr)", "lr=lr, weight_decay=0)")], {"training.step", "training.curve"}, 6, 6),
    "no_clipping": ("correct", [("    nn.utils.clip_grad_norm_(model.parameters(), 1.0)\n", "")],
        {"training.curve"}, 3, 3),
    "loss_summed": ("correct", [("y.reshape(-1))", 'y.reshape(-1), reduction="sum")')], {"training.loss"}, 2, 2),
    "no_temperature": ("correct", [(" / temperature", "")], {"generation.temperature", "generation.continues",
        "generation.crops"}, 3, 3),
    "no_crop": ("correct", [("idx[:, -block_size:]", "idx")], {"generation.crops", "generation.temperature"}, 1, 2),
}  # fmt: skip
# The others, as many again, are for `make test-slow`.
NAMED_IN_THE_COURSE = [
    "mask_off_by_one", "no_root_d", "eps_1e-3", "gelu_tanh", "ids_from_0", "live_padding_row", "dropout_in_eval",
    "norms_exchanged", "post_norm", "no_final_norm", "no_final_norm_built", "tied",
]  # fmt: skip


@cache
def graded(name: str) -> GradeReport:
    """Of a mistake."""
    base, changes, *_ = MUTANTS[name]
    return grade_sources({name: mutated((SUBMISSIONS / f"{base}.py").read_text(), *changes)})[name]


@pytest.mark.parametrize("name", PORTS)
def test_a_correct_port_gets_full_marks(name: str) -> None:
    report = grade_file(name)
    assert report.state == "graded", report.message
    assert lost(report) == {}
    assert report.score == report.max_score == 100
    assert report.padding_row == ("r" if name == "own_algebra" else "corrected")


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=() if n in NAMED_IN_THE_COURSE else pytest.mark.slow) for n in MUTANTS]
)
def test_a_mistake_costs_its_stage(name: str) -> None:
    report, (_, _, checks, least, most) = graded(name), MUTANTS[name]
    assert report.state == "graded", report.message
    points = lost(report)
    assert set(points) <= checks, points
    assert least <= sum(points.values()) <= most, points
    assert report.score == pytest.approx(report.max_score - sum(points.values()), abs=0.01)


def test_the_ladder_tells_the_first_divergence_from_what_follows() -> None:
    rows = graded("gelu_tanh").ladders["GPT"]
    by_name = {row.quantity: row for row in rows}
    assert by_name["act.embedding"].agrees
    assert by_name["act.block1.output"].first_divergence
    assert by_name["act.block1.output"].verdict == "first diverges here; wrong even with the right input"
    assert by_name["act.logits"].verdict == "differs; right when given the right input"


def test_a_mistake_in_one_block_leaves_the_other_its_points() -> None:
    source = mutated(
        CORRECT.read_text(),
        ("h = h + self.FFN[j](self.scale2[j](h))", "h = h + self.FFN[j](self.scale2[j](h)) * (1 if j else 1.01)"),
    )
    report = grade_sources({"first_block": source})["first_block"]
    assert set(lost(report)) == {"forward.ffn"}
    ffn = next(check for check in report.checks if check.id == "forward.ffn")
    wrong = [item.name for item in ffn.items if not item.passed]
    assert wrong == ["GPT, block 1", "GPT_NoAttn, block 1"]
    assert 0 < ffn.score < ffn.max_score
    rows = {row.quantity: row.verdict for row in report.ladders["GPT"]}
    assert rows["act.block1.output"] == "first diverges here; wrong even with the right input"
    assert rows["act.block2.output"] == "differs; right when given the right input"


def test_what_is_missing_or_crashes_counts_as_nothing() -> None:
    source = mutated(
        CORRECT.read_text(),
        ("def generate(", "def something_else("),
        ("def Encoder(File_chars, Vocabulary):\n", "def Encoder(File_chars, Vocabulary):\n    raise SystemExit(0)\n"),
    )
    report = grade_sources({"parts": source})["parts"]
    assert lost(report) == {
        "loads.parts": 0.25,
        "vocabulary.encode": 1,
        "vocabulary.round_trip": 1,
        "generation.continues": 1,
        "generation.crops": 1,
        "generation.temperature": 1,
    }
    assert report.max_score == 100


def test_a_whole_that_nothing_explains_gets_no_more_than_the_cap() -> None:
    """Each part is right by itself: of forward, gradients and training only the whole is lost, and then the cap."""
    ffn = "h = h + self.FFN[j](self.scale2[j](h))"
    twice = "h = h + self.FFN[j](self.scale2[j](h)) * (1 + (j > 0) * self.MH[0].out_proj.bias.abs().max())"
    source = mutated(CORRECT.read_text().split("class GPT_NoAttn")[0], (ffn, twice))
    source += "class GPT_NoAttn" + CORRECT.read_text().split("class GPT_NoAttn")[1]
    report = grade_sources({"twice": source})["twice"]
    stages = ("forward", "gradients", "training")
    given = sum(check.score for check in report.checks if check.stage in stages)
    assert given > 54
    assert report.score == pytest.approx(sum(check.score for check in report.checks) - (given - 54))
    assert "at most 54" in report.message
