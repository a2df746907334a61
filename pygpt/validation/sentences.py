"""What a report says in sentences, for the terminal and the page alike."""

from typing import NamedTuple

from pygpt.output.messages import Listed, Message, say, tell
from pygpt.validation.course import GAP, KEYS, PARTS, gap
from pygpt.validation.names import MODELS, loss_of
from pygpt.validation.report import Report, Section
from pygpt.validation.verdict import Agreement, Verdict

# The course prints 4 decimals: half a unit of the last.
_HALF_UNIT = 0.5e-4


class Line(NamedTuple):
    """A sentence, and whether it is good news; None where it is neither."""

    text: str
    good: bool | None = None


def heading(section: Section, lang: str) -> str:
    """The exercise, its model, and where the course prints its table."""
    e = section.exercise
    return tell(
        lang,
        "Exercise {number}: {model} (table {table}, page {page})",
        number=e.number,
        model=MODELS[e.model],
        table=e.published.table,
        page=e.published.page,
    )


def precision(lang: str) -> str:
    """What the numbers of a table of losses are good for."""
    return tell(
        lang,
        "Losses in nats per character, to 4 decimals; perplexity is exp(loss), to 2. Differences are of the unrounded "
        "losses (the course's are rounded to 4 decimals, so they are known to within {half:.5f}). "
        "! marks a loss outside the band.",
        half=_HALF_UNIT,
    )


def texts_note(lang: str) -> str:
    """How the texts were counted."""
    return tell(
        lang,
        "Words that occur in the course's text (case ignored), mean word length in characters, and lines, blank ones "
        "not counted, that look like a speaker's name (one to four capitalised words and a colon). The corpus's own "
        "share of known words is 100% by definition. R's and the run's texts are 400 characters: too few for fine "
        "distinctions.",
    )


def without_corpus(report: Report, lang: str) -> str | None:
    """What is left out for want of the course's text, and why; None where nothing is."""
    if report.no_corpus is None:
        return None
    return tell(
        lang,
        "The course's text is not at hand, so floors and shares of known words are left out ({why})",
        why=report.no_corpus,
    )


def verdict_line(good: bool, lang: str) -> Line:
    """The verdict in a word."""
    return Line(tell(lang, "VERDICT: good" if good else "VERDICT: not good"), good)


def verdict_lines(section: Section, lang: str) -> list[Line]:
    """What is said of the attempt, and the verdict; nothing without an attempt."""
    attempt, verdict = section.attempt, section.verdict
    if not attempt or not verdict:
        return []
    lines = [Line(tell(lang, "Validated: {name}", name=attempt.name))]
    lines += [Line(note.render(lang)) for note in attempt.notes]
    if attempt.missing:
        lines.append(Line(tell(lang, "Not judged, for want of losses: {epochs}.", epochs=_missing(attempt.missing))))
    if verdict.steps or verdict.losses:
        exact = all(a.kind == "identical" for a in (verdict.steps, verdict.losses) if a)
        lines.append(Line(_against_recording(verdict, lang), exact or (None if verdict.good else False)))
    if verdict.same_weights is not None:
        whose = (
            say("The weights are R's of seed 42, by their SHA-256.")
            if verdict.same_weights
            else say("The weights are not R's of seed 42 (another SHA-256).")
        )
        lines.append(Line(whose.render(lang), verdict.same_weights or (False if attempt.due == "identical" else None)))
    if "vocabulary" in attempt.facts:
        order = say(
            "Evaluated with the vocabulary in the order {order} (the lower loss of R's two).",
            order=attempt.facts["vocabulary"],
        )
        lines.append(Line(order.render(lang)))
    if attempt.due in _DUE:
        lines.append(Line(_DUE[attempt.due].render(lang)))
    if verdict.pairs:
        lines.append(Line(_in_band(section, verdict, lang), not verdict.outside))
    # Where a loss lies outside by itself, its gap says nothing new.
    gaps = [epoch for epoch in verdict.gaps_outside if not any((epoch, part) in verdict.outside for part in PARTS)]
    if gaps:
        lines.append(Line(_gaps_outside(section, gaps).render(lang), False))
    if section.diagnosis:
        lines.append(Line(section.diagnosis.render(lang), False))
    if attempt.text is not None:
        lines.append(Line(_beside_r(attempt.text, section.exercise.recorded.text).render(lang)))
    return [*lines, verdict_line(verdict.good, lang)]


_DUE = {
    "identical": say("It has the recording's seed, settings and kernels, so it must be identical."),
    "digits": say(
        "This processor computes with other kernels than the recording's, so the losses can agree to some digits only."
    ),
    "threads": say(
        "R was recorded on one thread; on others it gives other bits, so the losses can agree to some digits only."
    ),
}


