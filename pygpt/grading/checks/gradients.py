"""gradients and the padding row: what flows back from a hidden cotangent."""

import torch
from torch import Tensor

from pygpt.grading.check import Verdict, check
from pygpt.grading.drawn import normal_weights
from pygpt.grading.exam import Exam, of_models, tokens
from pygpt.grading.isolation.session import AnswerError
from pygpt.grading.port import Weights, reference
from pygpt.output.messages import say
from pygpt.settings import R_MODELS, ModelName, ModelSettings

_STEP = {True: 1e-5, False: 1e-2}
"""Of the finite difference, in float64 and in float32."""
_FLOAT32_TOLERANCE = 0.05


@check(
    "gradients.cotangent",
    say("Gradients"),
    say("Training follows the gradients: each must be the slope of the logits along its parameter."),
    say("No detach(), .data, torch.no_grad() or NumPy between parameters and logits."),
    each=of_models(),
)
def flows_back(exam: Exam, model: ModelName) -> Verdict:
    rng = exam.random("gradients", model)
    settings = exam.settings(model, rng)
    weights = exam.port.fitted(settings, normal_weights(settings, rng))
    # Rows 0 and 1 are left out: which of them has no gradient is the padding row's check.
    x = tokens(rng, (2, settings.block_size - 1), 2, settings.vocab_size)
    cotangent = torch.randn(*x.shape, settings.vocab_size, generator=rng)
    gradients = exam.port.gradients(settings, weights, x, cotangent)
    expected = say("the derivative of the logits with respect to every parameter")
    right = _reference_gradients(settings, weights, x, cotangent)
    dead = [name for name, own in gradients.items() if float(right[name].norm()) > 0 and not bool(own.any())]
    if 2 * len(dead) > len(gradients):
        return Verdict.of(False, expected, say("no gradient reaches {names}", names=", ".join(dead)))
    tied = exam.port.built(settings).carried.tied
    if not tied and all(_near(g, right[n], exam.rubric.tolerances["gradients"]) for n, g in gradients.items()):
        return Verdict.of(True, expected, say("as expected, for {n} parameters", n=len(gradients)))
    # Else against the submission's own forward pass: a mistake there has been paid for already.
    wrong = _off_its_own_slope(exam, settings, weights, x, cotangent, rng)
    if wrong is None:
        return Verdict.of(True, expected, say("as expected, by the submission's own forward pass"))
    name, slope, product = wrong
    return Verdict.of(
        False, say("{name}: slope {slope}", name=name, slope=slope), say("the gradient gives {p}", p=product)
    )


def _reference_gradients(settings: ModelSettings, weights: Weights, x: Tensor, cotangent: Tensor) -> Weights:
    model = reference(settings, weights)
    (model(x) * cotangent).sum().backward()
    return {n: torch.zeros_like(p) if p.grad is None else p.grad for n, p in model.named_parameters()}


def _near(a: Tensor, b: Tensor, tolerance: float) -> bool:
    return float((a - b).norm()) <= tolerance * (float(b.norm()) + 1e-6)


def _off_its_own_slope(
    exam: Exam, settings: ModelSettings, weights: Weights, x: Tensor, cotangent: Tensor, rng: torch.Generator
) -> tuple[str, float, float] | None:
    """The first parameter whose gradient is not the slope of the logits; central differences, float64 if it can."""
    double = True
    try:
        gradients = exam.port.gradients(settings, weights, x, cotangent.double(), double=True)
    except AnswerError as failed:
        if failed.fatal:
            raise
        double = False
        gradients = exam.port.gradients(settings, weights, x, cotangent)
    tolerance = exam.rubric.tolerances["gradients"] if double else _FLOAT32_TOLERANCE
    for name, gradient in gradients.items():
        direction = torch.randn(gradient.shape, generator=rng, dtype=torch.float64)
        if name == "wte.weight":
            direction[:2] = 0
        sides = []
        for sign in (1, -1):
            changed = exam.port.fitted(settings, weights) | {name: weights[name] + sign * _STEP[double] * direction}
            for other, same in exam.port.built(settings).carried.tied.items():
                changed[other] = changed.get(same, changed[other])
            (logits,) = exam.port.logits(settings, changed, [x], train=True, double=double)
            sides.append(float((logits * cotangent).sum()))
        slope = (sides[0] - sides[1]) / (2 * _STEP[double])
        product = float((gradient * direction).sum())
        if abs(slope - product) > tolerance * (float(gradient.norm()) + abs(slope) + 1e-3):
            return name, slope, product
    return None


@check(
    "padding.row",
    say("The padding row gets no gradient"),
    say(
        "R's padding_idx = 1 leaves one row of the embedding without gradient: row 1 by a slip of R torch, "
        "row 0 if it is corrected; both are right here."
    ),
    say("nn.Embedding(nvoc, n_embd, padding_idx=0)"),
    each=of_models(),
)
def padding_row(exam: Exam, model: ModelName) -> Verdict:
    rng = exam.random("padding", model)
    settings = exam.settings(model, rng)
    weights = exam.port.fitted(settings, normal_weights(settings, rng))
    x = tokens(rng, (3, settings.block_size), 0, settings.vocab_size)
    x[:, 0], x[:, 1] = 0, 1
    cotangent = torch.randn(*x.shape, settings.vocab_size, generator=rng)
    # The output layer's share in tied weights must not hide the embedding's.
    cotangent[..., :2] = 0
    gradients = exam.port.gradients(settings, weights, x, cotangent)
    expected = say("one row of the token embedding without gradient: 1 (as R) or 0 (PAD, corrected)")
    if "wte.weight" not in gradients:
        return Verdict.of(
            False, expected, say("{model} has no token embedding that could be recognised", model=R_MODELS[model])
        )
    still = [row for row in (0, 1) if bool((gradients["wte.weight"][row] == 0).all())]
    if still in ([0], [1]):
        exam.padding_row = "corrected" if still == [0] else "r"
        return Verdict.of(True, expected, say("row {row} has no gradient", row=still[0]))
    return Verdict.of(False, expected, say("neither row has a gradient" if still else "both rows have a gradient"))
