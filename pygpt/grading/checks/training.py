"""training: the loss, one optimizer step, and twenty; updates are recomputed here from the submission's gradients."""

import torch
from torch import Tensor

from pygpt import r_semantics
from pygpt.grading.check import Verdict, check
from pygpt.grading.drawn import normal_weights
from pygpt.grading.exam import Exam, of_models, once, tokens
from pygpt.grading.port import Weights, reference
from pygpt.models import cross_entropy
from pygpt.output.messages import say
from pygpt.settings import ModelName, ModelSettings
from pygpt.training import training_step

STEPS, _LR, _MAX_NORM = 20, 0.01, 1.0
_LOSS_TOLERANCE = 1e-4
_CURVE_TOLERANCE = 5e-3
# A gradient below this share of the largest is rounding, which Adam blows up to a whole step.
_ROUNDING = 1e-3
# Of R's fall; post-norm learns more slowly, and which updates were made has been seen already.
_FALLS = 0.1


_HINT = say(
    "torch.optim.AdamW(model.parameters(), lr=lr), and clip_grad_norm_(model.parameters(), 1.0) before its step"
)


@check(
    "training.loss",
    say("The loss"),
    say("nn_cross_entropy_wrapper: the mean of the cross entropy over all positions of all windows."),
    say("functional.cross_entropy(logits.reshape(-1, nvoc), y.reshape(-1))"),
    each=once(say("cross entropy")),
    needs=("loss",),
)
def loss(exam: Exam) -> Verdict:
    rng = exam.random("loss")
    logits = 2 * torch.randn(3, 5, 11, generator=rng)
    y = tokens(rng, (3, 5), 0, 11)
    answer = exam.port.session.ask({"op": "loss", "gradient": False}, {"logits": logits, "y": y}, {"loss": ()})
    own, right = float(answer["loss"]), float(cross_entropy(logits.double(), y))
    near = abs(own - right) <= _LOSS_TOLERANCE * right
    return Verdict.of(near, say("{value} nats", value=right), say("{value} nats", value=own))


@check(
    "training.curve",
    say("Twenty steps"),
    say("Moments and clipping show over several steps; the losses are recomputed from the weights."),
    _HINT,
    each=of_models(STEPS),
    needs=("train_step", "make_optimizer"),
)
@check(
    "training.step",
    say("One optimizer step"),
    say("optim_adamw: the update that follows from the gradients, weight decay 0.01 on every parameter."),
    _HINT,
    each=of_models(1),
    needs=("train_step", "make_optimizer"),
)
def updates(exam: Exam, model: ModelName, steps: int) -> Verdict:
    rng = exam.random("training", model, steps)
    settings = exam.settings(model, rng, vocab_size=23)
    weights = exam.port.fitted(settings, normal_weights(settings, rng))
    batches = _batches(settings, steps, rng)
    taken = _trained(exam, settings, weights, batches)
    start = exam.port.built(settings).carried.to_r(exam.port.built(settings).carried.to_own(weights))
    wrong = _first_wrong_update(start, taken, exam.rubric.tolerances["update"])
    expected = say("AdamW with lr = {lr}, decay 0.01, gradients clipped to norm 1", lr=_LR)
    if wrong is not None:
        step, name, gap = wrong
        actual = say("step {step}: {name} differs by {gap} of the learning rate", step=step, name=name, gap=gap)
        return Verdict.of(False, expected, actual)
    if steps == 1:
        return Verdict.of(True, expected, say("as expected, for {n} parameters", n=len(start)))
    return _falls(exam, settings, weights, taken, batches)


def _batches(settings: ModelSettings, steps: int, rng: torch.Generator) -> list[tuple[Tensor, Tensor]]:
    """Windows of a text that can be learned: each character follows from the one before, mostly."""
    follows = 2 + torch.randperm(settings.vocab_size - 2, generator=rng)
    made = []
    for _ in range(steps):
        row = tokens(rng, (4, 1), 2, settings.vocab_size)
        rows = [row]
        for _ in range(settings.block_size):
            row = follows[row - 2]
            rows.append(row)
        window = torch.cat(rows, dim=1)
        made.append((window[:, :-1].contiguous(), window[:, 1:].contiguous()))
    return made


