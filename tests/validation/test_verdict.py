"""Agreement value by value, and what is good; values by hand."""

import math

import pytest

from pygpt.exercises.opening import course as exercises
from pygpt.validation.attempt import Attempt
from pygpt.validation.verdict import compare, judge

MODELS = ["gpt", "gpt_noattn"]


RECORDED = [4.31018066, 4.12856054, 3.95, 3.80]


@pytest.mark.parametrize(
    ("here", "kind", "digits", "first"),
    [
        (RECORDED, "identical", None, None),
        (RECORDED[:2], "identical", None, None),
        ([round(x, 4) for x in RECORDED], "digits", 4, None),
        ([x + 4e-7 for x in RECORDED], "digits", 6, None),
        ([*RECORDED[:2], 3.9503, 3.80], "differs", 3, 3),
        ([4.31018066, math.nan, 3.95, 3.80], "differs", 0, 2),
        ([*RECORDED, 3.7], "differs", 0, 5),
    ],
)
def test_agreement(here: list[float], kind: str, digits: int | None, first: int | None) -> None:
    agreement = compare(here, RECORDED)
    assert (agreement.kind, agreement.digits, agreement.first) == (kind, digits, first)


def test_agreement_claims_no_more_digits_than_were_given() -> None:
    assert compare([3.95, 3.8], RECORDED[2:], decimals=5).digits == 5
    assert compare([3.95, 3.8], RECORDED[2:], decimals=5).kind == "digits"
    assert compare([3.95, 3.8], RECORDED[2:], decimals=1).kind == "differs"


def test_the_first_bit_and_the_fourth_decimal_are_told_apart() -> None:
    agreement = compare([4.31018066, 4.12856102, 3.96, 3.80], RECORDED)
    assert (agreement.first_bit, agreement.first) == (2, 3)
    assert agreement.largest == pytest.approx(0.01, rel=1e-3)


@pytest.mark.parametrize(
    ("due", "change", "good"),
    [("identical", 0.0, True), ("identical", 1e-6, False), ("digits", 1e-6, True), ("digits", 1e-3, False)],
)
def test_what_is_due_decides_what_is_good(due: str, change: float, good: bool) -> None:
    exercise = exercises()["gpt"]
    steps = (*exercise.recorded.steps[:99], exercise.recorded.steps[99] + change)
    assert judge(exercise, Attempt("x", "gpt", due, steps=steps)).good is good


@pytest.mark.parametrize("model", MODELS)
def test_a_draw_inside_the_band_is_good_and_one_outside_is_not(model: str) -> None:
    exercise = exercises()[model]
    for share, good in ((0.9, True), (-0.9, True), (1.1, False)):
        losses = dict(exercise.recorded.losses)
        for part in ("train", "valid"):  # together, as seeds move them
            losses[3, part] += share * min(map(exercise.half_width, ("train", "valid")))
        verdict = judge(exercise, Attempt("x", model, "band", losses))
        assert (verdict.good, verdict.kind) == (good, "differs")
        assert verdict.outside == (() if good else ((3, "train"),))
        assert verdict.gaps_outside == ()


@pytest.mark.parametrize(("share", "good"), [(0.9, True), (1.1, False), (-1.1, False)])
def test_losses_that_part_are_not_good_though_each_is_in_its_band(share: float, good: bool) -> None:
    exercise = exercises()["gpt"]
    losses = {
        (epoch, part): loss + (share / 2 if part == "valid" else -share / 2) * exercise.half_width("gap")
        for (epoch, part), loss in exercise.recorded.losses.items()
    }
    verdict = judge(exercise, Attempt("x", "gpt", "band", losses))
    assert verdict.outside == ()
    assert (verdict.good, verdict.gaps_outside) == (good, () if good else (1, 2, 3))


def test_the_issues_file_is_not_good() -> None:
    # each of the six inside its band (0.0496 and 0.0617): train losses 0.045 too low, validation losses 0.05 too high
    off = {"train": -0.045, "valid": 0.05}
    losses = {key: loss + off[key[1]] for key, loss in exercises()["gpt"].recorded.losses.items()}
    verdict = judge(exercises()["gpt"], Attempt("x", "gpt", "band", losses))
    assert (verdict.outside, verdict.gaps_outside, verdict.good) == ((), (1, 2, 3), False)


def test_one_loss_of_an_epoch_has_no_gap() -> None:
    loss = exercises()["gpt"].recorded.losses[3, "valid"] + 0.01
    verdict = judge(exercises()["gpt"], Attempt("x", "gpt", "band", {(3, "valid"): loss}))
    assert (verdict.good, verdict.gaps_outside) == (True, ())


def test_losses_of_the_other_exercise_are_never_good() -> None:
    for model, other in (MODELS, MODELS[::-1]):
        for losses in (exercises()[other].recorded.losses, exercises()[other].published.losses):
            assert not judge(exercises()[model], Attempt("x", model, "band", losses)).good


def test_weights_are_judged_by_their_hash() -> None:
    exercise = exercises()["gpt"]
    for sha256, off, kind in (
        (exercise.recorded.weights_sha256, 2e-7, "identical"),
        ("0" * 64, 0.0, "digits"),
        (exercise.recorded.weights_sha256, 1e-3, "differs"),  # evaluated on something else
    ):
        loss = exercise.recorded.losses[3, "valid"] + off
        attempt = Attempt("x", "gpt", "band", {(3, "valid"): loss}, weights_sha256=sha256)
        assert judge(exercise, attempt).kind == kind
