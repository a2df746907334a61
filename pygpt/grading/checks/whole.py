"""forward, as a whole: the parts in the right order; and the ladder that shows where a port first parts from R."""

from itertools import pairwise

import torch
from torch import Tensor

from pygpt.grading.checks.forward import room_for
from pygpt.grading.drawn import INPUT_SCALE, normal_weights, one_changed, plain_norms, silent, unit_rows, with_rows
from pygpt.grading.exam import Check, Exam, Item, Verdict, explained, judged, shapes_of, tokens
from pygpt.grading.isolation.session import AnswerError
from pygpt.grading.messages import say
from pygpt.grading.port import R_NAME, Weights, reference
from pygpt.grading.readout import View, compared, distance, seen, verdict
from pygpt.parity.compare import Limit, compare
from pygpt.settings import ModelName, ModelSettings

# The checks that can tell why the whole differs; where one of them failed, it has been paid for.
_PARTS = (
    "builds.parameters", "forward.embedding", "forward.attention", "forward.ffn", "forward.norm_places",
    "forward.norm_eps", "forward.head", "causality.eval", "causality.train", "causality.lengths",
)  # fmt: skip
_BATCH = 2


def _whole(exam: Exam) -> list[Item]:
    items = []
    for model in exam.models:
        _climb(exam, model)
        items.append(judged(say("{model}, order of the parts", model=R_NAME[model]), _order, exam, model))
        items.append(judged(say("{model}, from end to end", model=R_NAME[model]), _end_to_end, exam, model))
    return items


def _order(exam: Exam, model: ModelName) -> Verdict:
    """A part that only adds a constant comes before the next one: the next must see the constant.

    The submission is held against itself, so a mistake inside of a part does not show here.
    """
    rng = exam.random("whole", "order", model)
    settings = room_for(exam, model, rng, n_layer=3)
    parts = [(j, part) for j in range(settings.n_layer) for part in (("MH", "FFN") if model == "gpt" else ("FFN",))]
    right, wrong = [], []
    for first, then in pairwise(parts):
        found = verdict([_order_view(exam, settings, first, then, rng)], exam.tolerance, last_only=True)
        if found.passed:
            right.append(found)
        elif not _failed_alone(exam, model, *first):
            return found
        else:
            # That part does not even add a constant rightly: paid for already.
            wrong.append(found)
    return (right or wrong)[0]


def _failed_alone(exam: Exam, model: ModelName, j: int, part: str) -> bool:
    items = exam.items.get("forward.attention" if part == "MH" else "forward.ffn", [])
    return any(not item.verdict.passed and item.name.values == {"model": R_NAME[model], "j": j + 1} for item in items)


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
    found = _logits_agree(exam, model)
    if found.passed or exam.passed(*_PARTS, model=model):
        return found
    composed = _order(exam, model)
    return explained(found) if composed.passed else found


def _logits_agree(exam: Exam, model: ModelName) -> Verdict:
    rng = exam.random("whole", "logits", model)
    settings = exam.settings(model, rng)
    weights = exam.port.fitted(settings, normal_weights(settings, rng))
    inputs = [tokens(rng, (_BATCH, k), 0, settings.vocab_size) for k in shapes_of(settings)]
    # Metamorphic: a change of each token, and below of each parameter, must do what it does in R.
    inputs.append(one_changed(settings, settings.block_size, rng))
    found = _agrees(exam, settings, weights, inputs)
    for name in weights:
        if not found.passed:
            return found
        changed = weights | {name: weights[name] * 1.25 + 0.1 * torch.randn(weights[name].shape, generator=rng)}
        changed["wte.weight"] = changed["wte.weight"].clone()
        changed["wte.weight"][0] = 0
        found = _agrees(exam, settings, exam.port.fitted(settings, changed), inputs[-1:])
    if not found.passed:
        return found
    course = ModelSettings(model, dropout=0.0)
    drawn = exam.port.fitted(course, normal_weights(course, rng))
    return _agrees(exam, course, drawn, [tokens(rng, (_BATCH, course.block_size), 0, course.vocab_size)])


def _agrees(exam: Exam, settings: ModelSettings, weights: Weights, inputs: list[Tensor]) -> Verdict:
    model = reference(settings, weights)
    found: Verdict | None = None
    for x, actual in zip(inputs, exam.port.logits(settings, weights, inputs), strict=True):
        with torch.no_grad():
            found = compared(actual, model(x), exam.tolerance)
        if not found.passed:
            return found
    assert found is not None
    return found


def _climb(exam: Exam, model: ModelName) -> None:
    """The ladder: what each part of the whole model gives, one after the other, each with what came before it."""
    rng = exam.random("whole", "ladder", model)
    small = exam.settings(model, rng)
    k = small.block_size
    # One table holds the tokens and, for each rung, rows that hold R's result there.
    settings = exam.settings(
        model, rng, block_size=k, n_layer=small.n_layer, vocab_size=2 + _BATCH * k * (small.n_layer + 2)
    )
    try:
        expected, actual = _rungs(exam, settings, rng)
    except AnswerError:
        return
    scale = {name: max(float(t.std()), 1e-30) for name, t in expected.items()}
    limit = {name: Limit(exam.tolerance * s) for name, s in scale.items()}
    exam.ladders[R_NAME[model]] = compare(expected, actual, lambda name: limit[name])


def _rungs(exam: Exam, settings: ModelSettings, rng: torch.Generator) -> tuple[Weights, Weights]:
    k, blocks = settings.block_size, settings.n_layer
    drawn = normal_weights(settings, rng, INPUT_SCALE)
    positions = drawn["wpe.weight"]
    token = INPUT_SCALE * torch.randn(_BATCH, k, settings.n_embd, generator=rng, dtype=torch.float64)
    fit = exam.port.fitted
    first = fit(settings, with_rows(drawn, token)[0] | {"wpe.weight": positions})
    states = [token + first["wpe.weight"][:k]]
    model = reference(settings, first)
    with torch.no_grad():
        for j in range(blocks):
            states.append(model.block(j, states[-1]))
    held, (x, *rows) = with_rows(drawn, token, *states)
    whole = held | {"wpe.weight": positions}
    still = fit(settings, silent(held, range(blocks)))
    names = ["act.embedding", *(f"act.block{j + 1}.output" for j in range(blocks))]
    actual: Weights = {}
    for j, name in enumerate(names):
        (actual[name],) = exam.port.logits(settings, fit(settings, silent(whole, range(j, blocks))), [x])
    with torch.no_grad():
        right = [reference(settings, still)(row) for row in rows]
    if any(distance(actual[n], r) > exam.tolerance for n, r in zip(names, right, strict=True)):
        # A mistake in the output layer must not show in the rungs before it.
        right = exam.apart.logits(settings, still, rows)
    expected = dict(zip(names, right, strict=True))
    with torch.no_grad():
        expected["act.logits"] = reference(settings, fit(settings, whole))(x)
    actual["act.logits"] = actual[names[-1]]
    return expected, actual


CHECKS = (
    Check(
        "forward.whole",
        say("The whole model"),
        say("The parts follow each other as in R; with each parameter and each token changed, the logits follow, too."),
        say("Embedding, block 1 to N (attention, then feed-forward), scale3, ln_f."),
        _whole,
    ),
)
