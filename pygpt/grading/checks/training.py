"""training: the loss, and twenty optimizer steps, each replayed from the weights that the port had before it.

Masks come from the same seed, gradients from the diagnosis's reference: a mistake in the forward pass, in the dropout
or in the loss has been paid for, and training is judged with it.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import cache

import torch
from torch import Tensor

from pygpt.grading.algebra import Algebra, forward
from pygpt.grading.check import Outcome, Verdict, check
from pygpt.grading.exam import Exam, of_models, once, tokens
from pygpt.grading.r_model import Weights, normal_weights
from pygpt.grading.rules import IN_EVAL, Departure, R, Rule, Step, Vectors, nearest
from pygpt.models import cross_entropy
from pygpt.output.messages import Message, say
from pygpt.settings import ModelName, ModelSettings

STEPS, _FEW = 20, 6
_LOSS_TOLERANCE = 1e-4
# Of the student's own loss: how far its slope may turn from the cross entropy's (a cosine) and still train.
_TURNS = 0.3
_BATCH = 4
# Gradients so large at first, and later so small, that clipping by norm, by value and not at all differ.
_STEEP = 5.0
_ALIVE = 1e-3
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
    y = tokens(rng, (3, 5), 1, 11)  # no PAD: no text has it, and leaving it out of the loss is no fault
    request = {"op": "loss", "gradient": False}
    answer = exam.port.session.ask(request, {"logits": logits, "y": y}, {"loss": ()})
    own, right = float(answer["loss"]), float(cross_entropy(logits.double(), y))
    near = abs(own - right) <= _LOSS_TOLERANCE * right
    return Verdict.of(near, say("{value} nats", value=right), say("{value} nats", value=own))


@dataclass(frozen=True)
class _Trained:
    """What became of the steps."""

    rule: Rule | None
    departure: Departure | None
    lr: float
    losses: tuple[float, float]


@check(
    "training.curve",
    say("Twenty steps"),
    say("Moments and clipping show over several steps; each is recomputed from the weights before it."),
    _HINT,
    each=of_models(False),
    needs=("train_step", "make_optimizer"),
    after=("training.loss", "gradients.cotangent"),
)
@check(
    "training.step",
    say("One optimizer step"),
    say("optim_adamw: the update that follows from the gradients, weight decay 0.01 on every parameter."),
    _HINT,
    each=of_models(True),
    needs=("train_step", "make_optimizer"),
    after=("training.loss", "gradients.cotangent"),
)
def updates(exam: Exam, model: ModelName, first: bool) -> Verdict:
    trained = exam.known(("trained", model), lambda: _trained(exam, model))
    rule, departure = trained.rule, trained.departure
    expected = say("AdamW with lr = {lr}, decay 0.01, gradients clipped to norm 1", lr=trained.lr)
    a, b = trained.losses
    if rule is R:
        return Verdict.of(True, expected, say("as expected: the loss goes from {a} to {b}", a=a, b=b))
    if departure is None and rule is None:
        return Verdict(Outcome.NO_EFFECT, expected, say("no gradient: the weights do not change the logits"))
    shows = rule.at_once if rule is not None else departure is not None and departure.step == 1
    if first and not shows:
        return Verdict.of(True, expected, say("as expected, at the first step"))
    return Verdict.of(False, expected, rule.words if rule is not None else _departed(departure))


def _departed(departure: Departure | None) -> Message:
    assert departure is not None
    step, name, size = departure.step, departure.parameter, departure.size
    return say("step {step}: {name} differs by {gap} of the learning rate", step=step, name=name, gap=size)


def _trained(exam: Exam, model: ModelName) -> _Trained:
    """With the port's own masks where they are known, else without dropout."""
    rng = exam.random("training", model)
    lr = 0.02 + 0.01 * float(torch.rand(1, generator=rng))
    diagnosis, dropping = exam.diagnosis(model), exam.dropping(model)
    p0 = 0.15 + 0.2 * float(torch.rand(1, generator=rng))
    small = exam.settings(model, rng, vocab_size=23, n_layer=2)
    extra = exam.port.built(small).carried.extra
    trained: _Trained | None = None
    followed = exam.passed("gradients.cotangent", model=model)  # else by its own gradients: they have been paid for
    if diagnosis.explained and not extra and followed:
        if dropping.exact and dropping.problem is None:
            trained = _replayed(exam, replace(small, dropout=p0), lr, dropping.algebra, STEPS, rng)
            if trained.rule is not None:
                return trained
        still = _replayed(exam, small, lr, dropping.algebra, STEPS, rng)
    else:
        still = _replayed(exam, small, lr, None, _FEW, rng)
    if still.rule is None:
        return trained or still
    if dropping.problem is None and dropping.algebra.drop and not _moves(exam, replace(small, dropout=p0), lr, rng):
        return replace(still, rule=IN_EVAL)
    return still


