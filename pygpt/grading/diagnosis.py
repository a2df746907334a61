"""What a port's forward pass is: R's, R's with a few known changes, or, part by part, how much of it is R's.

The whole comes first. All of R's parameters are drawn, sizes, lengths and batches too, and the logits are held against
R's. Where they differ, the nearest reference is looked for: the changes of `changes` that give the port's logits
exactly, on every question. What no change explains is judged part by part: with the last weights of all other parts
zero, the logits must be R's all the same. Questions of all kinds come in one request, shuffled; none can be answered
without the work: what a port lacks is taken out of no reference but by a change that costs its points.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

import torch
from torch import Tensor

from pygpt.grading.algebra import Algebra, R, forward
from pygpt.grading.changes import Change, changed_masks, explanations
from pygpt.grading.port import Port, Question
from pygpt.grading.r_model import BLOCK_PARTS, Weights, normal_weights, silent
from pygpt.isolation.session import AnswerError
from pygpt.output.messages import Message
from pygpt.r_files.weights import Weights as WeightsOfFile
from pygpt.settings import ModelName, ModelSettings

Place = tuple[int, str]
"""A block (from 0) and a part of it, `MH` or `FFN`."""
Draw = Callable[..., ModelSettings]
BLOCKS_ALONE = 2
"""Blocks of the model that is asked part by part, where an exercise's models have so many."""
BASE: Place = (-1, "base")
"""What is left where no block adds anything: embedding, final norm, output layer."""
_LARGE_SCORES, _SLACK, _TINY = 14.0, 500.0, 3e-3


@dataclass(frozen=True)
class Asked:
    """A question, and what came back: logits, or why there are none."""

    settings: ModelSettings
    question: Question
    slack: float = 1.0
    """How many times the tolerance is allowed, where the question itself is sensitive to rounding."""
    alone: Place | None = None
    """The one place that acts, where all others are silent."""
    answer: Tensor | None = None
    problem: Message | None = None


@dataclass(frozen=True)
class Gap:
    """How far logits are from those that were expected."""

    expected: float
    actual: float
    window: int
    position: int
    row: int
    """Of the vocabulary, from 0; window and position from 1."""
    deviations: float
    """The largest difference, in standard deviations of what was expected."""


@dataclass(frozen=True)
class Diagnosis:
    """What is known of a model's forward pass.

    Attributes:
        changes: what it does otherwise than R, as far as it is known.
        explained: whether these changes give its logits exactly, on every question.
        algebra: R's algebra with these changes.
        in_training: the algebra in train mode, without dropout; another one than `algebra` if the mask depends on the
            mode, None where something else does.
        gap: from R, on the first question where it shows; None where it is R's.
        problem: why a question had no answer.
        blocks: how many were asked part by part.
        right: where no change explains it, the places that are R's, or R's with these changes, when they alone act.
    """

    model: ModelName
    changes: tuple[Change, ...]
    explained: bool
    algebra: Algebra
    in_training: Algebra | None
    gap: Gap | None
    problem: Message | None
    right: frozenset[Place] = frozenset()
    blocks: int = BLOCKS_ALONE

    @property
    def trained(self) -> Algebra:
        """What training is held against: `in_training` where it is known."""
        return self.in_training or self.algebra

    @property
    def unanswered(self) -> Message | None:
        """Why there is nothing to judge; None where something came back."""
        return None if self.explained or self.right or self.gap is not None else self.problem

    @property
    def wrong_parts(self) -> int:
        """How many kinds of parts are not right by themselves; 3 where even what is around the blocks is not."""
        kinds = BLOCK_PARTS[self.model]
        wrong = [kind for kind in kinds if not {(j, kind) for j in range(self.blocks)} <= self.right]
        return len(wrong) if BASE in self.right else 3

    def costs(self, check: str) -> list[Change]:
        """The changes that a check takes its points for."""
        return [change for change in self.changes if change.costs(check)]


