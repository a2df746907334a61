"""What is said of exercise 3's claim and its floor."""

import math

from pygpt.output.messages import Message, say, tell
from pygpt.settings import ModelName
from pygpt.validation.names import SOURCES
from pygpt.validation.report import Report, Section
from pygpt.validation.sentences import Line


def claim_lines(report: Report, lang: str) -> list[Line]:
    """The claim of the exercise without attention and its floor; nothing where the report is not about it."""
    section = next((s for s in report.sections if s.exercise.model == "gpt_noattn"), None)
    if section is None:
        return []
    effects = {model: (report.effects[model].change, _whose_weights(report, model)) for model in report.effects}
    without = say(
        "{title}, tested: changing every other character of the block changes the logits at a place by at most "
        "{noattn:.3g} without attention ({noattn_of})",
        title=section.exercise.file.title,
        noattn=effects["gpt_noattn"][0],
        noattn_of=effects["gpt_noattn"][1],
    )
    claim = (
        tell(lang, "{without} and by up to {gpt:.3g} with it ({gpt_of}).",
             without=without, gpt=effects["gpt"][0], gpt_of=effects["gpt"][1])
        if "gpt" in effects
        else tell(lang, "{without}.", without=without)
    )  # fmt: skip
    result = (
        say("So without attention the output depends on the present character and its place alone.")
        if report.claim_holds
        else say("So this model without attention sees other characters: there is attention in it.")
    )
    return [Line(claim), Line(result.render(lang), report.claim_holds), *_floor_lines(report, section, lang)]


def _whose_weights(report: Report, model: ModelName) -> Message:
    if report.effects[model].trained:
        return say("these weights")
    return say("first weights of seed {seed}", seed=str(report.sheet[model].recorded.seed))


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
        "present one and its place (counted on the validation windows themselves); the validation losses of epoch "
        "{epoch}: {losses}.",
        both=f.both,
        epoch=section.exercise.epochs,
        losses=losses,
    )
    below = [
        say("{name} is BELOW the floor: no model without attention can give it.", name=SOURCES[source])
        for source, loss in final.items()
        if loss < f.both
    ]
    parts = say(
        "The place alone would allow {place:.4f}, the present character alone {token:.4f}; a table of pairs counted on "
        "the training text (one added to each count) gets {counted:.4f}.",
        place=f.place,
        token=f.token,
        counted=f.counted,
    )
    sheets = section.exercise.published.claim.render(lang)
    return [
        Line(floor.render(lang)),
        *(Line(message.render(lang), False) for message in below),
        Line(f"{parts.render(lang)} {sheets}".rstrip()),
    ]


def _final_losses(section: Section) -> dict[str, float]:
    e = section.exercise
    key = (e.epochs, "valid")
    losses = {"course": e.published.losses.get(key, math.nan), "r": e.recorded.losses[key]}
    if section.attempt and key in section.attempt.losses:
        losses["run"] = section.attempt.losses[key]
    return {source: loss for source, loss in losses.items() if not math.isnan(loss)}