def _replayed(
    exam: Exam, settings: ModelSettings, lr: float, algebra: Algebra | None, count: int, rng: torch.Generator
) -> _Trained:
    """Have the port train, and find the rule it follows; without an algebra by its own gradients."""
    drawn, batches = normal_weights(settings, rng), _batches(settings, count, rng)
    drawn["ln_f.weight"] *= _STEEP
    seed = int(torch.randint(1 << 30, (1,), generator=rng))
    weights = _asked(exam, settings, drawn, batches, lr, seed)

    def slope(t: int, mode: str) -> tuple[float, Vectors]:
        if algebra is None:
            return _own_slope(exam, settings, weights[t], batches[t])
        return _slope(exam, settings, algebra, drawn, weights[t], batches[t], mode == "train")

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        slopes = [slope(t, "train") for t in range(count)]
    losses = (slopes[0][0], slopes[-1][0])
    if not any(bool(g.any()) for g in slopes[0][1].values()):
        return _Trained(None, None, lr, losses)
    in_eval = cache(lambda t: slope(t, "eval")[1])

    def step(t: int, names: Collection[str]) -> Step:
        before, after = ({n: weights[i][n] for n in names} for i in (t, t + 1))
        return Step(before, after, lambda mode: _some(slopes[t][1] if mode == "train" else in_eval(t), names))

    tokens_in_batch = batches[0][1].numel()
    scales = {
        float(tokens_in_batch): say("the loss is a sum in training, not a mean"),
        tokens_in_batch / _BATCH: say("the loss is a mean over windows alone in training, not over positions"),
    }
    extra = exam.port.built(settings).carried.extra
    judged = [name for name in slopes[0][1] if name not in extra]
    # Parameters that R has not may be trained, and clipped with the others, or not: both have been paid for.
    for names in (judged, [*judged, *extra]) if extra else (judged,):
        steps = [step(t, names) for t in range(count)]
        rule, departure = nearest(steps, lr, exam.rubric.tolerances["update"], scales)
        if rule is R:
            break
    return _Trained(rule, departure, lr, losses)


def _some(vectors: Vectors, names: Collection[str]) -> Vectors:
    return {name: vectors[name] for name in names}


def _batches(settings: ModelSettings, steps: int, rng: torch.Generator) -> list[tuple[Tensor, Tensor]]:
    """Windows of a text that can be learned: each character follows from the one before, mostly.

    Rows 0 and 1 are left out: which of them has no gradient is the padding row's check.
    """
    follows = 2 + torch.randperm(settings.vocab_size - 2, generator=rng)
    made = []
    for _ in range(steps):
        row = tokens(rng, (_BATCH, 1), 2, settings.vocab_size)
        rows = [row]
        # One short of the block: what a port does at its last position has been asked.
        for _ in range(settings.block_size - 1):
            row = follows[row - 2]
            rows.append(row)
        window = torch.cat(rows, dim=1)
        made.append((window[:, :-1].contiguous(), window[:, 1:].contiguous()))
    return made


