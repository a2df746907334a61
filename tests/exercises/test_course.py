"""The course's published results and R's recordings, held against each other."""

import dataclasses
import json
import math
import statistics
from pathlib import Path

import pytest
from safetensors import safe_open

from pygpt.exercises.opening import course as exercises
from pygpt.files import shipped

RECORDINGS = Path(__file__).parents[2] / "parity_tests" / "recordings"
MODELS = ["gpt", "gpt_noattn"]


@pytest.mark.parametrize("model", MODELS)
def test_published_perplexities_follow_from_the_published_losses(model: str) -> None:
    published = exercises()[model].published
    assert list(published.losses) == list(exercises()[model].keys)
    for key, loss in published.losses.items():
        assert published.perplexities[key] == pytest.approx(math.exp(loss), abs=0.0051)


@pytest.mark.parametrize("model", MODELS)
def test_recorded_steps_and_epochs_belong_together(model: str) -> None:
    recorded = exercises()[model].recorded
    assert len(recorded.steps) == 3 * 4705
    for epoch in (1, 2, 3):
        of_epoch = recorded.steps[(epoch - 1) * 4705 : epoch * 4705]
        assert recorded.losses[epoch, "train"] == pytest.approx(statistics.fmean(of_epoch), abs=2e-5)


def test_the_data_says_what_the_recordings_say() -> None:
    with safe_open(RECORDINGS / "stream_gpt.safetensors", "pt") as file:
        provenance = json.loads(file.metadata()["provenance"])
    for exercise in exercises().values():
        assert exercise.provenance["recording"]["provenance"] == provenance
        assert exercise.fingerprint == provenance["kernel_fingerprint"]
    readme = (RECORDINGS / "README.md").read_text()
    for exercise in exercises().values():
        assert f"`{exercise.recorded.weights_sha256}`" in readme


@pytest.mark.parametrize("model", MODELS)
def test_the_spread_is_of_five_seeds_and_the_cost_of_bf16_is_stated(model: str) -> None:
    exercise = exercises()[model]
    data = shipped(f"data/{exercise.file.name}.truth.json")
    entry = json.loads(data.read_text(encoding="utf-8"))["spread"]
    seeds = {s["seed"]: s for s in exercise.spread}
    assert len(seeds) == len(exercise.spread) >= 5
    for part in ("train", "valid"):
        difference = seeds[42][part] - exercise.recorded.losses[1, part]
        assert entry["bf16_cost"][part] == pytest.approx(difference, abs=1e-8)
        assert abs(difference) < exercise.deviation(part)


def test_the_band_by_hand() -> None:
    spread = tuple({"seed": i, "train": float(i), "valid": 2.0 * i} for i in (1, 2, 3))
    exercise = dataclasses.replace(exercises()["gpt"], spread=spread)
    # three seeds 1 apart: s = 1, and Student's 99% point for 2 degrees of freedom is 9.925
    assert exercise.half_width("train") == pytest.approx(9.925 * math.sqrt(2), rel=1e-4)
    assert exercise.half_width("valid") == pytest.approx(2 * 9.925 * math.sqrt(2), rel=1e-4)
    # valid - train is 1, 2, 3
    assert exercise.half_width("gap") == pytest.approx(9.925 * math.sqrt(2), rel=1e-4)
    r = exercise.recorded.losses[2, "train"]
    assert exercise.inside((2, "train"), r + 14.0)
    assert not exercise.inside((2, "train"), r + 14.1)
    assert not exercise.inside((2, "train"), math.nan)
    losses = dict(exercise.recorded.losses)
    for change, inside in ((14.0, True), (-14.0, True), (14.1, False), (math.nan, False)):
        losses[2, "valid"] = exercise.recorded.losses[2, "valid"] + change
        assert exercise.gap_inside(2, losses) is inside


@pytest.mark.parametrize("model", MODELS)
def test_the_published_gaps_lie_in_the_band(model: str) -> None:
    exercise = exercises()[model]
    assert all(exercise.gap_inside(epoch, exercise.published.losses) for epoch in (1, 2, 3))
