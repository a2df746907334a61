"""What a port drops in training, told by its logits: bit by bit where it draws masks in R's order, else by moments.

In train mode and with a seed, a port draws the masks that R's algebra draws with that seed, and its logits are the
reference's. Where they are not, what ports usually drop otherwise is tried. A port that draws in another order has
other masks: many equal rows then have R's mean and standard deviation at every logit, or those of what it does instead.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import combinations

import torch
from torch import Tensor

from pygpt.grading.algebra import Algebra, forward
from pygpt.grading.diagnosis import BASE, Diagnosis, gap, silent_but
from pygpt.grading.drawn import normal_weights
from pygpt.grading.drops import DROPS, PLACES, Drop
from pygpt.grading.isolation.session import AnswerError
from pygpt.grading.port import BLOCK_PARTS, Port, Weights
from pygpt.output.messages import Message
from pygpt.settings import ModelSettings

_ROWS, _LENGTH, _DIRECTIONS = 5000, 3, 200
# Mean square of standard scores: seen from 0.8 to 1.3 where nothing differs, from 3 on where something does.
_NOISE = 2.0
_ALIVE = 1e-3


@dataclass(frozen=True)
class Dropping:
    """What is known of a model's dropout.

    Attributes:
        drops: what it drops otherwise than R, as far as it is known.
        algebra: the reference with that.
        exact: whether `algebra` draws the port's very masks.
        known: whether `drops` says all, by the masks or by moments.
        problem: why there was no answer for rows longer than one token.
        right: where the forward pass is not known, the places (checks) that were seen to drop as they should.
    """

    drops: tuple[Drop, ...]
    algebra: Algebra
    exact: bool
    known: bool
    problem: Message | None = None
    right: frozenset[str] = frozenset()


_Question = tuple[ModelSettings, Weights, Tensor, int]


def dropping_of(
    port: Port, diagnosis: Diagnosis, draw: Callable[..., ModelSettings], rng: torch.Generator, tolerance: float
) -> Dropping:
    """Ask a port about the dropout of one of its models.

    Raises:
        AnswerError: the model gives no answer in train mode even for single tokens.
    """
    # Not near to another rate that is tried.
    settings = draw(diagnosis.model, rng, dropout=0.27 + 0.06 * float(torch.rand(1, generator=rng)))
    weights = normal_weights(settings, rng)
    if not diagnosis.explained:
        return _by_places(port, diagnosis, settings, weights, rng, tolerance)
    asked, answer, problem = _answered(port, settings, weights, rng)
    for drops, algebra in _variants(diagnosis):
        if gap(_reference(algebra, asked), answer, tolerance) is None:
            return Dropping(drops, _in_eval(port, algebra, asked, tolerance), True, True, problem)
    known = _by_moments(port, diagnosis, settings, weights, rng, 1 if problem is not None else _LENGTH)
    return replace(known, problem=problem)


def _answered(
    port: Port, settings: ModelSettings, weights: Weights, rng: torch.Generator
) -> tuple[_Question, Tensor, Message | None]:
    """Some rows; where they get no answer, rows of one token: a score of -inf that is dropped is no number."""
    problem = None
    for length in (settings.block_size - 1, 1):
        x = torch.randint(0, settings.vocab_size, (3, length), generator=rng)
        seed = _whole(rng)
        try:
            (answer,) = port.logits(settings, weights, [x], train=True, seeds=(seed,))
        except AnswerError as failed:
            if failed.fatal or length == 1:
                raise
            problem = failed.message
        else:
            break
    return (settings, weights, x, seed), answer, problem


def _in_eval(port: Port, algebra: Algebra, question: _Question, tolerance: float) -> Algebra:
    """The algebra with what is dropped in eval mode, too: one place or all."""
    settings, weights, x, seed = question
    (answer,) = port.logits(settings, weights, [x], seeds=(seed,))
    for places in (frozenset[str](), *(frozenset({place}) for place in sorted(algebra.drop)), algebra.drop):
        changed = algebra.changed(in_eval=places)
        if gap(_reference(changed, question, train=False), answer, tolerance) is None:
            return changed
    return algebra


def _variants(diagnosis: Diagnosis) -> Iterator[tuple[tuple[Drop, ...], Algebra]]:
    """What a port may drop: R's first, then one thing otherwise, two, and all three alike."""
    fitting = [drop for drop in DROPS if drop.check in places_of(diagnosis)]
    alike = [tuple(d for d in fitting if (d.words.template, _rate_of(d)) in kind) for kind in _alike(fitting)]
    several = [some for count in (0, 1, 2) for some in combinations(fitting, count)] + alike
    for drops in several:
        if len({drop.check for drop in drops}) < len(drops):
            continue
        for by_head in (False, True) if "dropout.attention" in places_of(diagnosis) else (False,):
            yield drops, _with(diagnosis.trained, drops).changed(head_by_head=by_head)


def _rate_of(drop: Drop) -> str:
    return next((rate for _, rate in drop.rates), "")


def _alike(fitting: list[Drop]) -> list[set[tuple[str, str]]]:
    """All places without dropout, or all at one other rate."""
    kinds = {_rate_of(drop) for drop in fitting if drop.rates or not drop.places}
    return [
        {(d.words.template, _rate_of(d)) for d in fitting if _rate_of(d) == kind and (d.rates or not d.places)}
        for kind in sorted(kinds)
    ]


def _with(algebra: Algebra, drops: tuple[Drop, ...]) -> Algebra:
    others = {drop.check: drop for drop in drops}
    places = frozenset[str]().union(*(others[c].places if c in others else {p} for c, p in PLACES.items()))
    return algebra.changed(drop=places, rates=frozenset[tuple[str, str]]().union(*(drop.rates for drop in drops)))


