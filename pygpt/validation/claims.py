"""What is said of exercise 3's claim and its floor."""

import math

from pygpt.output.messages import Message, say, tell
from pygpt.validation.course import EPOCHS
from pygpt.validation.names import SOURCES
from pygpt.validation.report import Report, Section
from pygpt.validation.sentences import Line


def claim_lines(report: Report, lang: str) -> list[Line]:
    """Exercise 3's claim and floor; nothing where the report is not about exercise 3."""
    section = next((s for s in report.sections if s.exercise.model == "gpt_noattn"), None)
    if section is None:
        return []
    claim = tell(
        lang,
        "Exercise 3's claim, tested: changing every other character of the block changes the logits at a place by at "
        "most {noattn:.3g} without attention ({noattn_of}) and by up to {gpt:.3g} with it ({gpt_of}).",
        noattn=report.effects["gpt_noattn"].change,
        noattn_of=_whose_weights(report.effects["gpt_noattn"].trained),
        gpt=report.effects["gpt"].change,
        gpt_of=_whose_weights(report.effects["gpt"].trained),
    )
    result = (
        say("So without attention the output depends on the present character and its place alone.")
        if report.claim_holds
        else say("So this model without attention sees other characters: it is not exercise 3's.")
    )
    return [Line(claim), Line(result.render(lang), report.claim_holds), *_floor_lines(report, section, lang)]


def _whose_weights(trained: bool) -> Message:
    return say("these weights" if trained else "first weights of seed 42")


def _floor_lines(report: Report, section: Section, lang: str) -> list[Line]:
    f = report.floors
    if f is None:
        return []
    final = _final_losses(section)
    losses = ", ".join(
        tell(lang, "{name} {loss:.4f} ({above:+.4f})", name=SOURCES[source], loss=loss, above=loss - f.both)
        for source, loss in final.items()
    )
    floor = say(
        "No such model can have a validation loss below {both:.4f}, the entropy of the next character given the "
        "present one and its place (counted on the validation windows themselves); the validation losses of epoch 3: "
        "{losses}.",
        both=f.both,
        losses=losses,
    )
    below = [
        say("{name} is BELOW the floor: no model without attention can give it.", name=SOURCES[source])
        for source, loss in final.items()
        if loss < f.both
    ]
    parts = say(
        "The place alone would allow {place:.4f}, the present character alone {token:.4f}; a table of pairs counted on "
        "the training text (one added to each count) gets {counted:.4f}. So R's model has learnt the pairs of "
        "characters and not, as the solution says, the place alone.",
        place=f.place,
        token=f.token,
        counted=f.counted,
    )
    return [
        Line(floor.render(lang)),
        *(Line(message.render(lang), False) for message in below),
        Line(parts.render(lang)),
    ]


def _final_losses(section: Section) -> dict[str, float]:
    key, e = (EPOCHS, "valid"), section.exercise
    losses = {"course": e.published.losses[key], "r": e.recorded.losses[key]}
    if section.attempt and key in section.attempt.losses:
        losses["run"] = section.attempt.losses[key]
    return {source: loss for source, loss in losses.items() if not math.isnan(loss)}
