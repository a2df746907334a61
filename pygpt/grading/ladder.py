"""The parity ladder of a submission: the named quantities in the order of computation, with the first divergence."""

import math
from typing import Any

from pygpt.grading.exam import Exam
from pygpt.grading.messages import Message, say
from pygpt.parity.compare import Line


def ladder_rows(exam: Exam, lang: str) -> dict[str, list[dict[str, Any]]]:
    """For each model a row a quantity; `verdict` parts what first diverges from what is wrong even when fed rightly."""
    return {
        model: [_row(exam, model, line, line is comparison.first_divergence, lang) for line in comparison.lines]
        for model, comparison in exam.ladders.items()
    }


def _row(exam: Exam, model: str, line: Line, first: bool, lang: str) -> dict[str, Any]:
    return {
        "quantity": line.name,
        "shape": list(line.shape),
        "difference": _finite(line.absolute),
        "limit": line.limit.absolute,
        "where": list(line.where),
        "expected": _finite(line.expected),
        "actual": _finite(line.actual),
        "agrees": line.agrees,
        "first_divergence": first,
        "verdict": _verdict(exam, model, line, first).render(lang),
    }


def _verdict(exam: Exam, model: str, line: Line, first: bool) -> Message:
    alone = _right_alone(exam, model, line.name)
    if line.agrees:
        return say("agrees")
    start = say("first diverges here") if first else say("differs")
    if alone is None:
        return start
    if alone:
        return say("{start}; right when given the right input", start=start)
    return say("{start}; wrong even with the right input", start=start)


def _right_alone(exam: Exam, model: str, quantity: str) -> bool | None:
    """What the isolated checks say of the part that this quantity comes out of."""
    checks = {"act.embedding": ("forward.embedding",), "act.logits": ("forward.head",)}.get(
        quantity, ("forward.attention", "forward.ffn")
    )
    block = quantity.removeprefix("act.block").split(".")[0] if quantity.startswith("act.block") else None
    verdicts = [
        item.verdict.passed
        for check in checks
        for item in exam.items.get(check, [])
        if item.name.values.get("model") == model and (block is None or str(item.name.values.get("j")) == block)
    ]
    return all(verdicts) if verdicts else None


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
