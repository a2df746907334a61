"""The course's published results and what R gave when its code was recorded (exercises 2 and 3).

Published: `data/course_results.json`, with page and question. Recorded: `parity_tests/recordings/shakespeare_*`.
Losses are in nats per character, keyed by epoch (from 1) and part (`train`, `valid`).
"""

import csv
import json
import math
import statistics
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pygpt.files import shipped
from pygpt.settings import ModelName

EPOCHS = 3
PARTS = ("train", "valid")
KEYS = tuple((epoch, part) for epoch in range(1, EPOCHS + 1) for part in PARTS)
PROMPT = "MARCIUS: "
RECORDED_SEED = 42
# `Generate_Text_Base` as the recording ran it: 400 characters, torch_manual_seed(123), temperature 0.8.
TEXT_LENGTH, TEXT_SEED, TEMPERATURE = 400, 123, 0.8

Losses = dict[tuple[int, str], float]
# Validation loss less train loss.
GAP = "gap"

# Student's two-sided 99% points by degrees of freedom (number of seeds - 1).
_T99 = {1: 63.6567, 2: 9.9248, 3: 5.8409, 4: 4.6041, 5: 4.0321, 6: 3.7074, 7: 3.4995, 8: 3.3554, 9: 3.2498}
_RECORDED_NAME = {"gpt": "gpt", "gpt_noattn": "noattn"}


@dataclass(frozen=True)
class Published:
    """What the course's solutions print, unseeded: a table of losses (4 decimals) and a text of one sample."""

    table: int
    figure: int
    page: int
    losses: Losses
    perplexities: Losses
    text: str
    text_pages: tuple[int, int]


@dataclass(frozen=True)
class Recorded:
    """What R gave with seed 42: luz's losses, the loss of every step, a text, and the weights' SHA-256."""

    losses: Losses
    steps: tuple[float, ...]
    text: str
    weights_sha256: str


@dataclass(frozen=True)
class Exercise:
    """One exercise: `number` 2 (model `gpt`) or 3 (`gpt_noattn`)."""

    number: int
    model: ModelName
    published: Published
    recorded: Recorded
    spread: tuple[dict[str, float], ...]
    """Losses after epoch 1 of the fast engine, one entry a seed: `seed`, `train`, `valid`."""
    remarks: list[str]
    """What the published results say of themselves, in English: sentences for `tell`."""

    def deviation(self, quantity: str) -> float:
        """Standard deviation over the seeds after epoch 1 of a loss, `train` or `valid`, or of the `gap`."""
        seeds = [{**seed, GAP: seed["valid"] - seed["train"]} for seed in self.spread]
        return statistics.stdev(seed[quantity] for seed in seeds)

    def half_width(self, quantity: str) -> float:
        """Half of the 99% band of a run's loss, or gap, around the recorded one: t * sqrt(2) * s.

        Run and recording are two draws of the same spread, hence sqrt(2). s was measured after epoch 1 and is
        taken for the later epochs, too.
        """
        return _T99[len(self.spread) - 1] * math.sqrt(2) * self.deviation(quantity)

    def inside(self, key: tuple[int, str], loss: float) -> bool:
        """Whether a loss lies in the band around R's; NaN never does."""
        return abs(loss - self.recorded.losses[key]) <= self.half_width(key[1])

    def gap_inside(self, epoch: int, losses: Losses) -> bool:
        """Whether the gap of an epoch lies in its band around R's; NaN never does.

        A seed moves train and validation loss together, so the gap varies less than the two bands would allow.
        """
        return abs(gap(losses, epoch) - gap(self.recorded.losses, epoch)) <= self.half_width(GAP)


def gap(losses: Losses, epoch: int) -> float:
    """Validation loss less train loss of an epoch."""
    return losses[epoch, "valid"] - losses[epoch, "train"]


def epochs_with_a_gap(losses: Losses) -> list[int]:
    """The epochs whose two losses are there."""
    return [e for e in range(1, EPOCHS + 1) if all((e, part) in losses for part in PARTS)]


@cache
def results() -> dict[str, Any]:
    """`data/course_results.json` as it is."""
    content: dict[str, Any] = json.loads(shipped("data/course_results.json").read_text(encoding="utf-8"))
    return content


@cache
def exercises() -> dict[ModelName, Exercise]:
    """Both exercises by model, in the course's order."""
    return {entry["model"]: _exercise(entry) for entry in results()["exercises"]}


def _exercise(entry: dict[str, Any]) -> Exercise:
    said, name = entry["published"], f"shakespeare_{_RECORDED_NAME[entry['model']]}"
    published = Published(
        table=said["table"],
        figure=said["figure"],
        page=said["page"],
        losses={(e["epoch"], part): e[part] for e in said["epochs"] for part in PARTS},
        perplexities={(e["epoch"], part): e[f"{part}_perplexity"] for e in said["epochs"] for part in PARTS},
        text="\n".join(said["text"]).removeprefix(PROMPT),
        text_pages=(said["text_pages"][0], said["text_pages"][1]),
    )
    recorded = Recorded(
        losses={(int(row["epoch"]), p): float(row[p]) for row in _rows(f"{name}_epochs.csv") for p in PARTS},
        steps=tuple(float(row["loss"]) for row in _rows(f"{name}_steps.csv")),
        text=_recorded_file(f"{name}_generated.txt").read_text(encoding="utf-8"),
        weights_sha256=entry["weights_sha256"],
    )
    return Exercise(entry["number"], entry["model"], published, recorded, tuple(entry["spread"]), entry["remarks"])


def _rows(name: str) -> list[dict[str, str]]:
    with _recorded_file(name).open(encoding="ascii", newline="") as file:
        return list(csv.DictReader(file))


def _recorded_file(name: str) -> Path:
    return shipped(f"parity_tests/recordings/{name}")
