"""One submission's examination: what the checks share, and what they leave behind."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from pygpt.grading.isolation.session import AnswerError
from pygpt.grading.messages import Message, say
from pygpt.grading.port import R_NAME, Port
from pygpt.grading.rubric import Rubric
from pygpt.parity.compare import Comparison
from pygpt.settings import MODELS, ModelName, ModelSettings


@dataclass(frozen=True)
class Verdict:
    """Whether one thing is as it should be, with what was expected and what came."""

    passed: bool
    expected: Message
    actual: Message


@dataclass(frozen=True)
class Item:
    """One of a check's equal shares."""

    name: Message
    verdict: Verdict


@dataclass(frozen=True)
class Check:
    """One leaf of the tree. Its points are the rubric's, shared equally among its items."""

    id: str
    """`stage.name`, the rubric's key."""
    title: Message
    rationale: Message
    hint: Message
    run: Callable[["Exam"], Iterable[Item]]
    needs: tuple[str, ...] = ()
    """Parts of the submission without which the check is not asked (by the rubric) at all."""


@dataclass
class Exam:
    """What the checks work with, and what they have found so far."""

    port: Port
    apart: Port
    """The same submission in a process of its own, begun when first asked: for what must not be known to `port`."""
    rubric: Rubric
    seed: int
    items: dict[str, list[Item]] = field(default_factory=dict)
    """By check, in the order in which they ran."""
    ladders: dict[str, Comparison] = field(default_factory=dict)
    """By model: the named quantities, each read out of the submission."""
    padding_row: str | None = None
    """`r` or `corrected` once known."""

    @property
    def models(self) -> list[ModelName]:
        """The models that the rubric asks for."""
        return [model for model in MODELS if R_NAME[model] in self.rubric.parts]

    @property
    def tolerance(self) -> float:
        return self.rubric.tolerances["logits"]

    def random(self, *purpose: object) -> torch.Generator:
        """A generator for one purpose, the same whenever this seed is graded again."""
        digest = hashlib.sha256(repr((self.seed, *purpose)).encode()).digest()
        return torch.Generator().manual_seed(int.from_bytes(digest[:7], "little"))

    def passed(self, *ids: str, model: ModelName | None = None) -> bool:
        """Whether every item of these checks passed (those that speak of `model`, where given)."""
        return all(
            item.verdict.passed
            for check in ids
            for item in self.items.get(check, [])
            if model is None or item.name.values.get("model") in (None, R_NAME[model])
        )

    def settings(self, model: ModelName, rng: torch.Generator, **fixed: int | float) -> ModelSettings:
        """A small model whose sizes are drawn."""
        heads = _pick(rng, (2, 3, 4))
        drawn: dict[str, int | float] = {
            "block_size": _pick(rng, (9, 10, 11)),
            "n_embd": heads * _pick(rng, (6, 8)),
            "n_layer": _pick(rng, (2, 3)),
            "n_head": heads,
            "vocab_size": _pick(rng, (31, 37, 41)),
            "dropout": 0.0,
        }
        values = drawn | fixed
        return ModelSettings(model, **values)  # type: ignore[arg-type]


def judged(name: Message, judge: Callable[..., Verdict], *arguments: object) -> Item:
    """An item whose submission may crash, hang or answer badly: then it has not passed."""
    try:
        return Item(name, judge(*arguments))
    except AnswerError as failed:
        return Item(name, Verdict(False, say("an answer"), failed.message))


def explained(found: Verdict) -> Verdict:
    """A verdict that counts as passed, since another check has taken the points for the same mistake."""
    return Verdict(True, found.expected, say("{actual}: explained by another check", actual=found.actual))


def each_model(exam: Exam, judge: Callable[..., Verdict], *arguments: object) -> list[Item]:
    """An item for each model that is asked for: `judge(exam, model, *arguments)`."""
    return [judged(of_model(model), judge, exam, model, *arguments) for model in exam.models]


def of_model(model: ModelName) -> Message:
    """An item's name where there is one item a model."""
    return say("{model}", model=R_NAME[model])


def shapes_of(settings: ModelSettings) -> Sequence[int]:
    """Lengths to try: the shortest, one in between, the longest."""
    return (1, settings.block_size // 2, settings.block_size)


def tokens(rng: torch.Generator, shape: Sequence[int], low: int, high: int) -> Tensor:
    """Rows of the vocabulary from `low` to below `high`."""
    return torch.randint(low, high, list(shape), generator=rng)


def _pick(rng: torch.Generator, choices: Sequence[int]) -> int:
    return choices[int(torch.randint(len(choices), (1,), generator=rng))]
