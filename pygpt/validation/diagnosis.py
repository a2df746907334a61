"""What a bad verdict usually means: other units, the other exercise, a measured mistake, or the side of the band."""

import math
from collections.abc import Callable

from pygpt.exercises.exercise import PARTS, Exercise, Losses, Measured, Sheet, epochs_with_a_gap, gap
from pygpt.exercises.mistakes import name_of
from pygpt.output.messages import Message, say
from pygpt.settings import ModelName
from pygpt.validation.attempt import Attempt
from pygpt.validation.verdict import Verdict

# A mistake is named where the losses are this near to it, in half widths of the band, and from other mistakes and from
# R's own losses at least this far, and so many times as far. (A half width is 6.5 standard deviations over seeds.)
_NEAR, _OTHERS, _FROM_R, _TIMES = 1.0, 1.0, 1.5, 3


def diagnose(sheet: Sheet, attempt: Attempt, verdict: Verdict) -> Message | None:
    """What losses outside the band usually mean; None where they are inside, or where nothing is known."""
    exercise = sheet[attempt.model]
    if verdict.good or verdict.in_band or not verdict.pairs:
        return None
    losses = attempt.losses
    if not all(map(math.isfinite, losses.values())):
        return say("The losses are not finite: the training has diverged (a learning rate that is too large?).")
    return (
        _read_otherwise(exercise, losses)
        or _other_exercise(exercise, sheet, losses)
        or _measured_mistake(exercise, losses)
        or _side(exercise, losses, verdict)
    )


def _fits(exercise: Exercise, losses: Losses) -> bool:
    return all(exercise.inside(key, loss) for key, loss in losses.items()) and all(
        exercise.gap_inside(epoch, losses) for epoch in epochs_with_a_gap(losses)
    )


def _read_otherwise(exercise: Exercise, losses: Losses) -> Message | None:
    """Losses that are R's once they are read in other units, or with their names exchanged."""
    for read, message in _READINGS:
        read_so = {key: read(loss) for key, loss in losses.items() if loss > 0}
        if len(read_so) == len(losses) and read_so != losses and _fits(exercise, read_so):
            return message
    exchanged = {(epoch, part): losses.get((epoch, _OTHER[part])) for epoch, part in losses}
    whole = {key: loss for key, loss in exchanged.items() if loss is not None}
    # After one epoch train and validation losses are too much alike to tell.
    several = len(epochs_with_a_gap(losses)) > 1
    if several and len(whole) == len(losses) and _fits(exercise, whole):
        return say(
            "With train and validation losses exchanged, all lie inside the band: are the columns named rightly?"
        )
    return None


_OTHER = {"train": "valid", "valid": "train"}
_READINGS: tuple[tuple[Callable[[float], float], Message], ...] = (
    (math.log, say("These are perplexities: their logarithms lie inside the band. Give the losses.")),
    (
        lambda loss: loss * math.log(2),
        say("These are bits: times log(2) they lie inside the band. R's losses are in nats (natural logarithm)."),
    ),
    (
        lambda loss: loss / 10.0 ** math.floor(math.log10(loss)),
        say(
            "The decimal mark is lost: with one digit before it, the losses lie inside the band. A spreadsheet that "
            "expects decimal commas reads 1.7568 as 17568. Export the table anew, or import it as text."
        ),
    ),
)


def _other_exercise(exercise: Exercise, sheet: Sheet, losses: Losses) -> Message | None:
    other = next((e for e in sheet.values() if e.model != exercise.model), None)
    if other is None or any(key not in other.recorded.losses for key in losses):
        return None
    # The wider of the two bands: a GPT whose attention does nothing is not exercise 3's model in every draw.
    if any(
        abs(loss - other.recorded.losses[key]) > max(e.half_width(key[1], key[0]) for e in (other, exercise))
        for key, loss in losses.items()
    ):
        return None
    if other.model == "gpt_noattn":
        return say(
            "These are losses of {exercise}: attention does nothing (its output is not added, or is the same at every "
            "place), or there is none. If it is that exercise's result, give --model gpt_noattn.",
            exercise=other.file.title,
        )
    return say(
        "These are losses of {exercise}: this model sees other characters, so attention is in it. If it is that "
        "exercise's result, give --model gpt.",
        exercise=other.file.title,
    )


def _measured_mistake(exercise: Exercise, losses: Losses) -> Message | None:
    """The mistake whose first epoch is clearly the nearest."""
    if any((1, part) not in losses for part in PARTS) or not exercise.mistakes:
        return None
    r = exercise.recorded.losses
    from_r = _distance(exercise, losses, Measured("R", r[1, "train"], r[1, "valid"]))
    (nearest, mistake), *others = sorted((_distance(exercise, losses, m), m) for m in exercise.mistakes)
    if nearest > _NEAR or from_r < max(_FROM_R, _TIMES * nearest):
        return None
    if any(distance < max(_OTHERS, _TIMES * nearest) for distance, _ in others):
        return None
    return say(
        "Usually this is {mistake}: measured once, that gave {train:.4f} (train) and {valid:.4f} (validation) after "
        "one epoch; here they are {own_train:.4f} and {own_valid:.4f}.",
        mistake=name_of(mistake.name),
        train=mistake.train,
        valid=mistake.valid,
        own_train=losses[1, "train"],
        own_valid=losses[1, "valid"],
    )


def _distance(exercise: Exercise, losses: Losses, candidate: Measured) -> float:
    there = {"train": candidate.train, "valid": candidate.valid}
    return max(abs(losses[1, part] - there[part]) / exercise.half_width(part) for part in PARTS)


def _side(exercise: Exercise, losses: Losses, verdict: Verdict) -> Message:
    """What it means to lie below, above, or on both sides of R's."""
    r = exercise.recorded.losses
    above = {part: {losses[key] > r[key] for key in verdict.outside if key[1] == part} for part in PARTS}
    if not verdict.outside:
        wider = {gap(losses, epoch) > gap(r, epoch) for epoch in verdict.gaps_outside}
        above = {"train": {not w for w in wider}, "valid": wider}
    if max(map(len, above.values())) > 1:
        return say("The losses lie on both sides of R's: are they all of one run, and in their order?")
    sides = above["train"], above["valid"]
    if {True} not in sides:
        return _BELOW[exercise.model]
    if {False} not in sides:
        return say(
            "What is outside lies above R's: the model sees less than R's, is smaller, or learns more slowly (learning "
            "rate, optimizer, share of the text, a part that is left out). No measured mistake is clearly the nearest."
        )
    if above["valid"] == {True}:
        return say(
            "Train losses are low beside validation losses: less dropout than R's, or another part of the course's "
            "text."
        )
    return say(
        "Train losses are high beside validation losses: more dropout than R's, train losses that are measured "
        "otherwise than luz does (the mean over the epoch's steps, dropout on), or another part of the course's text."
    )


_BELOW: dict[ModelName, Message] = {
    "gpt": say(
        "What is outside lies below R's: the future is seen (no causal mask, or targets that are not moved on by one), "
        "or the text that validates is trained on, or the model is larger or was trained longer than R's."
    ),
    "gpt_noattn": say(
        "What is outside lies below R's: the model sees more than the present character and its place, or its target."
    ),
}