def _against_recording(verdict: Verdict, lang: str) -> str:
    agreements = [a for a in (verdict.steps, verdict.losses) if a]
    compared = [say("steps: {n}", n=verdict.steps.compared)] if verdict.steps else []
    compared += [say("losses of epochs: {n}", n=verdict.losses.compared)] if verdict.losses else []
    what = ", ".join(message.render(lang) for message in compared)
    largest = max(a.largest for a in agreements)
    if verdict.kind == "identical" or (verdict.kind == "digits" and verdict.digits is None):
        return tell(lang, "Against R's recording: identical ({what}; every value is the same float32).", what=what)
    if verdict.kind == "digits":
        return tell(
            lang,
            "Against R's recording: identical to {digits} digits after the point ({what}; largest difference "
            "{largest:.1e}).",
            digits=verdict.digits,
            what=what,
            largest=largest,
        )
    worst = next(a for a in agreements if a.kind == "differs")
    line = tell(
        lang,
        "Against R's recording: differs from {where} on, by more than half a unit of the fourth decimal "
        "({what}; largest difference {largest:.1e}).",
        where=_where(verdict, worst, worst.first),
        what=what,
        largest=largest,
    )
    if worst.first_bit != worst.first:
        where = _where(verdict, worst, worst.first_bit)
        line += " " + tell(lang, "The first bit differs at {where}.", where=where)
    return line


def _where(verdict: Verdict, agreement: Agreement, place: int | None) -> Message:
    assert place is not None
    return say("step {n}", n=place) if agreement is verdict.steps else loss_of(verdict.pairs[place - 1])


def _in_band(section: Section, verdict: Verdict, lang: str) -> str:
    assert section.attempt
    if verdict.outside:
        losses = _named(section, section.attempt.losses, verdict.outside, lang)
        return tell(lang, "Outside the band around R's: {losses}.", losses=losses)
    if len(verdict.pairs) == 1:
        losses = _named(section, section.attempt.losses, verdict.pairs, lang)
        return tell(lang, "Inside the band around R's: {losses}.", losses=losses)
    return tell(lang, "Inside the band around R's: all {n} losses.", n=len(verdict.pairs))


def _gaps_outside(section: Section, epochs: list[int]) -> Message:
    assert section.attempt
    here, r = section.attempt.losses, section.exercise.recorded.losses
    return say(
        "Validation less train loss is outside its band (R's ± {half:.4f}) in {epochs}: from seed to seed the two "
        "losses move together, here they do not.",
        half=section.exercise.half_width(GAP),
        epochs=Listed(
            [
                say("epoch {epoch} ({here:+.4f}, R {r:+.4f})", epoch=epoch, here=gap(here, epoch), r=gap(r, epoch))
                for epoch in epochs
            ]
        ),
    )


def _missing(keys: tuple[tuple[int, str], ...]) -> Listed:
    """Losses by name; an epoch of which there is none is named alone."""
    named = []
    for epoch in dict.fromkeys(epoch for epoch, _ in keys):
        of_epoch = [key for key in keys if key[0] == epoch]
        named += [say("epoch {epoch}", epoch=epoch)] if len(of_epoch) == len(PARTS) else [loss_of(of_epoch[0])]
    return Listed(named)


def _named(section: Section, losses: dict[tuple[int, str], float], keys: tuple[tuple[int, str], ...], lang: str) -> str:
    r = section.exercise.recorded.losses
    return "; ".join(
        tell(lang, "{name} ({loss:.4f}, R {r:.4f})", name=loss_of(key), loss=losses[key], r=r[key]) for key in keys
    )


def _beside_r(here: str, r: str) -> Message:
    if here == r:
        return say("Its text (seed 123) is R's, character for character.")
    same = next((i for i, (a, b) in enumerate(zip(here, r, strict=False)) if a != b), min(len(here), len(r)))
    return say("Its text (seed 123) leaves R's at character {n}.", n=same + 1)


def published_lines(section: Section, lang: str) -> list[str]:
    """Where the course's table lies, what its results say of themselves, and how wide the band is."""
    e = section.exercise
    band = tell(
        lang,
        "Band: R's loss plus and minus {train:.4f} (train) and {valid:.4f} (validation), and for the gap, validation "
        "less train loss, {gap:.4f}: t * sqrt(2) * s. s is the spread over {n} seeds after one epoch of the fast "
        "engine ({s_train:.4f}, {s_valid:.4f} and {s_gap:.4f}), taken to be the same after epochs 2 and 3.",
        n=len(e.spread),
        **{name: e.half_width(name) for name in (*PARTS, GAP)},
        **{f"s_{name}": e.deviation(name) for name in (*PARTS, GAP)},
    )
    return [_published(section, lang), *(tell(lang, remark) for remark in e.remarks), band]


def _published(section: Section, lang: str) -> str:
    e, outside = section.exercise, section.published_outside
    if outside:
        return tell(
            lang,
            "Table {table} lies OUTSIDE what the code gives: {losses}.",
            table=e.published.table,
            losses=_named(section, e.published.losses, tuple(outside), lang),
        )
    gaps = {key: e.published.losses[key] - e.recorded.losses[key] for key in KEYS}
    shares = {key: abs(gap) / e.half_width(key[1]) for key, gap in gaps.items()}
    furthest = max(KEYS, key=shares.__getitem__)
    return tell(
        lang,
        "Table {table} lies inside the band: its losses differ from R's by {low:+.4f} to {high:+.4f}; the nearest to "
        "the edge: {losses}, at {share:.0%} of the way.",
        table=e.published.table,
        low=min(gaps.values()),
        high=max(gaps.values()),
        losses=_named(section, e.published.losses, (furthest,), lang),
        share=shares[furthest],
    )
