"""Dropout: what is dropped otherwise costs its place and is named; a right port passes, in whatever order it draws."""

import pytest

from tests.grading.helpers import CORRECT, SUBMISSIONS, examined, failed, mutated, needs_isolation

pytestmark = needs_isolation

RIGHT = CORRECT.read_text()
_SUM = "self.drop0(self.wte(x) + self.wpe(torch.arange({})))"
_ATTEND = "self.MH[j](q, q, q, attn_mask=mask, need_weights=False)[0].transpose(0, 1)"
_LAST = "nn.Dropout(p0))\n"


def sums(new: str) -> list[tuple[str, str]]:
    return [(_SUM.format(k), new.format(k)) for k in ("k", "x.shape[1]")]


POSITIONS_FIRST = sums(
    "self.drop0((self.wte(x) + self.wpe(torch.arange({}))).transpose(0, 1).contiguous()).transpose(0, 1)"
)

MISTAKES: dict[str, tuple[list[tuple[str, str]], str, str]] = {
    "token alone": (sums("self.drop0(self.wte(x)) + self.wpe(torch.arange({}))"), "dropout.embedding",
        "the token's row alone is dropped, not its sum with the position"),
    "not at all": (sums("(self.wte(x) + self.wpe(torch.arange({})))"), "dropout.embedding",
        "nothing is dropped of the embedding"),
    "output of attention": ([(", dropout=p0)", ")"), (_ATTEND, f"self.drop0({_ATTEND})")], "dropout.attention",
        "the attention's output is dropped, not its weights"),
    "kept is dropped": ([(_LAST, "nn.Dropout(1 - p0))\n")], "dropout.ffn",
        "feed-forward part: dropped at the rate 1 - p, not p"),
    "one rate for all": ([(_LAST, "nn.Dropout(0.2))\n")], "dropout.ffn",
        "feed-forward part: dropped at the rate 0.2, whatever p is"),
    "the sum": ([(_LAST, "nn.Identity())\n"), ("h = h + self.FFN[j](self.scale2[j](h))",
        "h = self.drop0(h + self.FFN[j](self.scale2[j](h)))")], "dropout.ffn",
        "the sum after the feed-forward part is dropped, not what is added"),
    "another order, a rate of its own": ([*POSITIONS_FIRST, (_LAST, "nn.Dropout(2 * p0))\n")], "dropout.ffn",
        "feed-forward part: dropped at the rate 2 p, not p"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_costs_its_place_and_is_named(name: str) -> None:
    changes, check, words = MISTAKES[name]
    assert failed(examined(mutated(RIGHT, *changes), "dropout")) == {check: {words}}


@pytest.mark.parametrize("seed", range(5))
def test_a_port_that_draws_its_masks_in_another_order_is_right(seed: int) -> None:
    other = mutated(RIGHT, *POSITIONS_FIRST)
    assert failed(examined(other, "dropout", seed=seed)) == {}
    by_head = (SUBMISSIONS / "hand_attention.py").read_text()
    assert failed(examined(by_head, "dropout", seed=seed)) == {}


def test_scores_that_are_dropped_give_no_numbers_and_are_named_all_the_same() -> None:
    source = mutated((SUBMISSIONS / "hand_attention.py").read_text(), ("self.drop(scores.softmax(dim=-1))",
        "self.drop(scores).softmax(dim=-1)"))  # fmt: skip
    items = examined(source, "dropout", "training", "generation")
    assert failed(items) == {"dropout.attention": {"scores are dropped before the softmax, not weights after it"}}


def test_a_forward_pass_that_nothing_explains_leaves_dropout_its_points() -> None:
    odd = ("h = h + self.FFN[j](self.scale2[j](h))", "h = h + self.FFN[j](self.scale2[j](h)) * (1 if j else 1.01)")
    assert failed(examined(mutated(RIGHT, odd), "dropout")) == {}
    without = mutated(RIGHT, odd, *sums("(self.wte(x) + self.wpe(torch.arange({})))"))
    assert set(failed(examined(without, "dropout"))) == {"dropout.embedding"}


def test_dropout_in_eval_mode_costs_itself_alone() -> None:
    live = sums("functional.dropout(self.wte(x) + self.wpe(torch.arange({})), self.drop0.p)")
    told = failed(examined(mutated(RIGHT, *live), "dropout", "generation"))
    assert told == {"dropout.eval": {"different logits at each call"}}