def _trained(
    exam: Exam, settings: ModelSettings, weights: Weights, batches: list[tuple[Tensor, Tensor]]
) -> list[tuple[Weights, Weights]]:
    """For each step the gradients before it and the weights after it, under R's names."""
    carried = exam.port.built(settings).carried
    shapes = {f"{k}{t}.{n}": s for t in range(len(batches)) for k in "gw" for n, s in carried.shapes.items()}
    tensors = exam.port.own_weights(settings, weights)
    for t, (x, y) in enumerate(batches):
        tensors |= {f"x.{t}": x, f"y.{t}": y}
    request = exam.port.request("train", settings) | {"lr": _LR, "steps": len(batches)}
    answer = exam.port.session.ask(request, tensors, shapes)
    return [
        (
            carried.to_r({n: answer[f"g{t}.{n}"] for n in carried.shapes}),
            carried.to_r({n: answer[f"w{t}.{n}"] for n in carried.shapes}),
        )
        for t in range(len(batches))
    ]


def _first_wrong_update(
    start: Weights, taken: list[tuple[Weights, Weights]], tolerance: float
) -> tuple[int, str, float] | None:
    """Step, parameter and difference (in learning rates) of the first update that is not R's for its gradient."""
    parameters = {name: torch.nn.Parameter(value.double().clone()) for name, value in start.items()}
    optimizer = r_semantics.AdamW(parameters.values(), lr=_LR)
    solid = {name: torch.ones_like(p, dtype=torch.bool) for name, p in parameters.items()}
    for step, (gradients, after) in enumerate(taken, start=1):
        largest = max(float(g.abs().max()) for g in gradients.values())
        if largest == 0:
            return step, next(iter(gradients)), 0.0
        for name, p in parameters.items():
            # A parameter that the loss does not reach: PyTorch leaves it, R decays it; it is not judged here.
            reached = bool(gradients[name].any())
            solid[name] &= reached
            p.grad = gradients[name].clone() if reached else None
            if p.grad is None:
                continue
            # A row that no token of this batch uses has no gradient at all: that is no rounding.
            solid[name] &= (p.grad.abs() > _ROUNDING * largest) | (p.grad == 0)
        r_semantics.clip_grad_norm(parameters.values(), _MAX_NORM)
        optimizer.step()
        for name, p in parameters.items():
            gap = ((p.detach() - after[name]).abs() * solid[name]).max() / _LR
            if float(gap) > tolerance:
                return step, name, float(gap)
            p.data = after[name].clone()
    return None


def _falls(
    exam: Exam,
    settings: ModelSettings,
    weights: Weights,
    taken: list[tuple[Weights, Weights]],
    batches: list[tuple[Tensor, Tensor]],
) -> Verdict:
    """The losses at the returned weights, recomputed here: R's own curve, or (a wrong model) at least falling."""
    fit = exam.port.fitted
    full = [weights, *(fit(settings, weights | after) for _, after in taken)]
    with torch.no_grad():
        theirs = [float(cross_entropy(reference(settings, w)(x), y)) for w, (x, y) in zip(full, batches, strict=False)]
    right = _right_curve(settings, weights, batches)
    gap = max(abs(a - b) for a, b in zip(theirs, right, strict=True))
    expected = say("loss from {first} to {last} in {n} steps", first=right[0], last=right[-1], n=len(batches))
    actual = say("loss from {first} to {last}, recomputed from the weights", first=theirs[0], last=theirs[-1])
    if gap <= _CURVE_TOLERANCE * right[0]:
        return Verdict.of(True, expected, actual)
    x, y = batches[-1]
    own = [float(cross_entropy(exam.port.logits(settings, w, [x])[0], y)) for w in (full[0], full[-1])]
    with torch.no_grad():
        first, last = (float(cross_entropy(reference(settings, w)(x), y)) for w in (weights, full[-1]))
    falls = own[0] - own[1] > _FALLS * max(right[0] - right[-1], first - last)
    return Verdict.of(falls, expected, say("loss from {a} to {b} by the submission's own model", a=own[0], b=own[1]))


def _right_curve(settings: ModelSettings, weights: Weights, batches: list[tuple[Tensor, Tensor]]) -> list[float]:
    model = reference(settings, weights)
    parameters = r_semantics.parameters(model)
    optimizer = r_semantics.AdamW(parameters, lr=_LR)

    def loss_of(x: Tensor, y: Tensor) -> Tensor:
        return cross_entropy(model(x), y)

    return [float(training_step(loss_of, optimizer, parameters, x, y, _MAX_NORM)) for x, y in batches]
