"""Generation: the ids that the seed gives; another rule is named, another way of drawing is judged by what it draws."""

import pytest

from tests.grading.helpers import CORRECT, examined, failed, mutated, needs_isolation

pytestmark = needs_isolation

RIGHT = CORRECT.read_text()
_DRAW = "torch.multinomial(torch.softmax(logits, dim=-1), 1)"
_CROP = "idx[:, -block_size:]"
_INVERSE = "(torch.softmax(logits, dim=-1).cumsum(-1) < torch.rand(1, 1)).sum(-1, keepdim=True)"
ALL = {"generation.continues", "generation.crops", "generation.temperature"}

MISTAKES: dict[str, tuple[list[tuple[str, str]], set[str], str]] = {
    "likeliest": ([(_DRAW, "logits.argmax(-1, keepdim=True)")], ALL,
        "the likeliest token is taken, not one that is drawn"),
    "times": ([("/ temperature", "* temperature")], ALL,
        "the logits are multiplied by the temperature, not divided"),
    "no temperature": ([(" / temperature", "")], ALL, "the temperature changes nothing"),
    "mode left alone": ([("    model.eval()\n", "")], ALL, "the model is in train mode: values are dropped"),
    "one too few": ([(_CROP, "idx[:, -block_size + 1:]")], {"generation.crops"},
        "the model sees one token fewer than the block holds"),
    "the first": ([(_CROP, "idx[:, :block_size]")], {"generation.crops"}, "the first tokens are seen, not the last"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_another_rule_is_named(name: str) -> None:
    changes, checks, words = MISTAKES[name]
    assert failed(examined(mutated(RIGHT, *changes), "generation")) == {check: {words} for check in checks}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    "changes",
    [
        [(_DRAW, _INVERSE)],
        [("    model.eval()\n", "    torch.manual_seed(1)\n    model.eval()\n")],
        [("self.ln_f(self.scale3(h))", "1.01 * self.ln_f(self.scale3(h))")],
    ],
    ids=["by the distribution", "a seed of its own", "other logits"],
)
def test_another_way_of_drawing_is_right_if_it_draws_the_same(changes: list[tuple[str, str]], seed: int) -> None:
    assert failed(examined(mutated(RIGHT, *changes), "generation", seed=seed)) == {}


def test_another_way_of_drawing_is_held_to_the_temperature() -> None:
    source = mutated(RIGHT, (_DRAW, _INVERSE.replace("logits", "(1.5 * logits)")))
    assert set(failed(examined(source, "generation"))) == {"generation.temperature"}


def test_a_text_without_the_model_gets_nothing() -> None:
    source = mutated(RIGHT, (_DRAW, "torch.randint(2, 9, (1, 1))"))
    assert set(failed(examined(source, "generation"))) == ALL


def test_a_prompt_longer_than_the_block_is_asked_by_one_check_alone() -> None:
    assert set(failed(examined(mutated(RIGHT, (_CROP, "idx")), "generation"))) == {"generation.crops"}