def _asked(
    exam: Exam,
    settings: ModelSettings,
    weights: Weights,
    batches: list[tuple[Tensor, Tensor]],
    lr: float,
    seed: int,
) -> list[Vectors]:
    """The port's parameters under its own names, before the first step and after each."""
    own = exam.port.built(settings).carried.shapes
    tensors = exam.port.own_weights(settings, weights)
    for t, (x, y) in enumerate(batches):
        tensors |= {f"x.{t}": x, f"y.{t}": y}
    request = exam.port.request("train", settings) | {"lr": lr, "steps": len(batches), "seed": seed}
    shapes = {f"w{t}.{name}": shape for t in range(len(batches) + 1) for name, shape in own.items()}
    answer = exam.port.session.ask(request, tensors, shapes)
    return [{name: answer[f"w{t}.{name}"] for name in own} for t in range(len(batches) + 1)]


def _slope(
    exam: Exam,
    settings: ModelSettings,
    algebra: Algebra,
    drawn: Weights,
    own: Vectors,
    batch: tuple[Tensor, Tensor],
    train: bool,
) -> tuple[float, Vectors]:
    """The loss of a batch by the reference, and its gradients under the port's names."""
    carried = exam.port.built(settings).carried
    leaves = {name: w.clone().requires_grad_() for name, w in (drawn | carried.to_r(own)).items()}
    x, y = batch
    logits = forward(algebra, settings, leaves, x, train)
    value, cotangent = _loss_and_slope(exam, logits.detach(), y)
    logits.backward(cotangent)  # type: ignore[no-untyped-call]
    zeros = torch.zeros_like
    gradients = carried.to_own({name: zeros(w) if w.grad is None else w.grad for name, w in leaves.items()})
    return value, {name: g for name, g in gradients.items() if name not in carried.extra}


def _own_slope(
    exam: Exam, settings: ModelSettings, own: Vectors, batch: tuple[Tensor, Tensor]
) -> tuple[float, Vectors]:
    """The same by the port's own gradients, for the cotangent of this loss."""
    x, y = batch
    weights = {f"w0.{name}": w.float() for name, w in own.items()}
    request = exam.port.request("run", settings) | {"questions": [(0, True, 0)]}
    logits = exam.port.session.ask(request, weights | {"x.0": x}, {"y.0": (*x.shape, settings.vocab_size)})["y.0"]
    value, cotangent = _loss_and_slope(exam, logits, y)
    return value, exam.port.own_gradients(settings, weights, x, cotangent.float())


def _loss_and_slope(exam: Exam, logits: Tensor, y: Tensor) -> tuple[float, Tensor]:
    """The cross entropy and its derivative; where the port's own loss is another, which has been paid for, its own."""
    leaf = logits.clone().requires_grad_()
    value = cross_entropy(leaf, y)
    value.backward()  # type: ignore[no-untyped-call]
    assert leaf.grad is not None
    right: Tensor = leaf.grad
    if exam.passed("training.loss") or "loss" not in exam.port.session.parts:
        return float(value.detach()), right
    request = {"op": "loss", "gradient": True}
    own = exam.port.session.ask(request, {"logits": logits.float(), "y": y}, {"gradient": tuple(logits.shape)})
    slope = own["gradient"]
    cosine = torch.nn.functional.cosine_similarity(slope.flatten(), right.flatten(), dim=0)
    return float(value.detach()), slope if float(cosine) > _TURNS else right


def _moves(exam: Exam, settings: ModelSettings, lr: float, rng: torch.Generator) -> bool:
    """Whether a step depends on the seed, as dropout makes it."""
    drawn, batches = normal_weights(settings, rng), _batches(settings, 1, rng)
    one, two = (_asked(exam, settings, drawn, batches, lr, seed)[1] for seed in (1, 2))
    return any(float((one[name] - two[name]).abs().max()) > _ALIVE * lr for name in one)
