"""What a port's forward pass is: R's, R's with a few known changes, or, part by part, how much of it is R's.

The whole comes first. All of R's parameters are drawn, sizes, lengths and batches too, and the logits are held against
R's. Where they differ, the nearest reference is looked for: the changes of `changes` that give the port's logits
exactly, on every question. What no change explains is asked part by part: with the last weights of all other parts
zero, the logits must be R's all the same. No question can be answered without the work: what a port lacks is taken out
of no reference but by a change that costs its points.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import TypeVar

import torch
from torch import Tensor

from pygpt.grading.algebra import Algebra, R, forward
from pygpt.grading.changes import Change, changed_masks, explanations
from pygpt.grading.drawn import normal_weights, silent
from pygpt.grading.isolation.session import AnswerError
from pygpt.grading.port import BLOCK_PARTS, Port, Weights
from pygpt.output.messages import Message
from pygpt.r_files.weights import Weights as WeightsOfFile
from pygpt.settings import ModelName, ModelSettings

Place = tuple[int, str]
"""A block (from 0) and a part of it, `MH` or `FFN`."""
Draw = Callable[..., ModelSettings]
_T = TypeVar("_T")
BLOCKS_ALONE = 2
"""Blocks of the model that is asked part by part."""
BASE: Place = (-1, "base")
"""What is left where no block adds anything: embedding, final norm, output layer."""
_LARGE_SCORES, _SLACK, _TINY = 14.0, 500.0, 3e-3


@dataclass(frozen=True)
class Question:
    """Weights under R's names and rows, and what came back: logits, or why there are none."""

    settings: ModelSettings
    weights: Weights
    rows: Tensor
    slack: float = 1.0
    """How many times the tolerance is allowed, where the question itself is sensitive to rounding."""
    answer: Tensor | None = None
    problem: Message | None = None


@dataclass(frozen=True)
class Gap:
    """How far logits are from those that were expected."""

    expected: float
    actual: float
    position: int
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

    @property
    def trained(self) -> Algebra:
        """What training is held against: `in_training` where it is known."""
        return self.in_training or self.algebra

    @property
    def wrong_parts(self) -> int:
        """How many kinds of parts are not right by themselves; 3 where even what is around the blocks is not."""
        kinds = BLOCK_PARTS[self.model]
        wrong = [kind for kind in kinds if not {(j, kind) for j in range(BLOCKS_ALONE)} <= self.right]
        return len(wrong) if BASE in self.right else 3

    def costs(self, check: str) -> list[Change]:
        """The changes that a check takes its points for."""
        return [change for change in self.changes if change.costs(check)]


def diagnose(
    port: Port,
    model: ModelName,
    draw: Draw,
    rng: torch.Generator,
    tolerance: float,
    trained: WeightsOfFile | None = None,
) -> Diagnosis:
    """Ask a port about one of its models.

    Args:
        draw: `exam.settings`: draws the sizes of a small model.
        trained: weights that are asked about beside the drawn ones, if they are this model's.

    Raises:
        AnswerError: the model cannot be built, or its weights cannot be carried over.
    """
    questions = [*_questions(model, draw, rng), *_of_file(model, trained, rng)]
    asked = [_answered(port, q) for q in _shuffled(questions, rng)]
    asked.sort(key=lambda q: q.settings.n_embd * q.rows.numel())  # the quickest to compute decides first
    problem = next((q.problem for q in asked if q.problem is not None), None)
    gap = next((g for q in asked if (g := gap_of(R, q, tolerance)) is not None), None)
    # Of every size that was built: a later one may lack what the first had.
    lacking = {name for q in asked for name in _lacking(port, q.settings)}
    for changes, algebra in explanations(model, lacking):
        if all(_explains(algebra, q, tolerance) for q in asked):
            in_training = _in_training(port, algebra, draw(model, rng), rng, tolerance)
            return Diagnosis(model, changes, True, algebra, in_training, gap, problem if changes else None)
    return _part_by_part(port, Diagnosis(model, (), False, R, R, gap, problem), draw, rng, tolerance)


def _in_training(
    port: Port, algebra: Algebra, settings: ModelSettings, rng: torch.Generator, tolerance: float
) -> Algebra | None:
    rows = _rows(settings, 2, settings.block_size - 1, rng)
    asked = _answered(port, Question(settings, normal_weights(settings, rng), rows), train=True)
    masks = (other for other in changed_masks(algebra) if other != algebra)
    return next((a for a in chain([algebra], masks) if _explains(a, asked, tolerance)), None)


def _answered(port: Port, question: Question, train: bool = False) -> Question:
    settings, rows = question.settings, question.rows
    try:
        (answer,) = port.logits(settings, question.weights, [rows], train=train)
    except AnswerError as failed:
        if failed.fatal:
            raise
        port.built(settings)  # a model that cannot be built has no forward pass to speak of
        return replace(question, problem=failed.message)
    return replace(question, answer=answer)


