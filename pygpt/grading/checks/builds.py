"""loads and builds: the parts are there; parameters have R's number and shapes; the PAD row begins at zero."""

import math
from collections.abc import Iterator

from pygpt.grading.check import Case, Verdict, check
from pygpt.grading.exam import Exam, of_models
from pygpt.grading.port import r_shapes
from pygpt.grading.weight_map import Carried
from pygpt.output.messages import say
from pygpt.settings import R_MODELS, ModelName

_PADDING = 0
_NORM_CHECKS = {"scale1": "forward.norm_places", "scale2": "forward.norm_places", "scale3": "forward.head"}


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


# A norm that was forgotten is paid for by the check of its place.
@check(
    "builds.parameters",
    say("Number and shapes of the parameters"),
    say("R's weights must find their place: the same parameters with the same shapes, no more and no fewer."),
    say("Compare with R's initialize(): biases, the final LayerNorm scale3, an output layer ln_f of its own."),
    each=of_models(),
    after=("forward.norm_places", "forward.head"),
)
def parameters_are_r_s(exam: Exam, model: ModelName) -> Verdict:
    settings = exam.settings(model, exam.random("builds", model))
    carried = exam.port.built(settings).carried
    r, own = (sum(math.prod(shape) for shape in of.values()) for of in (r_shapes(settings), carried.shapes))
    expected = say("{n:,} parameters of R's shapes", n=r)
    if not carried.missing and not carried.extra:
        return Verdict.of(True, expected, say("{n:,} parameters, matched {how}", n=own, how=carried.how))
    actual = say(
        "{n:,} parameters; missing of R's: {missing}; not in R: {extra}",
        n=own,
        missing=", ".join(carried.missing) or "-",
        extra=", ".join(carried.extra) or "-",
    )
    wrong = Verdict.of(False, expected, actual)
    return wrong.paid() if _a_norm_forgotten(exam, model, carried) else wrong


def _a_norm_forgotten(exam: Exam, model: ModelName, carried: Carried) -> bool:
    """Whether only norms are missing, and the checks of their places have said so."""
    checks = [_NORM_CHECKS.get(name.split(".")[0]) for name in carried.missing]
    return not carried.extra and all(check is not None and not exam.passed(check, model=model) for check in checks)
