"""What ports usually do otherwise than R in a training step, and which of it gives the weights that a port came to."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import torch
from torch import Tensor

from pygpt import r_semantics
from pygpt.output.messages import Message, say

_Optimizer = Callable[[list[torch.nn.Parameter], float], torch.optim.Optimizer]
Vectors = dict[str, Tensor]
"""By the submission's names."""
# A gradient below this share of the largest is rounding, which Adam blows up to a whole step.
_ROUNDING = 1e-3


@dataclass(frozen=True)
class Rule:
    """A training step; the defaults are R's."""

    words: Message
    at_once: bool = True
    """Whether the first step shows it; for Adam a scale of the gradients does not."""
    optimizer: _Optimizer = r_semantics.AdamW
    rate: float | None = None
    """The learning rate where it is not the one given."""
    max_norm: float | None = 1.0
    max_value: float | None = None
    steps: int = 1
    accumulates: bool = False
    mode: str = "train"
    """Of the model; `eval` for one that is switched."""
    loss_scale: float = 1.0

    def differs(self) -> dict[str, object]:
        """The fields in which it is not R's."""
        fields = ("optimizer", "rate", "max_norm", "max_value", "steps", "accumulates", "mode", "loss_scale")
        return {name: getattr(self, name) for name in fields if getattr(self, name) != getattr(R, name)}


R = Rule(say("as expected"))


@dataclass(frozen=True)
class Step:
    """The weights before and after one step, and the gradients of the loss before it, by the model's mode."""

    before: Vectors
    after: Vectors
    gradients: Callable[[str], Vectors]


@dataclass(frozen=True)
class Departure:
    """Where a port's updates are first not those of a rule: step (from 1), parameter, size in learning rates."""

    step: int
    parameter: str
    size: float


def _later(words: Message, **fields: object) -> Rule:
    return replace(R, words=words, at_once=False, **fields)  # type: ignore[arg-type]


def _at_once(words: Message, **fields: object) -> Rule:
    return replace(R, words=words, **fields)  # type: ignore[arg-type]


def _adamw(**options: object) -> _Optimizer:
    return lambda parameters, lr: torch.optim.AdamW(parameters, lr=lr, **options)  # type: ignore[arg-type]


def _rates() -> Iterator[Rule]:
    for rate in (0.0, 1e-4, 3e-4, 5e-4, 1e-3, 2e-3, 3e-3, 1e-2, 0.1):
        yield _at_once(say("the learning rate is {rate:g}, not the one that is given", rate=rate), rate=rate)


_KINDS: tuple[tuple[Message, _Optimizer], ...] = (
    (say("plain gradient descent (SGD), not AdamW"), lambda p, lr: torch.optim.SGD(p, lr=lr)),
    (say("SGD with momentum, not AdamW"), lambda p, lr: torch.optim.SGD(p, lr=lr, momentum=0.9)),
    (say("Adam without weight decay, not AdamW with 0.01"), _adamw(weight_decay=0.0)),
    (say("AdamW with a decay of 0.1, not 0.01"), _adamw(weight_decay=0.1)),
    (say("AdamW with a decay of 0.001, not 0.01"), _adamw(weight_decay=0.001)),
    (
        say("Adam with the decay in the gradient (L2), not AdamW"),
        lambda p, lr: torch.optim.Adam(p, lr=lr, weight_decay=0.01),
    ),
    (say("RMSprop, not AdamW"), lambda p, lr: torch.optim.RMSprop(p, lr=lr)),
    (say("Adagrad, not AdamW"), lambda p, lr: torch.optim.Adagrad(p, lr=lr)),
    (say("the sign of the gradient with decay, not AdamW"), _adamw(betas=(0.0, 0.0), eps=1e-30)),
    (
        say("the sign of the gradient, not AdamW"),
        _adamw(betas=(0.0, 0.0), eps=1e-30, weight_decay=0.0),
    ),
)
IN_EVAL = _at_once(say("the model is in eval mode: nothing is dropped in training"), mode="eval")
_CLIPS = (
    _later(say("gradients are not clipped, or only after the step"), max_norm=None),
    _later(say("each gradient is clipped to 1 by its value, not all together by their norm"), max_norm=None,
           max_value=1.0),
    *(_later(say("gradients are clipped to norm {norm:g}, not 1", norm=norm), max_norm=norm)
      for norm in (0.1, 0.25, 0.5, 2.0, 5.0, 10.0)),
    *(_later(say("each gradient is clipped to {value:g} by its value", value=value), max_norm=None, max_value=value)
      for value in (0.1, 0.5)),
)  # fmt: skip
RULES = (
    *_CLIPS,
    *(_at_once(words, optimizer=optimizer) for words, optimizer in _KINDS),
    *(_later(say("AdamW with betas {a:g} and {b:g}, not 0.9 and 0.999", a=a, b=b), optimizer=_adamw(betas=(a, b)))
      for a, b in ((0.9, 0.95), (0.9, 0.99), (0.8, 0.999), (0.5, 0.999))),
    *_rates(),
    _at_once(say("two steps are taken where R takes one"), steps=2),
    IN_EVAL,
    _later(say("gradients are not set to zero before they are computed: they add up"), accumulates=True),
    *(_later(say("the loss is multiplied by {scale:g} in training", scale=scale), loss_scale=scale)
      for scale in (10.0**n for n in (-6, -5, -4, -3, -2, -1, 1, 2, 3))),
)  # fmt: skip


