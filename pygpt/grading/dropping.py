"""What a port drops in training, told by its logits: bit by bit where it draws masks in R's order, else place by place.

In train mode and with a seed, a port draws the masks that R's algebra draws with that seed, and its logits are the
reference's. Where they are not, each place is asked alone: what the others drop acts on zeros. Many equal rows then
have the moments of R's way at this place, or of a usual other one, whatever the order in which masks are drawn.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from pygpt.grading.algebra import Algebra, forward
from pygpt.grading.diagnosis import BASE, Diagnosis, gap
from pygpt.grading.drops import DROPS, R_DROPS, Drop
from pygpt.grading.port import Port, Question
from pygpt.grading.r_model import Weights, normal_weights, silent
from pygpt.isolation.session import AnswerError, or_raised
from pygpt.output.messages import Message
from pygpt.settings import ModelSettings

_ROWS, _LENGTH, _DIRECTIONS = 4000, 3, 60
# Mean square of standard scores: seen from 0.5 to 1.5 where nothing differs, from 10 on where something does.
_NOISE = 3.0
_ALIVE = 1e-3
_PARTS = {"dropout.attention": "MH", "dropout.ffn": "FFN"}


@dataclass(frozen=True)
class Dropping:
    """What is known of a model's dropout.

    Attributes:
        drops: what it drops otherwise than R.
        unknown: checks of the places where neither R's way nor a usual other one was seen.
        algebra: the reference with `drops`.
        exact: whether `algebra` draws the port's very masks.
        problem: why there was no answer for rows longer than one token.
    """

    drops: tuple[Drop, ...]
    unknown: frozenset[str]
    algebra: Algebra
    exact: bool
    problem: Message | None


def dropping_of(
    port: Port, diagnosis: Diagnosis, draw: Callable[..., ModelSettings], rng: torch.Generator, tolerance: float
) -> Dropping:
    """Ask a port about the dropout of one of its models.

    Raises:
        AnswerError: the model gives no answer in train mode even for single tokens.
    """
    # Not near to another rate that is tried.
    settings = draw(diagnosis.model, rng, dropout=0.27 + 0.06 * float(torch.rand(1, generator=rng)))
    asked = _Asked(port, diagnosis, settings, normal_weights(settings, rng), rng)
    masks, problem = asked.masks()
    exact = asked.drawn_by(diagnosis.trained, masks, tolerance)
    if exact is not None and problem is None:
        return Dropping((), frozenset(), exact, True, None)
    drops: dict[str, Drop] = {}
    # The last place first: a sum that is dropped there drops what comes from the others, too.
    for check in reversed(places := places_of(diagnosis)):
        if (drop := asked.at(check, drops, 1 if problem else _LENGTH)) is not None:
            drops[check] = drop
    algebra = dropped(diagnosis.trained, drops)
    exact = asked.drawn_by(algebra, masks, tolerance)
    others = tuple(drop for drop in drops.values() if drop in DROPS)
    return Dropping(others, frozenset(places) - drops.keys(), exact or algebra, exact is not None, problem)


def dropped(algebra: Algebra, drops: dict[str, Drop]) -> Algebra:
    """The algebra with what is dropped at some of R's places, by check; elsewhere it is R's."""
    return algebra.changed(
        drop=frozenset[str]().union(*(drop.places for drop in (R_DROPS | drops).values())),
        rates=frozenset[tuple[str, str]]().union(*(drop.rates for drop in drops.values())),
    )


def places_of(diagnosis: Diagnosis) -> list[str]:
    """The checks of the places that a model has."""
    attends = diagnosis.model == "gpt" and diagnosis.trained.attention != "none"
    has = {"dropout.embedding": True, "dropout.attention": attends, "dropout.ffn": diagnosis.trained.ffn != "none"}
    return [check for check in R_DROPS if has[check]]


@dataclass(frozen=True)
class _Masks:
    """What came back in train mode and in eval mode, with one seed."""

    question: Question
    train: Tensor
    eval: Tensor


@dataclass
class _Asked:
    """One model that drops values."""

    port: Port
    diagnosis: Diagnosis
    settings: ModelSettings
    weights: Weights
    rng: torch.Generator

    def masks(self) -> tuple[_Masks, Message | None]:
        """Of some rows; where they get no answer, of one token: a score of -inf that is dropped is no number."""
        rows = [self._rows(3, length) for length in (self.settings.block_size - 1, 1)]
        asked = [Question(self.weights, x, True, self._seed()) for x in rows]
        still = [replace(question, train=False) for question in asked]
        long, short, *evals = self.port.answers(self.settings, [*asked, *still])
        if isinstance(long, AnswerError):
            return _Masks(asked[1], or_raised(short), or_raised(evals[1])), long.message
        return _Masks(asked[0], long, or_raised(evals[0])), None

    def drawn_by(self, algebra: Algebra, masks: _Masks, tolerance: float) -> Algebra | None:
        """The algebra that draws these very masks: perhaps head by head, perhaps also in eval mode."""
        places = (frozenset[str](), *(frozenset({place}) for place in sorted(algebra.drop)), algebra.drop)
        for drawn in (algebra.changed(head_by_head=by_head) for by_head in (False, True)):
            if self.diagnosis.explained and not gap(self._reference(drawn, masks.question), masks.train, tolerance):
                still = replace(masks.question, train=False)
                also = (drawn.changed(in_eval=some) for some in places)
                return next((a for a in also if not gap(self._reference(a, still), masks.eval, tolerance)), drawn)
        return None

    def at(self, check: str, known: dict[str, Drop], length: int) -> Drop | None:
        """What is dropped at a place when it alone acts, with what is known of others; None where that is unknown.

        Where not even the forward pass is known there, whatever drops values in training alone passes for R's.
        """
        d, part = self.diagnosis, _PARTS.get(check, "")
        blocks = [j for j in range(self.settings.n_layer) if part and (d.explained or (j, part) in d.right)]
        if not (blocks or (not part and (d.explained or BASE in d.right))):
            return R_DROPS[check] if self._drops_at_all(part) else None
        weights, x = self._alone(part, blocks), self._rows(1, length).repeat(_ROWS, 1)
        # Twice: of a right port, chance may take one far off, but not both.
        answers = self.port.logits(self.settings, weights, [x, x], True, (self._seed(), self._seed()))
        narrow = {name: w.float() for name, w in weights.items()}
        directions = torch.randn(answers[0][0].numel(), _DIRECTIONS, generator=self.rng)

        def distance(drop: Drop) -> float:
            question = Question(narrow, x, True, self._seed())
            expected = self._reference(dropped(d.trained, {**known, check: drop}), question)
            return min(_distance(answer, expected, directions) for answer in answers)

        drops = [drop for drop in (R_DROPS[check], *DROPS) if drop.check == check]
        if length == 1 and part == "MH":
            drops = [drop for drop in drops if "before softmax" in drop.places]  # all else gives numbers
        if (first := distance(drops[0])) < _NOISE:
            return drops[0]
        far, nearest = min([(first, 0), *((distance(drop), i) for i, drop in enumerate(drops[1:], 1))])
        return drops[nearest] if far < _NOISE else None

    def _alone(self, part: str, blocks: list[int]) -> Weights:
        """Weights with which nothing that is dropped elsewhere acts: no embedding where it is another place."""
        every = range(self.settings.n_layer)
        if not part:
            return silent(self.weights, every)
        others = silent(self.weights, every, tuple({"MH", "FFN"} - {part}))
        weights = silent(others, [j for j in every if j not in blocks])
        # A tied output layer would be silent with it.
        none = () if self.diagnosis.trained.tied else ("wte.weight", "wpe.weight")
        return weights | {name: torch.zeros_like(weights[name]) for name in none}

    def _drops_at_all(self, part: str) -> bool:
        """Whether the place acts on the logits: in eval mode always alike, in train mode otherwise with each seed."""
        x, alone = self._rows(3, self.settings.block_size - 1), self._alone(part, [0])
        asked = [Question(alone, x, train, self._seed()) for train in (False, False, True, True)]
        without = Question(silent(alone, range(self.settings.n_layer)), x)
        answers = self.port.answers(self.settings, [*asked, without])
        still, again, moved, other, silenced = map(or_raised, answers)
        acts = _apart(still, silenced) if part else float(still.std()) > 0
        return acts and bool((still == again).all()) and _apart(moved, other)

    def _reference(self, algebra: Algebra, question: Question) -> Tensor:
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.manual_seed(question.seed)
            return forward(algebra, self.settings, question.weights, question.rows, question.train)

    def _rows(self, batch: int, length: int) -> Tensor:
        return torch.randint(0, self.settings.vocab_size, (batch, length), generator=self.rng)

    def _seed(self) -> int:
        return int(torch.randint(1 << 30, (1,), generator=self.rng))


def _distance(own: Tensor, right: Tensor, directions: Tensor) -> float:
    """Mean square of the standard scores of mean and mean square, of mixtures of the logits (rows, k, nvoc).

    Mixtures of all positions show not only how much each logit moves but also what moves together.
    """
    mixed = [(logits.float().flatten(1) @ directions).double() for logits in (own, right)]
    scores = []
    for moment in (1, 2):
        # The squares are taken from one middle, so that both moments hang on the same thing.
        a, b = ((t - mixed[1].mean(0)) ** moment for t in mixed)
        error = (a.var(0) / len(a) + b.var(0) / len(b)).clamp(min=1e-12)
        scores.append((a.mean(0) - b.mean(0)) ** 2 / error)
    return float(torch.cat(scores).mean())


def _apart(a: Tensor, b: Tensor) -> bool:
    return float((a - b).std()) > _ALIVE * float(a.std())
