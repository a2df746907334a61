"""gradients and the padding row: what flows back from a hidden cotangent."""

import torch
from torch import Tensor
from torch.nn import functional

from pygpt.grading.algebra import forward
from pygpt.grading.check import Verdict, check
from pygpt.grading.exam import Exam, of_models, tokens
from pygpt.grading.r_model import Weights, normal_weights
from pygpt.isolation.session import AnswerError
from pygpt.output.messages import say
from pygpt.settings import R_MODELS, ModelName, ModelSettings

_STEP, _FLOAT32_STEP = 1e-5, 1e-2
"""Of the finite difference."""
_FLOAT32_TOLERANCE = 0.05
# A parameter's gradient is alive from this share of R's on.
_ALIVE = 0.01
# Below this a gradient is rounding, as that of the keys' bias.
_FLOOR = 1e-4
# A row of the embedding has no gradient up to this share of the largest.
_STILL = 1e-4
_EXPECTED = say("the slope of the logits along every parameter")


@check(
    "gradients.cotangent",
    say("Gradients"),
    say("Training follows the gradients: each must be the slope of the logits along its parameter."),
    say("No detach(), .data, torch.no_grad() or NumPy between parameters and logits."),
    each=of_models(),
)
def flows_back(exam: Exam, model: ModelName) -> Verdict:
    """The cotangent is that of the mean cross entropy, softmax - onehot: no loss of the submission's is asked."""
    diagnosis, rng = exam.diagnosis(model), exam.random("gradients", model)
    settings = exam.settings(model, rng)
    weights = normal_weights(settings, rng)
    # Rows 0 and 1 are left out: which of them has no gradient is the padding row's check.
    x, y = (tokens(rng, (2, settings.block_size - 1), 2, settings.vocab_size) for _ in range(2))
    right = {name: w.clone().requires_grad_() for name, w in weights.items()}
    logits = forward(diagnosis.trained, settings, right, x)
    cotangent = logits.detach().softmax(-1) - functional.one_hot(y, settings.vocab_size)
    (logits * cotangent).sum().backward()  # type: ignore[no-untyped-call]
    own = exam.port.gradients(settings, weights, x, cotangent)
    expected = {name: torch.zeros_like(w) if w.grad is None else w.grad for name, w in right.items()}
    none = torch.zeros(())
    if dead := [n for n, g in expected.items() if float(own.get(n, none).norm()) < _ALIVE * float(g.norm())]:
        return Verdict.of(False, _EXPECTED, say("no gradient reaches {names}", names=", ".join(dead)))
    if not diagnosis.explained and diagnosis.wrong_parts > 1:
        return Verdict.of(False, _EXPECTED, say("nothing to hold them against: too little of the model is R's"))
    if not diagnosis.explained:
        return _by_its_own_slope(exam, settings, weights, x, cotangent, rng)
    tolerance = exam.rubric.tolerances["gradients"]
    off = [
        n for n, g in own.items() if float((g - expected[n]).norm()) > tolerance * (float(expected[n].norm()) + _FLOOR)
    ]
    if off:
        return Verdict.of(False, _EXPECTED, say("another gradient for {names}", names=", ".join(off)))
    return Verdict.of(True, _EXPECTED, say("as expected, for {n} parameters", n=len(own)))


def _by_its_own_slope(
    exam: Exam, settings: ModelSettings, weights: Weights, x: Tensor, cotangent: Tensor, rng: torch.Generator
) -> Verdict:
    """Where no change explains the logits: central differences of them, in float64 if the submission can."""
    double = True
    try:
        gradients = exam.port.gradients(settings, weights, x, cotangent, double=True)
    except AnswerError as failed:
        if failed.fatal:
            raise
        double = False
        gradients = exam.port.gradients(settings, weights, x, cotangent)
    step = _STEP if double else _FLOAT32_STEP
    tolerance = exam.rubric.tolerances["gradients"] if double else _FLOAT32_TOLERANCE
    for name, gradient in gradients.items():
        direction = torch.randn(gradient.shape, generator=rng, dtype=torch.float64)
        if name == "wte.weight":
            direction[:2] = 0
        sides = [weights | {name: weights[name] + sign * step * direction} for sign in (1, -1)]
        up, down = (exam.port.logits(settings, w, [x], train=True, double=double)[0] for w in sides)
        slope = float(((up - down) * cotangent).sum()) / (2 * step)
        product = float((gradient * direction).sum())
        if abs(slope - product) > tolerance * (float(gradient.norm()) + abs(slope) + 1e-3):
            return Verdict.of(
                False, say("{name}: slope {slope}", name=name, slope=slope), say("the gradient gives {p}", p=product)
            )
    return Verdict.of(True, _EXPECTED, say("as expected, by the submission's own forward pass"))


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
    weights = normal_weights(settings, rng)
    x = tokens(rng, (3, settings.block_size - 1), 0, settings.vocab_size)
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
    sizes = gradients["wte.weight"].norm(dim=1)
    still = [row for row in (0, 1) if float(sizes[row]) <= _STILL * float(sizes.max())]
    if still in ([0], [1]):
        exam.padding_row = "corrected" if still == [0] else "r"
        return Verdict.of(True, expected, say("row {row} has no gradient", row=still[0]))
    return Verdict.of(False, expected, say("neither row has a gradient" if still else "both rows have a gradient"))
