"""What an exercise is: its file, what its sheet published, what R gives, and the bands that seeds leave around it.

Losses are in nats per character, keyed by epoch (from 1) and part (`train`, `valid`).
"""

import dataclasses
import hashlib
import json
import math
import statistics
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from pygpt.exercises.floor import Floors
from pygpt.exercises.folder import Folder
from pygpt.generation import Rule
from pygpt.output.messages import Words
from pygpt.settings import ModelName, ModelSettings, TrainingSettings

PARTS = ("train", "valid")
# Validation loss less train loss.
GAP = "gap"
Losses = dict[tuple[int, str], float]

# How a training is computed, not what it computes: no part of an exercise.
HOW = (
    "corpus", "max_steps", "engine", "padding_row", "bf16", "compile", "threads", "device", "accumulate",
    "checkpoint_every",
)  # fmt: skip
# Student's two-sided 99% points by degrees of freedom (number of seeds - 1).
_T99 = (63.6567, 9.9248, 5.8409, 4.6041, 4.0321, 3.7074, 3.4995, 3.3554, 3.2498, 3.1693,
        3.1058, 3.0545, 3.0123, 2.9768, 2.9467, 2.9208, 2.8982, 2.8784, 2.8609)  # fmt: skip
FEWEST_SEEDS, MOST_SEEDS = 2, len(_T99) + 1


@dataclass(frozen=True)
class TextSource:
    """Where an exercise's text lies: `shakespeare`, `sample`, a path from the file's folder, or an address."""

    source: str
    sha256: str


@dataclass(frozen=True)
class Generation:
    """The text that a trained model writes: `tokens` characters after `prompt`, seeded just before.

    `top_k` and `rule` are those of `generation.generate`.
    """

    prompt: str
    tokens: int = 400
    temperature: float = 0.8
    seed: int = 123
    top_k: int | None = None
    rule: Rule = "course"


@dataclass(frozen=True)
class Published:
    """What a sheet prints of its own result: losses, perplexities, a text.

    Attributes:
        losses: as far as they are printed; with so many `decimals`.
        text: what follows the prompt.
        remarks: what the published results say of themselves.
        claim: what the sheet claims of a model without attention, as the end of a sentence.
    """

    losses: Losses = field(default_factory=dict)
    perplexities: Losses = field(default_factory=dict)
    decimals: int = 4
    text: str | None = None
    source: str | None = None
    table: int | None = None
    figure: int | None = None
    page: int | None = None
    remarks: tuple[Words, ...] = ()
    claim: Words = field(default_factory=Words)


@dataclass(frozen=True)
class ExerciseFile:
    """What an exercise's file says.

    Attributes:
        path: the file, as messages call it.
        number: of the sheet, where it has one.
        model: the shape; `vocab_size` follows from the text and is not said here.
        grading: tables of a rubric, as `grade rubric` prints them.
        beside: the file of the exercise with the other model, from this one's folder.
        folder: where the file lies.
    """

    path: Path
    folder: Folder
    number: int | None
    title: Words
    model: ModelSettings
    training: TrainingSettings
    text: TextSource
    generation: Generation
    published: Published | None = None
    grading: dict[str, Any] = field(default_factory=dict)
    beside: str | None = None

    @property
    def name(self) -> str:
        """The file's name without its ending."""
        return self.path.stem

    @property
    def keys(self) -> tuple[tuple[int, str], ...]:
        """The (epoch, part) of each loss."""
        return tuple((epoch, part) for epoch in range(1, self.training.epochs + 1) for part in PARTS)

    @property
    def settings_sha256(self) -> str:
        """Of all that decides what R gives: two exercises have the same results where it is the same.

        What is at its default is left out, so that a setting that is new to pygpt changes no exercise.
        """
        training = {name: v for name, v in _set(self.training).items() if name not in HOW}
        model = {name: v for name, v in _set(self.model).items() if name != "vocab_size"}
        both = {"model": model, "training": training, "text": self.text.sha256, "generation": _set(self.generation)}
        return hashlib.sha256(json.dumps(both, sort_keys=True, ensure_ascii=True).encode()).hexdigest()


def _set(settings: Any) -> dict[str, Any]:
    """The fields that are not at their defaults."""
    fields = dataclasses.fields(settings)
    return {f.name: getattr(settings, f.name) for f in fields if getattr(settings, f.name) != f.default}