def diagnose(
    port: Port,
    model: ModelName,
    draw: Draw,
    own: ModelSettings,
    rng: torch.Generator,
    tolerance: float,
    trained: WeightsOfFile | None = None,
) -> Diagnosis:
    """Ask a port about one of its models.

    Args:
        draw: `exam.settings`: draws the sizes of a small model.
        own: the exercise's own model.
        trained: weights that are asked about beside the drawn ones, if they are this model's.

    Raises:
        AnswerError: the model cannot be built, or its weights cannot be carried over.
    """
    asked = [a for questions in _requests(model, draw, own, trained, rng) for a in _answered(port, questions, rng)]
    # The quickest to compute decides first.
    whole = sorted((a for a in asked if not (a.alone or a.question.train)), key=_size)
    # The exercise's own size says most.
    problem = next((a.problem for a in reversed(whole) if a.problem is not None), None)
    gap = next((g for a in whole if (g := gap_of(R, a, tolerance)) is not None), None)
    # Of every size that was built: a later one may lack what the first had.
    lacking = {name for a in asked for name in _lacking(port, a.settings)}
    for changes, algebra in explanations(model, lacking):
        if all(_explains(algebra, a, tolerance) for a in whole):
            masks = (other for other in changed_masks(algebra) if other != algebra)
            in_training = [a for a in asked if a.question.train]
            fitting = (a for a in chain([algebra], masks) if all(_explains(a, q, tolerance) for q in in_training))
            return Diagnosis(model, changes, True, algebra, next(fitting, None), gap, problem if changes else None)
    alone = {a.alone: a for a in asked if a.alone}
    asked_so = alone[BASE].settings
    parts, blocks = _lacking(port, asked_so), asked_so.n_layer
    return _part_by_part(Diagnosis(model, (), False, R, R, gap, problem, blocks=blocks), alone, parts, tolerance)


def _size(asked: Asked) -> int:
    return asked.settings.n_embd * asked.question.rows.numel()


def _answered(port: Port, questions: Sequence[Asked], rng: torch.Generator) -> list[Asked]:
    """All of these questions, of one size, in one request."""
    order = [questions[i] for i in torch.randperm(len(questions), generator=rng).tolist()]
    answers = port.answers(order[0].settings, [asked.question for asked in order])
    return [
        replace(asked, problem=answer.message) if isinstance(answer, AnswerError) else replace(asked, answer=answer)
        for asked, answer in zip(order, answers, strict=True)
    ]


def _explains(algebra: Algebra, asked: Asked, tolerance: float) -> bool:
    try:
        expected = forward(algebra, asked.settings, asked.question.weights, asked.question.rows)
    except IndexError:  # as where positions are counted from 1 and the block is full
        return asked.answer is None
    return asked.answer is not None and gap(expected, asked.answer, asked.slack * tolerance) is None


def _part_by_part(
    whole: Diagnosis, alone: Mapping[Place, Asked], lacking: Collection[str], tolerance: float
) -> Diagnosis:
    """What no change explains: each place alone, all others with zero last weights."""
    base = [name for name in lacking if not name.startswith(("MH.", "FFN.", "scale1.", "scale2."))]
    for changes, algebra in explanations(whole.model, base, most=1):
        if not _explains(algebra, alone[BASE], tolerance):
            continue
        right = {
            place for place, asked in alone.items()
            if not any(name.startswith(f"{place[1]}.{place[0]}.") for name in lacking)
            and _explains(algebra, asked, tolerance)
        }  # fmt: skip
        return replace(whole, changes=changes, algebra=algebra, in_training=algebra, right=frozenset(right))
    return whole


def _lacking(port: Port, settings: ModelSettings) -> set[str]:
    """R's parameters that the port has not, or not for themselves."""
    carried = port.built(settings).carried
    return {*carried.missing, *carried.tied}


def silent_but(drawn: Weights, settings: ModelSettings, place: Place) -> Weights:
    """Weights with which this place alone acts; with BASE no block does."""
    blocks = range(settings.n_layer)
    weights = silent(drawn, [j for j in blocks if j != place[0]])
    others = tuple(part for part in ("MH", "FFN") if part != place[1])
    return silent(weights, [place[0]], others) if place != BASE else silent(drawn, blocks)


