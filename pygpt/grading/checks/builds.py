"""loads and builds: the parts are there; parameters have R's number and shapes; the PAD row begins at zero."""

import math
from collections.abc import Iterator

from pygpt.grading.changes import algebra_of, unused_by
from pygpt.grading.check import Case, Outcome, Verdict, check
from pygpt.grading.exam import Exam, of_models
from pygpt.grading.r_model import r_shapes
from pygpt.layouts.weight_map import Carried
from pygpt.output.messages import say
from pygpt.settings import R_MODELS, ModelName, ModelSettings

_PADDING = 0
_USED = say("R's parameters, each with its effect")


def _parts(exam: Exam) -> Iterator[Case]:
    return (Case(say("{part}", part=part), part=part, given=(part,)) for part in exam.rubric.parts)


@check(
    "loads.parts",
    say("The parts are there"),
    say("Each part that is asked for can be graded only if it is defined under its name."),
    say("Start from `grade template`: it holds every name."),
    each=_parts,
)
def part_is_there(exam: Exam, part: str) -> Verdict:
    there = part in exam.port.session.parts
    return Verdict.of(there, say("defined"), say("defined" if there else "not defined"))


@check(
    "builds.padding_zero",
    say("The PAD row begins at zero"),
    say("nn_embedding(padding_idx = 1) zeroes R's row 1, which is row 0 here."),
    say("nn.Embedding(nvoc, n_embd, padding_idx=0)"),
    each=of_models(),
)
def padding_begins_at_zero(exam: Exam, model: ModelName) -> Verdict:
    settings = exam.settings(model, exam.random("builds", model))
    table = exam.port.initial(settings).get("wte.weight")
    expected = say("row 0 (<PAD>) of the token embedding all zero, the others not")
    if table is None:
        actual = say("{model} has no token embedding that could be recognised", model=R_MODELS[model])
        return Verdict.of(False, expected, actual)
    zero = (table == 0).all(dim=1).tolist()
    rows = [i for i, is_zero in enumerate(zero) if is_zero]
    return Verdict.of(rows == [_PADDING], expected, say("rows that are zero: {rows}", rows=str(rows or "-")))


# What is missing is paid for where it would be used, what is too much here. Last, so that every size built counts.
@check(
    "builds.parameters",
    say("Number and shapes of the parameters"),
    say("R's weights must find their place: the same parameters with the same shapes, no more and no fewer."),
    say("Compare with R's initialize(): biases, the final LayerNorm scale3, an output layer ln_f of its own."),
    each=of_models(),
    after=("forward.norm_places", "forward.head", "gradients.cotangent", "training.curve", "generation.temperature"),
)
def parameters_are_r_s(exam: Exam, model: ModelName) -> Verdict:
    diagnosis = exam.diagnosis(model)
    if costs := diagnosis.costs("builds.parameters"):
        return Verdict.of(False, _USED, costs[0].words)
    if not diagnosis.explained and diagnosis.wrong_parts > 1:
        return Verdict.of(False, _USED, diagnosis.unanswered or say("nothing shows that they do something"))
    exam.port.built(exam.settings(model, exam.random("builds", model)))
    verdicts = [_verdict(exam, settings, built.carried) for settings, built in exam.port.builds(model).items()]
    return max(verdicts, key=lambda verdict: _WORSE.index(verdict.outcome))


_WORSE = (Outcome.RIGHT, Outcome.PAID, Outcome.WRONG)


def _verdict(exam: Exam, settings: ModelSettings, carried: Carried) -> Verdict:
    r, own = (sum(math.prod(shape) for shape in of.values()) for of in (r_shapes(settings), carried.shapes))
    expected = say("{n:,} parameters of R's shapes", n=r)
    if not carried.missing and not carried.extra and not carried.tied:
        matched = say("{n:,} parameters, matched {how}", n=own, how=carried.how)
        if exam.port.session.weight_map or not (line := carried.line()):
            return Verdict.of(True, expected, matched)
        return Verdict.of(True, expected, say("{matched}; the same in a line: {line}", matched=matched, line=line))
    actual = say(
        "{n:,} parameters; missing of R's: {missing}; not in R: {extra}; shared with another: {tied}",
        n=own,
        missing=", ".join(carried.missing) or "-",
        extra=", ".join(carried.extra) or "-",
        tied=", ".join(carried.tied) or "-",
    )
    wrong = Verdict.of(False, expected, actual)
    return wrong.paid() if not carried.extra and not carried.tied and _charged(exam, settings, carried) else wrong


def _charged(exam: Exam, settings: ModelSettings, carried: Carried) -> bool:
    """Whether all that is missing is what the diagnosis takes points for in another check."""
    diagnosis = exam.diagnosis(settings.model)
    changes = [change for change in diagnosis.changes if change.check != "builds.parameters"]
    algebra = algebra_of(tuple(changes))
    if not diagnosis.explained or algebra is None:
        return False
    unused = {_of_any_block(name) for name in unused_by(settings.model, algebra)}
    return {_of_any_block(name) for name in carried.missing} <= unused


def _of_any_block(name: str) -> str:
    return ".".join("j" if part.isdigit() and i == 1 else part for i, part in enumerate(name.split(".")))