def places_of(diagnosis: Diagnosis) -> list[str]:
    """The checks of the places that a model has."""
    has = {"dropout.embedding"}
    if diagnosis.model == "gpt" and diagnosis.trained.attention != "none":
        has.add("dropout.attention")
    if diagnosis.trained.ffn != "none":
        has.add("dropout.ffn")
    return [check for check in PLACES if check in has]


def _reference(algebra: Algebra, question: _Question, train: bool = True) -> Tensor:
    settings, weights, x, seed = question
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        return forward(algebra, settings, weights, x, train)


def _by_moments(
    port: Port, diagnosis: Diagnosis, settings: ModelSettings, weights: Weights, rng: torch.Generator, length: int
) -> Dropping:
    """The nearest of what ports drop, by mean and variance of drawn mixtures of the logits over many equal rows.

    Mixtures of the logits of all positions show not only how much each moves but also what moves together.
    """
    x = torch.randint(0, settings.vocab_size, (1, length), generator=rng).repeat(_ROWS, 1)
    directions = torch.randn(length * settings.vocab_size, _DIRECTIONS, generator=rng, dtype=torch.float64)

    def seen(logits: Tensor) -> Tensor:
        return logits.double().flatten(1) @ directions

    own = seen(port.logits(settings, weights, [x], train=True, seeds=(_whole(rng),))[0])
    narrow = {name: w.float() for name, w in weights.items()}

    def distance(algebra: Algebra, rows: int) -> float:
        return _distance(own, seen(_reference(algebra, (settings, narrow, x[:rows], _whole(rng)))))

    best = _Near(distance(diagnosis.trained, _ROWS), (), diagnosis.trained)
    for count in (1, 2, 3):
        if best.distance <= _NOISE:
            break
        others = [
            _Near(distance(algebra, _ROWS // 8), drops, algebra)
            for drops, algebra in _variants(diagnosis)
            if len(drops) == count and not algebra.head_by_head and not (count > 1 and any(d.rates for d in drops))
        ]
        likely = sorted(others, key=_Near.key)[:4]
        best = min([best, *(replace(n, distance=distance(n.algebra, _ROWS)) for n in likely)], key=_Near.key)
    return Dropping(best.drops, best.algebra, False, best.distance <= _NOISE)


@dataclass(frozen=True)
class _Near:
    """How far a variant is from what was seen."""

    distance: float
    drops: tuple[Drop, ...]
    algebra: Algebra

    def key(self) -> float:
        return self.distance


def _distance(own: Tensor, right: Tensor) -> float:
    """Mean square of the standard scores of mean and mean square, over all columns of (rows, n)."""
    scores = []
    for moment in (1, 2):
        # The squares are taken from one middle, so that both moments hang on the same thing.
        a, b = ((t - right.mean(0)) ** moment for t in (own, right))
        error = (a.var(0) / len(a) + b.var(0) / len(b)).clamp(min=1e-12)
        scores.append((a.mean(0) - b.mean(0)) ** 2 / error)
    return float(torch.cat(scores).mean())


def _by_places(
    port: Port,
    diagnosis: Diagnosis,
    settings: ModelSettings,
    weights: Weights,
    rng: torch.Generator,
    tolerance: float,
) -> Dropping:
    """Where the forward pass is not known: each place when it alone acts, by the masks, by moments, or by its noise."""
    right: set[str] = set()
    part_of = {"dropout.attention": "MH", "dropout.ffn": "FFN"}
    for check in PLACES:
        part = part_of.get(check, "base")
        if check != "dropout.embedding" and part not in BLOCK_PARTS[diagnosis.model]:
            continue
        blocks = range(settings.n_layer)
        place = BASE if part == "base" else next(((j, part) for j in blocks if (j, part) in diagnosis.right), (0, part))
        alone = silent_but(weights, settings, place)
        silenced = silent_but(weights, settings, BASE) if place != BASE else None
        exactly = place in diagnosis.right and _exactly(port, diagnosis, settings, alone, rng, tolerance)
        if exactly or _drops_at_all(port, settings, alone, silenced, rng):
            right.add(check)
    return Dropping((), diagnosis.trained, False, False, right=frozenset(right))


def _exactly(
    port: Port,
    diagnosis: Diagnosis,
    settings: ModelSettings,
    weights: Weights,
    rng: torch.Generator,
    tolerance: float,
) -> bool:
    asked, answer, _ = _answered(port, settings, weights, rng)
    by_head = (diagnosis.trained.changed(head_by_head=some) for some in (False, True))
    return any(gap(_reference(algebra, asked), answer, tolerance) is None for algebra in by_head)


def _drops_at_all(
    port: Port, settings: ModelSettings, weights: Weights, without: Weights | None, rng: torch.Generator
) -> bool:
    """Whether the place acts on the logits, in eval mode always alike, and in train mode otherwise with each seed."""
    x = torch.randint(0, settings.vocab_size, (3, settings.block_size - 1), generator=rng)
    seeds = (_whole(rng), _whole(rng))
    still = port.logits(settings, weights, [x, x], seeds=seeds)
    moved = port.logits(settings, weights, [x, x], train=True, seeds=seeds)
    acts = float(still[0].std()) > 0 if without is None else _apart(still[0], port.logits(settings, without, [x])[0])
    return acts and bool((still[0] == still[1]).all()) and _apart(*moved)


def _apart(a: Tensor, b: Tensor) -> bool:
    return float((a - b).std()) > _ALIVE * float(a.std())


def _whole(rng: torch.Generator) -> int:
    return int(torch.randint(1 << 30, (1,), generator=rng))