def gap_of(algebra: Algebra, asked: Asked, tolerance: float) -> Gap | None:
    """How far the answer is from the algebra's logits; None where it is them."""
    if asked.answer is None:
        return None
    expected = forward(algebra, asked.settings, asked.question.weights, asked.question.rows)
    return gap(expected, asked.answer, asked.slack * tolerance)


def gap(expected: Tensor, actual: Tensor, tolerance: float) -> Gap | None:
    """How far logits (batch, k, nvoc) are from others; None within `tolerance` standard deviations."""
    scale = max(float(expected.std()), 1e-30)
    difference = (actual - expected).abs()
    if bool((difference <= tolerance * scale).all()):
        return None
    flat = int(torch.nan_to_num(difference, nan=torch.inf).argmax())
    _, k, nvoc = expected.shape
    where = (flat // (k * nvoc) + 1, flat // nvoc % k + 1, flat % nvoc)
    return Gap(float(expected.flatten()[flat]), float(actual.flatten()[flat]), *where, float(difference.max()) / scale)


def _requests(
    model: ModelName, draw: Draw, own: ModelSettings, trained: WeightsOfFile | None, rng: torch.Generator
) -> Iterator[list[Asked]]:
    """Two drawn sizes, the second of as many blocks as are asked alone; the exercise's own; and trained weights."""
    settings = draw(model, rng)
    lengths = _lengths(settings, rng)
    in_training = replace(lengths[-2].question, train=True)  # one short of the block
    yield [*lengths, replace(lengths[-2], question=in_training)]
    settings = draw(model, rng, n_layer=BLOCKS_ALONE)
    drawn = normal_weights(settings, rng)
    # Values so small that eps shows.
    small = {name: w * _TINY if name.endswith(("wte.weight", "wpe.weight", "out_proj.weight", "out_proj.bias",
             "2.weight", "2.bias")) else w for name, w in normal_weights(settings, rng).items()}  # fmt: skip
    asked = [*_lengths(settings, rng), Asked(settings, Question(small, _rows(settings, 2, -1, rng)))]
    if model == "gpt":
        # Scores so large that a mask of -100 shows.
        large = {n: w * _LARGE_SCORES if "in_proj" in n else w for n, w in normal_weights(settings, rng).items()}
        asked.append(Asked(settings, Question(large, _rows(settings, 2, 0, rng)), _SLACK))
    rows = _rows(settings, 2, -1, rng)
    for place in (BASE, *((j, part) for j in range(settings.n_layer) for part in BLOCK_PARTS[model])):
        asked.append(Asked(settings, Question(silent_but(drawn, settings, place), rows), alone=place))
    yield asked
    yield [Asked(own, Question(normal_weights(own, rng), _rows(own, 1, 0, rng)))]
    if trained is not None and trained.settings.model == model:
        weights = {name: value.double() for name, value in trained.tensors.items()}
        yield [Asked(trained.settings, Question(weights, _rows(trained.settings, 1, 0, rng)))]


def _lengths(settings: ModelSettings, rng: torch.Generator) -> list[Asked]:
    weights, block = normal_weights(settings, rng), settings.block_size
    # Single tokens come in pairs, whole blocks alone; batches between are drawn.
    drawn = [1 + int(torch.randint(2, (1,), generator=rng)) for _ in range(2)]
    batches = {1: 2, block // 2: drawn[0], block - 1: drawn[1], block: 1}
    return [Asked(settings, Question(weights, _rows(settings, b, k - block, rng))) for k, b in batches.items()]


def _rows(settings: ModelSettings, batch: int, more: int, rng: torch.Generator) -> Tensor:
    """Drawn rows, `more` than a block (or fewer, below 0) long."""
    return torch.randint(0, settings.vocab_size, (batch, settings.block_size + more), generator=rng)
