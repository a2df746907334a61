"""The parity ladder of a submission: the named quantities in the order of computation, with the first divergence."""

import math

from pygpt.grading.algebra import R, forward
from pygpt.grading.exam import Exam, tokens
from pygpt.grading.r_model import normal_weights, silent
from pygpt.grading.report import LadderRow
from pygpt.isolation.session import AnswerError
from pygpt.output.messages import Message, say
from pygpt.parity.compare import Comparison, Limit, Line, compare
from pygpt.settings import R_MODELS, ModelName

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
    """What the model gives with its later blocks silent, one block more at a time, each seen in the logits."""
    rng = exam.random("ladder", model)
    settings = exam.settings(model, rng)
    drawn, blocks = normal_weights(settings, rng), settings.n_layer
    rows = tokens(rng, (_BATCH, settings.block_size - 1), 0, settings.vocab_size)
    names = ["act.embedding", *(f"act.block{j + 1}.output" for j in range(blocks))]
    weights = {name: silent(drawn, range(j, blocks)) for j, name in enumerate(names)} | {"act.logits": drawn}
    try:
        actual = {name: exam.port.logits(settings, w, [rows])[0] for name, w in weights.items()}
    except AnswerError:
        return None
    expected = {name: forward(R, settings, w, rows) for name, w in weights.items()}
    limit = {name: Limit(exam.tolerance * max(float(t.std()), 1e-30)) for name, t in expected.items()}
    return compare(expected, actual, lambda name: limit[name])


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
