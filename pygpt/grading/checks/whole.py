"""forward, as a whole: the parts in the right order, and the logits of whole models."""

from collections.abc import Callable, Iterator
from itertools import pairwise

import torch
from torch import Tensor

from pygpt.grading.check import Case, Verdict, check
from pygpt.grading.checks.forward import room_for
from pygpt.grading.drawn import INPUT_SCALE, normal_weights, one_changed, plain_norms, silent, unit_rows
from pygpt.grading.exam import Exam, shapes_of, tokens
from pygpt.grading.port import BLOCK_PARTS, Weights, reference
from pygpt.grading.readout import View, compared, seen, worst
from pygpt.output.messages import say
from pygpt.settings import R_MODELS, ModelName, ModelSettings

# The checks that can tell why the whole differs; where one of them failed, it has been paid for.
_PARTS = (
    "builds.parameters", "forward.embedding", "forward.attention", "forward.ffn", "forward.norm_places",
    "forward.norm_eps", "forward.head", "causality.eval", "causality.train", "causality.lengths",
)  # fmt: skip
_BATCH = 2


def _questions(exam: Exam) -> Iterator[Case]:
    for model in exam.models:
        yield Case(say("{model}, order of the parts", model=R_MODELS[model]), model, given=(_order, model))
        yield Case(say("{model}, from end to end", model=R_MODELS[model]), model, given=(_end_to_end, model))


@check(
    "forward.whole",
    say("The whole model"),
    say("The parts follow each other as in R; with each parameter and each token changed, the logits follow, too."),
    say("Embedding, block 1 to N (attention, then feed-forward), scale3, ln_f."),
    each=_questions,
    after=_PARTS,
)
def whole(exam: Exam, question: Callable[[Exam, ModelName], Verdict], model: ModelName) -> Verdict:
    return question(exam, model)


def _order(exam: Exam, model: ModelName) -> Verdict:
    """A part that only adds a constant comes before the next one: the next must see the constant.

    The submission is held against itself, so a mistake inside of a part does not show here.
    """
    rng = exam.random("whole", "order", model)
    settings = room_for(exam, model, rng, n_layer=3)
    parts = [(j, part) for j in range(settings.n_layer) for part in BLOCK_PARTS[model]]
    right, wrong = [], []
    for first, then in pairwise(parts):
        verdict = worst([_order_view(exam, settings, first, then, rng)], exam.tolerance, last_only=True)
        if verdict.passed:
            right.append(verdict)
        elif not _failed_alone(exam, model, *first):
            return verdict
        else:
            # That part does not even add a constant rightly: paid for already.
            wrong.append(verdict)
    return (right or wrong)[0]


def _failed_alone(exam: Exam, model: ModelName, j: int, part: str) -> bool:
    items = exam.results("forward.attention" if part == "MH" else "forward.ffn")
    return any(not item.passed and (item.model, item.block) == (model, j + 1) for item in items)


def _order_view(
    exam: Exam, settings: ModelSettings, first: tuple[int, str], then: tuple[int, str], rng: torch.Generator
) -> View:
    k = settings.block_size
    drawn = plain_norms(normal_weights(settings, rng, INPUT_SCALE))
    weights = silent(drawn, range(settings.n_layer))
    last = {"MH": "out_proj", "FFN": "2"}
    for kind in ("weight", "bias"):
        name = f"{then[1]}.{then[0]}.{last[then[1]]}.{kind}"
        weights[name] = drawn[name]
    constant = 2 * torch.randn(settings.n_embd, generator=rng, dtype=torch.float64)
    h = unit_rows(_BATCH, k, settings, rng)
    change = {f"{first[1]}.{first[0]}.{last[first[1]]}.bias": constant}
    return seen(exam, settings, weights, change, (h, h + constant), rng, last_only=True)


def _end_to_end(exam: Exam, model: ModelName) -> Verdict:
    """Logits of whole models, also with each parameter changed; what a part explains is not paid twice."""
    verdict = _logits_agree(exam, model)
    if verdict.passed or exam.passed(*_PARTS, model=model):
        return verdict
    return verdict.paid() if _order(exam, model).passed else verdict


def _logits_agree(exam: Exam, model: ModelName) -> Verdict:
    rng = exam.random("whole", "logits", model)
    settings = exam.settings(model, rng)
    weights = exam.port.fitted(settings, normal_weights(settings, rng))
    inputs = [tokens(rng, (_BATCH, k), 0, settings.vocab_size) for k in shapes_of(settings)]
    # Metamorphic: a change of each token, and below of each parameter, must do what it does in R.
    inputs.append(one_changed(settings, settings.block_size, rng))
    verdict = _agrees(exam, settings, weights, inputs)
    for name in weights:
        if not verdict.passed:
            return verdict
        changed = weights | {name: weights[name] * 1.25 + 0.1 * torch.randn(weights[name].shape, generator=rng)}
        changed["wte.weight"] = changed["wte.weight"].clone()
        changed["wte.weight"][0] = 0
        verdict = _agrees(exam, settings, exam.port.fitted(settings, changed), inputs[-1:])
    if not verdict.passed:
        return verdict
    course = ModelSettings(model, dropout=0.0)
    drawn = exam.port.fitted(course, normal_weights(course, rng))
    return _agrees(exam, course, drawn, [tokens(rng, (_BATCH, course.block_size), 0, course.vocab_size)])


def _agrees(exam: Exam, settings: ModelSettings, weights: Weights, inputs: list[Tensor]) -> Verdict:
    """The first of several inputs that is wrong, else the last."""
    model = reference(settings, weights)
    for x, actual in zip(inputs, exam.port.logits(settings, weights, inputs), strict=True):
        with torch.no_grad():
            verdict = compared(actual, model(x), exam.tolerance)
        if not verdict.passed:
            break
    return verdict
