"""loads and builds: the parts are there; parameters have R's number and shapes; the PAD row begins at zero."""

import torch

from pygpt.grading.exam import Check, Exam, Item, Verdict, each_model, explained
from pygpt.grading.messages import say
from pygpt.grading.port import R_NAME, r_shapes
from pygpt.grading.weight_map import Carried
from pygpt.settings import ModelName

_PADDING = 0
_NORM_CHECKS = {"scale1": "forward.norm_places", "scale2": "forward.norm_places", "scale3": "forward.head"}


def _parts(exam: Exam) -> list[Item]:
    items = []
    for part in exam.rubric.parts:
        there = part in exam.port.session.parts
        shown = say("defined") if there else say("not defined")
        items.append(Item(say("{part}", part=part), Verdict(there, say("defined"), shown)))
    return items


def _parameters(exam: Exam) -> list[Item]:
    return each_model(exam, _counted)


def _counted(exam: Exam, model: ModelName) -> Verdict:
    settings = exam.settings(model, exam.random("builds", model))
    carried = exam.port.built(settings).carried
    wanted = sum(torch.Size(shape).numel() for shape in r_shapes(settings).values())
    found = sum(torch.Size(shape).numel() for shape in carried.shapes.values())
    expected = say("{n} parameters of R's shapes", n=f"{wanted:,}")
    if carried.missing or carried.extra:
        wrong = Verdict(
            False,
            expected,
            say(
                "{n} parameters; R's without counterpart: {missing}; not in R: {extra}",
                n=f"{found:,}",
                missing=", ".join(carried.missing) or "-",
                extra=", ".join(carried.extra) or "-",
            ),
        )
        return explained(wrong) if _a_norm_forgotten(exam, model, carried) else wrong
    return Verdict(True, expected, say("{n} parameters, found {how}", n=f"{found:,}", how=carried.how))


def _a_norm_forgotten(exam: Exam, model: ModelName, carried: Carried) -> bool:
    """Whether only norms are missing, and the checks of their places have said so."""
    checks = [_NORM_CHECKS.get(name.split(".")[0]) for name in carried.missing]
    return not carried.extra and all(check is not None and not exam.passed(check, model=model) for check in checks)


def _padding_zero(exam: Exam) -> list[Item]:
    return each_model(exam, _pad_row)


def _pad_row(exam: Exam, model: ModelName) -> Verdict:
    settings = exam.settings(model, exam.random("builds", model))
    table = exam.port.initial(settings).get("wte.weight")
    expected = say("row 0 (<PAD>) of the token embedding all zero, the others not")
    if table is None:
        return Verdict(False, expected, say("no token embedding was found in {model}", model=R_NAME[model]))
    zero = (table == 0).all(dim=1).tolist()
    rows = [i for i, is_zero in enumerate(zero) if is_zero]
    return Verdict(rows == [_PADDING], expected, say("rows that are zero: {rows}", rows=str(rows or "-")))


CHECKS = (
    Check(
        "loads.parts",
        say("The parts are there"),
        say("Each part that is asked for can be graded only if it is defined under its name."),
        say("Start from `grade --template`: it holds every name."),
        _parts,
    ),
    Check(
        "builds.padding_zero",
        say("The PAD row begins at zero"),
        say("nn_embedding(padding_idx = 1) zeroes R's row 1, which is row 0 here."),
        say("nn.Embedding(nvoc, n_embd, padding_idx=0)"),
        _padding_zero,
    ),
)

# Asked after the forward parts: a norm that was forgotten is paid for there.
PARAMETERS = (
    Check(
        "builds.parameters",
        say("Number and shapes of the parameters"),
        say("R's weights must find their place: the same parameters with the same shapes, no more and no fewer."),
        say("Compare with R's initialize(): biases, the final LayerNorm scale3, an output layer ln_f of its own."),
        _parameters,
    ),
)
