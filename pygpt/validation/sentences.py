"""What a report says in sentences, for the terminal and the page alike."""

from collections.abc import Sequence
from typing import NamedTuple

from pygpt.exercises.exercise import GAP, PARTS, Exercise, Losses, gap, main_of
from pygpt.output.messages import Listed, Message, number, say, tell
from pygpt.validation.names import MODELS, loss_of
from pygpt.validation.report import Report, Section
from pygpt.validation.verdict import Agreement, Verdict


class Line(NamedTuple):
    """A sentence, and whether it is good news; None where it is neither."""

    text: str
    good: bool | None = None


def heading(section: Section, lang: str) -> str:
    """The exercise, its model, and where the course prints its table."""
    e = section.exercise
    if e.published.table is None or e.published.page is None:
        return tell(lang, "{title}: {model}", title=e.file.title, model=MODELS[e.model])
    return tell(
        lang,
        "{title}: {model} (table {table}, page {page})",
        title=e.file.title,
        model=MODELS[e.model],
        table=e.published.table,
        page=e.published.page,
    )


def precision(exercise: Exercise, lang: str) -> str:
    """What the numbers of a table of losses are good for."""
    published = exercise.published
    if not published.losses:
        return tell(
            lang,
            "Losses in nats per character, to 4 decimals; perplexity is exp(loss), to 2. Differences are of the "
            "unrounded losses. ! marks a loss outside the band.",
        )
    return tell(
        lang,
        "Losses in nats per character, to 4 decimals; perplexity is exp(loss), to 2. Differences are of the unrounded "
        "losses (the course's are rounded to {decimals} decimals, so they are known to within {half}). "
        "! marks a loss outside the band.",
        decimals=published.decimals,
        half=number(0.5 * 10.0**-published.decimals, f".{published.decimals + 1}f", lang),
    )


def texts_note(report: Report, lang: str) -> str:
    """How the texts were counted."""
    return tell(
        lang,
        "Words that occur in the course's text (case ignored), mean word length in characters, and lines, blank ones "
        "not counted, that look like a speaker's name (one to four capitalised words and a colon). The corpus's own "
        "share of known words is 100% by definition. R's and the run's texts are {n} characters: too few for fine "
        "distinctions.",
        n=main_of(report.sheet).file.generation.tokens,
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
    seed = str(section.exercise.recorded.seed)
    lines = [Line(tell(lang, "Validated: {name}", name=attempt.name))]
    lines += [Line(note.render(lang)) for note in attempt.notes]
    if attempt.missing:
        lines.append(Line(tell(lang, "Not judged, for want of losses: {epochs}.", epochs=_missing(attempt.missing))))
    if verdict.steps or verdict.losses:
        exact = all(a.kind == "identical" for a in (verdict.steps, verdict.losses) if a)
        lines.append(
            Line(_against_recording(section.exercise, verdict, lang), exact or (None if verdict.good else False))
        )
    if verdict.same_weights is not None:
        whose = (
            say("The weights are R's of seed {seed}, by their SHA-256.", seed=seed)
            if verdict.same_weights
            else say("The weights are not R's of seed {seed} (another SHA-256).", seed=seed)
        )
        lines.append(Line(whose.render(lang), verdict.same_weights or (False if attempt.due == "identical" else None)))
    if "vocabulary" in attempt.facts:
        order = say(
            "Evaluated with the vocabulary in the order {order} (the lower loss of R's two).",
            order=attempt.facts["vocabulary"],
        )
        lines.append(Line(order.render(lang)))
    if attempt.due == "seed":
        lines.append(_of_seed(section.exercise, verdict, lang))
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
        lines.append(Line(_beside_r(attempt.text, section.exercise).render(lang)))
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


def _of_seed(exercise: Exercise, verdict: Verdict, lang: str) -> Line:
    """Whether it is the run that it is said to be."""
    seed, threads = str(exercise.recorded.seed), exercise.recorded.r_threads
    if verdict.kind != "differs" and verdict.same_weights is not False:
        is_it = say("So it is the run of seed {seed} (R's threads: {threads}).", seed=seed, threads=threads)
        return Line(is_it.render(lang), True)
    is_not = say(
        "So it is not the run of seed {seed} (R's threads: {threads}) as this processor computes it. Another seed or "
        "setting, another number of threads (R takes all cores unless told otherwise) or a processor with other "
        "kernels do that; the band alone decides.",
        seed=seed, threads=threads,
    )  # fmt: skip
    return Line(is_not.render(lang), False)


def _against_recording(exercise: Exercise, verdict: Verdict, lang: str) -> str:
    agreements = [a for a in (verdict.steps, verdict.losses) if a]
    compared = [say("steps: {n}", n=verdict.steps.compared)] if verdict.steps else []
    compared += [say("losses of epochs: {n}", n=verdict.losses.compared)] if verdict.losses else []
    what = ", ".join(message.render(lang) for message in compared)
    largest = max(a.largest for a in agreements)
    r = say("R's recording" if exercise.recorded.by_r else "engine r's run")
    if verdict.kind == "identical" or (verdict.kind == "digits" and verdict.digits is None):
        return tell(lang, "Against {r}: identical ({what}; every value is the same float32).", r=r, what=what)
    if verdict.kind == "digits":
        return tell(
            lang,
            "Against {r}: identical to {digits} digits after the point ({what}; largest difference {largest:.1e}).",
            r=r,
            digits=verdict.digits,
            what=what,
            largest=largest,
        )
    worst = next(a for a in agreements if a.kind == "differs")
    line = tell(
        lang,
        "Against {r}: differs from {where} on, by more than half a unit of the fourth decimal ({what}; largest "
        "difference {largest:.1e}).",
        r=r,
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
        losses = named(section, section.attempt.losses, verdict.outside, lang)
        return tell(lang, "Outside the band around R's: {losses}.", losses=losses)
    if len(verdict.pairs) == 1:
        losses = named(section, section.attempt.losses, verdict.pairs, lang)
        return tell(lang, "Inside the band around R's: {losses}.", losses=losses)
    return tell(lang, "Inside the band around R's: all {n} losses.", n=len(verdict.pairs))


def _gaps_outside(section: Section, epochs: list[int]) -> Message:
    assert section.attempt
    here, r = section.attempt.losses, section.exercise.recorded.losses
    return say(
        "Validation less train loss is outside its band (R's ± {half:.4f}) in {epochs}: from seed to seed the two "
        "losses move together, here they do not.",
        half=section.exercise.half_width(GAP, epochs[0]),
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


def named(section: Section, losses: Losses, keys: Sequence[tuple[int, str]], lang: str) -> str:
    """Losses by name, each beside R's."""
    r = section.exercise.recorded.losses
    return "; ".join(
        tell(lang, "{name} ({loss:.4f}, R {r:.4f})", name=loss_of(key), loss=losses[key], r=r[key]) for key in keys
    )


def _beside_r(here: str, exercise: Exercise) -> Message:
    r, seed = exercise.recorded.text, str(exercise.file.generation.seed)
    if here == r:
        return say("Its text (seed {seed}) is R's, character for character.", seed=seed)
    same = next((i for i, (a, b) in enumerate(zip(here, r, strict=False)) if a != b), min(len(here), len(r)))
    return say("Its text (seed {seed}) leaves R's at character {n}.", seed=seed, n=same + 1)