def _explains(algebra: Algebra, question: Question, tolerance: float) -> bool:
    try:
        expected = forward(algebra, question.settings, question.weights, question.rows)
    except IndexError:  # as where positions are counted from 1 and the block is full
        return question.answer is None
    return question.answer is not None and gap(expected, question.answer, question.slack * tolerance) is None


def _part_by_part(port: Port, whole: Diagnosis, draw: Draw, rng: torch.Generator, tolerance: float) -> Diagnosis:
    """What no change explains: each place alone, all others with zero last weights."""
    settings = draw(whole.model, rng, n_layer=BLOCKS_ALONE)
    drawn = normal_weights(settings, rng)
    places = [(j, part) for j in range(settings.n_layer) for part in BLOCK_PARTS[whole.model]]
    rows = _rows(settings, 2, settings.block_size - 1, rng)
    alone = {BASE: Question(settings, silent_but(drawn, settings, BASE), rows)}
    alone |= {place: Question(settings, silent_but(drawn, settings, place), rows) for place in places}
    order = _shuffled(list(alone), rng)
    answers = {place: _answered(port, alone[place]) for place in order}
    lacking = _lacking(port, settings)
    base = [name for name in lacking if not name.startswith(("MH.", "FFN.", "scale1.", "scale2."))]
    for changes, algebra in explanations(whole.model, base, most=1):
        if not _explains(algebra, answers[BASE], tolerance):
            continue
        right: set[Place] = {BASE}
        for place in places:
            has = not any(name.startswith(f"{place[1]}.{place[0]}.") for name in lacking)
            if has and _explains(algebra, answers[place], tolerance):
                right.add(place)
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


def gap_of(algebra: Algebra, question: Question, tolerance: float) -> Gap | None:
    """How far the answer is from the algebra's logits; None where it is them."""
    if question.answer is None:
        return None
    expected = forward(algebra, question.settings, question.weights, question.rows)
    return gap(expected, question.answer, question.slack * tolerance)


def gap(expected: Tensor, actual: Tensor, tolerance: float) -> Gap | None:
    """How far logits (batch, k, nvoc) are from others; None within `tolerance` standard deviations."""
    scale = max(float(expected.std()), 1e-30)
    difference = (actual - expected).abs()
    if bool((difference <= tolerance * scale).all()):
        return None
    flat = int(torch.nan_to_num(difference, nan=torch.inf).argmax())
    position = flat // expected.shape[2] % expected.shape[1] + 1
    return Gap(
        float(expected.flatten()[flat]), float(actual.flatten()[flat]), position, float(difference.max()) / scale
    )


def _questions(model: ModelName, draw: Draw, rng: torch.Generator) -> Iterator[Question]:
    for _ in range(2):
        settings = draw(model, rng)
        drawn = normal_weights(settings, rng)
        for k in {1, settings.block_size // 2, settings.block_size - 1, settings.block_size}:
            yield Question(settings, drawn, _rows(settings, 1 + _whole(2, rng), k, rng))
    # Values so small that eps shows.
    small = {name: w * _TINY if name.endswith(("wte.weight", "wpe.weight", "out_proj.weight", "out_proj.bias",
             "2.weight", "2.bias")) else w for name, w in normal_weights(settings, rng).items()}  # fmt: skip
    yield Question(settings, small, _rows(settings, 2, settings.block_size - 1, rng))
    if model == "gpt":
        # Scores so large that a mask of -100 shows.
        large = {n: w * _LARGE_SCORES if "in_proj" in n else w for n, w in normal_weights(settings, rng).items()}
        yield Question(settings, large, _rows(settings, 2, settings.block_size, rng), _SLACK)
    course = ModelSettings(model, dropout=0.0)
    yield Question(course, normal_weights(course, rng), _rows(course, 1, course.block_size, rng))


def _of_file(model: ModelName, trained: WeightsOfFile | None, rng: torch.Generator) -> Iterator[Question]:
    if trained is not None and trained.settings.model == model:
        settings = trained.settings
        weights = {name: value.double() for name, value in trained.tensors.items()}
        yield Question(settings, weights, _rows(settings, 1, settings.block_size, rng))


def _rows(settings: ModelSettings, batch: int, k: int, rng: torch.Generator) -> Tensor:
    return torch.randint(0, settings.vocab_size, (batch, k), generator=rng)


def _whole(below: int, rng: torch.Generator) -> int:
    return int(torch.randint(below, (1,), generator=rng))


def _shuffled(questions: Sequence[_T], rng: torch.Generator) -> list[_T]:
    return [questions[i] for i in torch.randperm(len(questions), generator=rng).tolist()]