def rules(scales: Mapping[float, Message]) -> Iterator[Rule]:
    """R's rule with one thing otherwise, then with two.

    Args:
        scales: what the loss may be multiplied by, for sizes of this batch.
    """
    single = [*RULES, *(_later(words, loss_scale=scale) for scale, words in scales.items())]
    yield from single
    yield from (_both(a, b) for a, b in combinations(single, 2) if not {*a.differs()} & {*b.differs()})


def _both(a: Rule, b: Rule) -> Rule:
    words = say("{a}; {b}", a=a.words, b=b.words)
    return replace(a, words=words, at_once=a.at_once or b.at_once, **b.differs())  # type: ignore[arg-type]


def nearest(
    steps: Sequence[Step], lr: float, tolerance: float, scales: Mapping[float, Message]
) -> tuple[Rule | None, Departure | None]:
    """The simplest rule that gives every update, None if none does; and where the updates leave R's rule."""
    _, departure = _follows(R, steps, lr, tolerance)
    if departure is None:
        return R, None
    for rule in rules(scales):
        if _follows(rule, steps, lr, tolerance)[0]:
            return rule, departure
    return None, departure


def _follows(rule: Rule, steps: Sequence[Step], lr: float, tolerance: float) -> tuple[bool, Departure | None]:
    """Whether every update is the rule's, and where the first is not."""
    replay = _Replay(rule, steps, lr)
    for number, step in enumerate(steps, start=1):
        parameter, size = replay.taken(step)
        if size > tolerance:
            return False, Departure(number, parameter, size)
    return True, None


class _Replay:
    """A rule that takes the steps one by one, each from the weights that the port had before it."""

    def __init__(self, rule: Rule, steps: Sequence[Step], lr: float) -> None:
        self.rule, self.lr = rule, lr
        self.names = list(steps[0].before)
        self.parameter = torch.nn.Parameter(_flat(steps[0].before, self.names))
        self.optimizer = rule.optimizer([self.parameter], lr if rule.rate is None else rule.rate)
        self.solid = torch.ones_like(self.parameter, dtype=torch.bool)

    def taken(self, step: Step) -> tuple[str, float]:
        """The parameter that is farthest from the port's after this step, and how far, in learning rates."""
        gradients = step.gradients(self.rule.mode)
        gradient = _flat(gradients, self.names)
        unmoved = _flat({name: _unmoved(g) for name, g in gradients.items()}, self.names) > 0
        self.solid &= unmoved | (gradient.abs() > _ROUNDING * gradient.abs().max())
        self._step(_flat(step.before, self.names), gradient)
        off = (self.parameter.detach() - _flat(step.after, self.names)).abs() * self.solid / self.lr
        worst = int(off.argmax())
        return self._name_of(worst, step.before), float(off[worst])

    def _step(self, before: Tensor, gradient: Tensor) -> None:
        rule, p = self.rule, self.parameter
        p.data = before
        gradient = rule.loss_scale * gradient
        p.grad = p.grad + gradient if rule.accumulates and p.grad is not None else gradient
        if rule.max_norm is not None:
            r_semantics.clip_grad_norm([p], rule.max_norm)
        if rule.max_value is not None:
            p.grad.clamp_(-rule.max_value, rule.max_value)
        for _ in range(rule.steps):
            self.optimizer.step()

    def _name_of(self, place: int, vectors: Vectors) -> str:
        for name in self.names:
            place -= vectors[name].numel()
            if place < 0:
                return name
        return self.names[-1]


def _unmoved(gradient: Tensor) -> Tensor:
    """Which elements have no gradient at all, and not by rounding: whole rows that no token of the batch uses.

    A parameter that the loss does not reach is left alone by PyTorch and decays in R: it is not judged.
    """
    still = gradient == 0
    if gradient.dim() < 2 or bool(still.all()):
        return torch.zeros_like(gradient)
    return (still.all(-1, keepdim=True) | still.all(0, keepdim=True)).expand_as(gradient).double()


def _flat(vectors: Vectors, names: Sequence[str]) -> Tensor:
    return torch.cat([vectors[name].double().flatten() for name in names])
