"""The parity ladder of a submission: the named quantities in the order of computation, with the first divergence."""

import math

import torch

from pygpt.grading.drawn import INPUT_SCALE, normal_weights, silent, with_rows
from pygpt.grading.exam import Exam
from pygpt.grading.isolation.session import AnswerError
from pygpt.grading.port import Weights, reference
from pygpt.grading.readout import distance
from pygpt.grading.report import LadderRow
from pygpt.output.messages import Message, say
from pygpt.parity.compare import Comparison, Limit, Line, compare
from pygpt.settings import R_MODELS, ModelName, ModelSettings

_BATCH = 2


def ladders(exam: Exam, lang: str) -> dict[str, tuple[LadderRow, ...]]:
    """For each model a row a quantity; `verdict` parts what first diverges from what is wrong even when fed rightly.

    It reads what the checks of single parts have left, and comes after them.
    """
    climbed = {model: _climbed(exam, model) for model in exam.models}
    return {
        R_MODELS[model]: tuple(_row(exam, model, line, line is rungs.first_divergence, lang) for line in rungs.lines)
        for model, rungs in climbed.items()
        if rungs is not None
    }


def _row(exam: Exam, model: ModelName, line: Line, first: bool, lang: str) -> LadderRow:
    return LadderRow(
        quantity=line.name,
        shape=line.shape,
        difference=_finite(line.absolute),
        limit=line.limit.absolute,
        where=line.where,
        expected=_finite(line.expected),
        actual=_finite(line.actual),
        agrees=line.agrees,
        first_divergence=first,
        verdict=_verdict(exam, model, line, first).render(lang),
    )


def _verdict(exam: Exam, model: ModelName, line: Line, first: bool) -> Message:
    if line.agrees:
        return say("agrees")
    start = say("first diverges here" if first else "differs")
    alone = _right_alone(exam, model, line.name)
    if alone is None:
        return start
    if alone:
        return say("{start}; right when given the right input", start=start)
    return say("{start}; wrong even with the right input", start=start)


def _right_alone(exam: Exam, model: ModelName, quantity: str) -> bool | None:
    """What the checks of single parts say of the part that this quantity comes out of."""
    part_checks = {"act.embedding": ("forward.embedding",), "act.logits": ("forward.head",)}
    checks = part_checks.get(quantity, ("forward.attention", "forward.ffn"))
    block = None if quantity in part_checks else int(quantity.removeprefix("act.block").split(".")[0])
    passed = [
        item.passed
        for check in checks
        for item in exam.results(check)
        if item.model == model and (block is None or item.block == block)
    ]
    return all(passed) if passed else None


def _climbed(exam: Exam, model: ModelName) -> Comparison | None:
    """What each part of the whole model gives, one after the other, each with what came before it."""
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
        return None
    scale = {name: max(float(t.std()), 1e-30) for name, t in expected.items()}
    limit = {name: Limit(exam.tolerance * s) for name, s in scale.items()}
    return compare(expected, actual, lambda name: limit[name])


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


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
