"""The nearest reference: each usual change is found and named, and what is none is judged part by part."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import cast

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from pygpt.grading.algebra import Algebra, R, forward
from pygpt.grading.changes import CHANGES, Change, algebra_of, unused_by
from pygpt.grading.diagnosis import BASE, Diagnosis, diagnose
from pygpt.grading.exam import Exam
from pygpt.grading.port import Port, Question
from pygpt.grading.r_model import Weights, normal_weights, reference
from pygpt.grading.rubric import read_rubric
from pygpt.isolation.session import AnswerError
from pygpt.models import build_model
from pygpt.output.messages import say
from pygpt.settings import MODELS, ModelName, ModelSettings

TOLERANCE = 1e-4
Logits = Callable[[ModelSettings, Weights, Tensor], Tensor]


@dataclass
class FakePort:
    """A port that answers by a function, in float32, as a submission does; `lacking` are parameters that it has not."""

    answer: Logits
    lacking: tuple[str, ...] = ()

    def built(self, _settings: ModelSettings) -> SimpleNamespace:
        return SimpleNamespace(carried=SimpleNamespace(missing=self.lacking, tied={}))

    def answers(self, settings: ModelSettings, questions: Sequence[Question]) -> list[Tensor | AnswerError]:
        return [self._answer(settings, question) for question in questions]

    def _answer(self, settings: ModelSettings, question: Question) -> Tensor | AnswerError:
        try:
            return self.answer(settings, question.weights, question.rows).float().double()
        except IndexError:
            return AnswerError(say("an answer"))


def told(answer: Logits, model: ModelName = "gpt", seed: int = 5, lacking: tuple[str, ...] = ()) -> Diagnosis:
    port = cast("Port", FakePort(answer, lacking))
    exam = Exam(port, read_rubric(), seed)
    return diagnose(port, model, exam.settings, exam.rubric.own[model], exam.random("diagnosis"), TOLERANCE)


def by(algebra: Algebra) -> Logits:
    return lambda settings, weights, rows: forward(algebra, settings, weights, rows)


@pytest.mark.parametrize("model", MODELS)
def test_the_algebra_is_that_of_the_model(model: ModelName) -> None:
    shape = ModelSettings(model, block_size=9, n_embd=18, n_layer=3, n_head=3, vocab_size=31, dropout=0.3)
    rng = torch.Generator().manual_seed(1)
    weights, rows = normal_weights(shape, rng), torch.randint(0, 31, (3, 8), generator=rng)
    with torch.no_grad():
        assert (forward(R, shape, weights, rows) - reference(shape, weights)(rows)).abs().max() < 1e-12
        trained = build_model(shape)
        trained.load_state_dict(weights)
        torch.manual_seed(3)
        expected = trained.train()(rows)
    torch.manual_seed(3)
    # The masks are the very ones that the model draws: else the difference would be of the size of the logits.
    assert (forward(R, shape, weights, rows, train=True) - expected).abs().max() < 1e-4 * expected.std()


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.words.render("en"))
def test_each_change_is_found_and_named(change: Change, model: ModelName) -> None:
    algebra = algebra_of((change,))
    assert algebra is not None
    diagnosis = told(by(algebra), model)
    assert diagnosis.explained
    if not change.fits(model):
        assert diagnosis.changes == () or diagnosis.changes[0].check == change.check
        return
    # Some changes are the same thing where there is but one norm or one part a block.
    assert {c.check for c in diagnosis.changes} <= {change.check}
    if model == "gpt":
        assert [c.words for c in diagnosis.changes] == [change.words]
        assert diagnosis.gap is not None or diagnosis.problem is not None


@settings(max_examples=25)
@given(st.data(), st.integers(0, 2**20))
def test_two_changes_are_found_together(data: st.DataObject, seed: int) -> None:
    # Those that leave nothing of the others to be seen are not drawn.
    usual = [
        c
        for c in CHANGES
        if c.check not in ("forward.norm_eps", "forward.whole") and "none" not in dict(c.choices).values()
    ]
    pair = tuple(
        data.draw(st.lists(st.sampled_from(usual), min_size=2, max_size=2, unique_by=lambda c: c.choices[0][0]))
    )
    algebra = algebra_of(pair)
    if algebra is None:
        return
    diagnosis = told(by(algebra), seed=seed)
    assert diagnosis.explained
    shape = ModelSettings("gpt", block_size=7, n_embd=12, n_layer=2, n_head=2, vocab_size=17, dropout=0.0)
    rng = torch.Generator().manual_seed(seed)
    weights, rows = normal_weights(shape, rng), torch.randint(0, 17, (2, 6), generator=rng)
    same = forward(diagnosis.algebra, shape, weights, rows) - forward(algebra, shape, weights, rows)
    assert same.abs().max() < 1e-6


def test_what_no_change_explains_is_judged_part_by_part() -> None:
    def strange_attention(settings: ModelSettings, weights: Weights, rows: Tensor) -> Tensor:
        spoilt = {n: w * 1.01 if n.endswith("out_proj.weight") else w for n, w in weights.items()}
        return forward(R, settings, spoilt, rows)

    diagnosis = told(strange_attention)
    assert not diagnosis.explained
    assert diagnosis.right == {BASE, (0, "FFN"), (1, "FFN")}
    assert diagnosis.wrong_parts == 1


def test_a_strange_part_beside_a_usual_change() -> None:
    def port(settings: ModelSettings, weights: Weights, rows: Tensor) -> Tensor:
        spoilt = {n: w * 1.01 if n.endswith("2.weight") else w for n, w in weights.items()}
        return forward(R.changed(embedding_scale="sqrt d"), settings, spoilt, rows)

    diagnosis = told(port)
    assert [change.check for change in diagnosis.changes] == ["forward.embedding"]
    assert diagnosis.right == {BASE, (0, "MH"), (1, "MH")}


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_logits_that_do_nothing_prove_nothing(value: float) -> None:
    diagnosis = told(lambda s, _w, rows: torch.full((*rows.shape, s.vocab_size), value, dtype=torch.float64))
    assert not diagnosis.explained
    assert diagnosis.right == frozenset()
    assert diagnosis.wrong_parts == 3


def test_noise_proves_nothing() -> None:
    diagnosis = told(lambda s, _w, rows: torch.randn(*rows.shape, s.vocab_size, dtype=torch.float64))
    assert diagnosis.right == frozenset()


def test_a_part_that_acts_only_when_it_is_asked_alone_has_not_made_the_whole() -> None:
    """It answers rightly where all other parts are silent, and else forgets its attention."""

    def port(settings: ModelSettings, weights: Weights, rows: Tensor) -> Tensor:
        silent = not weights["FFN.0.2.weight"].any()
        return forward(R if silent else R.changed(attention="none"), settings, weights, rows)

    # What it gets is what the port without attention gets: that explains it.
    assert [change.words.template for change in told(port).changes] == ["there is no attention"]


@pytest.mark.parametrize(
    ("algebra", "check"),
    [
        (R.changed(no_bias=frozenset({"out_proj.bias"})), "forward.attention"),
        (R.changed(no_bias=frozenset({"0.bias", "2.bias"})), "forward.ffn"),
        (R.changed(ffn="none"), "forward.ffn"),
        (R.changed(attention="none"), "forward.attention"),
        (R.changed(attention_norm="none"), "forward.norm_places"),
        (R.changed(plain_norms=frozenset({"scale1"})), "forward.norm_places"),
        (R.changed(tied=True), "builds.parameters"),
        (R.changed(positions="none"), "forward.embedding"),
    ],
)
def test_what_a_port_lacks_is_charged_and_nothing_else(algebra: Algebra, check: str) -> None:
    lacking = tuple(sorted(unused_by("gpt", algebra)))
    diagnosis = told(by(algebra), lacking=lacking)
    assert diagnosis.explained
    assert {change.check for change in diagnosis.changes} == {check}
    # R's own logits are none of its: what is lacking cannot have made them.
    assert not told(by(R), lacking=lacking).explained


def test_a_diagnosis_depends_on_the_seed_alone() -> None:
    def digest(seed: int) -> str:
        seen = hashlib.sha256()

        def port(settings: ModelSettings, weights: Weights, rows: Tensor) -> Tensor:
            seen.update(rows.numpy().tobytes() + weights["wte.weight"].numpy().tobytes())
            return forward(R, settings, weights, rows)

        told(port, seed=seed)
        return seen.hexdigest()

    assert digest(1) == digest(1) != digest(2)