@dataclass(frozen=True)
class Recorded:
    """What R gives with one seed: luz's losses, the loss of every step, a text, and the weights' SHA-256.

    `by_r`: whether R itself gave it; else pygpt's engine r, which is R bit for bit where kernels are the recordings'.
    """

    losses: Losses
    steps: tuple[float, ...]
    text: str
    weights_sha256: str
    seed: int = 42
    r_threads: int = 1
    by_r: bool = True


class Measured(NamedTuple):
    """What a mistake gave after one epoch, in nats per character."""

    name: str
    train: float
    valid: float


@dataclass(frozen=True)
class Exercise:
    """An exercise with its truth.

    Attributes:
        spread: losses of the fast engine, one entry a seed and epoch: `seed`, `epoch` (1 where it is not said),
            `train`, `valid`.
        mistakes: what likely mistakes give.
        vocab_size: rows of the embedding, PAD included.
        floors: None where they were not counted beforehand.
        fingerprint: of the kernels that the truth was computed with.
        provenance: what the report says of how all this was got.
    """

    file: ExerciseFile
    recorded: Recorded
    spread: tuple[dict[str, float], ...]
    mistakes: tuple[Measured, ...]
    vocab_size: int
    fingerprint: str
    floors: Floors | None = None
    provenance: dict[str, Any] = field(default_factory=dict)

    @property
    def model(self) -> ModelName:
        """`gpt` or `gpt_noattn`."""
        return self.file.model.model

    @property
    def number(self) -> int | None:
        """Of the sheet."""
        return self.file.number

    @property
    def published(self) -> Published:
        """What the sheet published; nothing, where it published nothing."""
        return self.file.published or Published()

    @property
    def epochs(self) -> int:
        """How many the exercise trains."""
        return self.file.training.epochs

    @property
    def keys(self) -> tuple[tuple[int, str], ...]:
        """The (epoch, part) of each loss."""
        return self.file.keys

    @property
    def shape(self) -> ModelSettings:
        """The model's settings, with the text's vocabulary."""
        return dataclasses.replace(self.file.model, vocab_size=self.vocab_size)

    @property
    def measured_epochs(self) -> tuple[int, ...]:
        """The epochs after which the spread was measured."""
        return tuple(sorted({int(seed.get("epoch", 1)) for seed in self.spread}))

    def seeds(self, epoch: int = 1) -> list[dict[str, float]]:
        """The spread after an epoch; where it was not measured, after the last one before it that was."""
        measured = max((e for e in self.measured_epochs if e <= epoch), default=min(self.measured_epochs))
        return [seed for seed in self.spread if seed.get("epoch", 1) == measured]

    def deviation(self, quantity: str, epoch: int = 1) -> float:
        """Standard deviation over the seeds after an epoch of a loss, `train` or `valid`, or of the `gap`."""
        return statistics.stdev({**seed, GAP: seed["valid"] - seed["train"]}[quantity] for seed in self.seeds(epoch))

    def half_width(self, quantity: str, epoch: int = 1) -> float:
        """Half of the 99% band of a run's loss, or gap, around R's after an epoch: t * sqrt(2) * s.

        The run and R's are two draws of the same spread, hence sqrt(2).
        """
        return _T99[len(self.seeds(epoch)) - FEWEST_SEEDS] * math.sqrt(2) * self.deviation(quantity, epoch)

    def inside(self, key: tuple[int, str], loss: float) -> bool:
        """Whether a loss lies in the band around R's; NaN never does."""
        epoch, part = key
        return abs(loss - self.recorded.losses[key]) <= self.half_width(part, epoch)

    def gap_inside(self, epoch: int, losses: Losses) -> bool:
        """Whether the gap of an epoch lies in its band around R's; NaN never does.

        A seed moves train and validation loss together, so the gap varies less than the two bands would allow.
        """
        return abs(gap(losses, epoch) - gap(self.recorded.losses, epoch)) <= self.half_width(GAP, epoch)


Sheet = dict[ModelName, Exercise]
"""An exercise by its model, and after it the one that it is compared with, where there is one."""


def main_of(sheet: Sheet) -> Exercise:
    """The exercise that was asked for."""
    return next(iter(sheet.values()))


def gap(losses: Losses, epoch: int) -> float:
    """Validation loss less train loss of an epoch."""
    return losses[epoch, "valid"] - losses[epoch, "train"]


def epochs_with_a_gap(losses: Losses) -> list[int]:
    """The epochs whose two losses are there."""
    return [epoch for epoch in sorted({epoch for epoch, _ in losses}) if all((epoch, part) in losses for part in PARTS)]
