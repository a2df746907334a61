"""A report in words and tables, for the terminal and for HTML alike."""

import math

from pygpt.validation.course import EPOCHS, KEYS, PARTS, Exercise
from pygpt.validation.report import Report, Section, perplexity
from pygpt.validation.verdict import Agreement, Verdict
from pygpt.validation.words import say

Table = tuple[list[str], list[list[str]]]


def heading(section: Section, lang: str) -> str:
    """The exercise, its model, and where the course prints its table."""
    e = section.exercise
    p = e.published
    return say(lang, "exercise", number=e.number, model=say(lang, e.model), table=p.table, page=p.page)


def loss_table(section: Section, lang: str) -> Table:
    """Header and rows: train and validation loss and perplexity, epoch by epoch; course, R and run."""
    course, r, run = (say(lang, name) for name in ("course", "r", "run"))
    header = [say(lang, "epoch"), say(lang, "quantity"), course, r]
    if section.attempt and section.attempt.losses:
        header += [run, f"{run} - R", f"{run} - {course}"]
    header += [f"{course} - R", say(lang, "band")]
    of_losses = [_loss_row(section, key, lang) for key in KEYS]
    of_perplexities = [_perplexity_row(section, key, lang) for key in KEYS]
    rows: list[list[str]] = []
    for i in range(0, len(KEYS), len(PARTS)):
        rows += of_losses[i : i + len(PARTS)] + of_perplexities[i : i + len(PARTS)]
    return header, rows


def _loss_row(section: Section, key: tuple[int, str], lang: str) -> list[str]:
    e = section.exercise
    course, r = e.published.losses[key], e.recorded.losses[key]
    row = [
        str(key[0]),
        say(lang, "part_loss", part=say(lang, key[1])),
        f"{course:.4f}{_mark(e, key, course)}",
        f"{r:.4f}",
    ]
    if section.attempt and section.attempt.losses:
        here = section.attempt.losses.get(key)
        row += ["", "", ""] if here is None else [
            f"{here:.4f}{_mark(e, key, here)}", _difference(here - r, 4), _difference(here - course, 4)
        ]  # fmt: skip
    half = e.half_width(key[1])
    return [*row, _difference(course - r, 4), f"{r - half:.4f} … {r + half:.4f}"]


def _perplexity_row(section: Section, key: tuple[int, str], lang: str) -> list[str]:
    course, r = section.exercise.published.perplexities[key], perplexity(section.exercise.recorded.losses[key])
    row = [str(key[0]), say(lang, "part_ppl", part=say(lang, key[1])), f"{course:.2f}", f"{r:.2f}"]
    if section.attempt and section.attempt.losses:
        loss = section.attempt.losses.get(key)
        here = None if loss is None else perplexity(loss)
        row += (
            ["", "", ""]
            if here is None
            else [f"{here:.2f}", _difference(here - r, 2), _difference(here - course, 2)]
        )  # fmt: skip
    return [*row, _difference(course - r, 2), ""]


def _mark(exercise: Exercise, key: tuple[int, str], loss: float) -> str:
    return "" if exercise.inside(key, loss) else " !"


def _difference(value: float, decimals: int) -> str:
    """To as many decimals as the table has; what would show as zero and is not, by its size."""
    if value == 0:
        return "0"
    return f"{value:+.{decimals}f}" if abs(value) >= 0.5 * 10.0**-decimals else f"{value:+.0e}"


def verdict_lines(section: Section, lang: str) -> list[tuple[str, bool]]:
    """What is said of the attempt, each with whether it is as it should be."""
    attempt, verdict = section.attempt, section.verdict
    if not attempt or not verdict:
        return []
    lines = [(say(lang, "validated", name=attempt.name), True)]
    if verdict.steps or verdict.losses:
        exact = all(a.kind == "identical" for a in (verdict.steps, verdict.losses) if a)
        lines.append((_against_recording(verdict, lang), exact or verdict.good))
    if verdict.same_weights is not None:
        words = "weights_same" if verdict.same_weights else "weights_other"
        lines.append((say(lang, words), verdict.same_weights or attempt.due != "identical"))
    lines += [(say(lang, "order", order=attempt.facts["vocabulary"]), True)] if "vocabulary" in attempt.facts else []
    due = {"identical": "must_match", "digits": "may_round"}.get(attempt.due)
    lines += [(say(lang, due), True)] if due else []
    if verdict.pairs:
        lines.append((_in_band(section, verdict, lang), not verdict.outside))
    if attempt.text is not None:
        lines.append((_text(attempt.text, section.exercise.recorded.text, lang), True))
    lines.append((say(lang, "good" if verdict.good else "bad"), verdict.good))
    return lines


def _against_recording(verdict: Verdict, lang: str) -> str:
    found = [a for a in (verdict.steps, verdict.losses) if a]
    what = ", ".join(
        say(lang, name, n=a.compared) for name, a in (("n_steps", verdict.steps), ("n_losses", verdict.losses)) if a
    )
    largest = max(a.largest for a in found)
    if verdict.kind == "identical" or (verdict.kind == "digits" and verdict.digits is None):
        return say(lang, "identical", what=what)
    if verdict.kind == "digits":
        return say(lang, "digits", digits=verdict.digits, what=what, largest=largest)
    worst = next(a for a in found if a.kind == "differs")
    line = say(lang, "differs", where=_where(verdict, worst, worst.first, lang), what=what, largest=largest)
    if worst.first_bit != worst.first:
        line += " " + say(lang, "first_bit", where=_where(verdict, worst, worst.first_bit, lang))
    return line


def _where(verdict: Verdict, agreement: Agreement, number: int | None, lang: str) -> str:
    assert number is not None
    if agreement is verdict.steps:
        return say(lang, "at_step", n=number)
    return _loss_name(verdict.pairs[number - 1], lang)


def _loss_name(key: tuple[int, str], lang: str) -> str:
    return say(lang, "of_epoch", part=say(lang, key[1]), epoch=key[0])


def _in_band(section: Section, verdict: Verdict, lang: str) -> str:
    assert section.attempt
    if verdict.outside:
        return say(lang, "outside", losses=_named(section, section.attempt.losses, verdict.outside, lang))
    if len(verdict.pairs) == 1:
        return say(lang, "inside_one", losses=_named(section, section.attempt.losses, verdict.pairs, lang))
    return say(lang, "inside", n=len(verdict.pairs))


def _named(section: Section, losses: dict[tuple[int, str], float], keys: tuple[tuple[int, str], ...], lang: str) -> str:
    r = section.exercise.recorded.losses
    said = [say(lang, "outside_loss", name=_loss_name(k, lang), value=losses[k], r=r[k]) for k in keys]
    return "; ".join(said)


def _text(here: str, r: str, lang: str) -> str:
    if here == r:
        return say(lang, "text_same")
    same = next((i for i, (a, b) in enumerate(zip(here, r, strict=False)) if a != b), min(len(here), len(r)))
    return say(lang, "text_other", n=same + 1)


def published_lines(section: Section, lang: str) -> list[str]:
    """Where the course's table lies, how wide the band is, and what the published results say of themselves."""
    e, outside = section.exercise, section.published_outside
    gaps = {key: e.published.losses[key] - e.recorded.losses[key] for key in KEYS}
    shares = {key: abs(gap) / e.half_width(key[1]) for key, gap in gaps.items()}
    furthest = max(KEYS, key=shares.__getitem__)
    losses = _named(section, e.published.losses, tuple(outside) or (furthest,), lang)
    values = {"table": e.published.table, "losses": losses, "share": shares[furthest]}
    extremes = {"low": min(gaps.values()), "high": max(gaps.values())}
    said = say(lang, "published_outside" if outside else "published_inside", **values, **extremes)
    widths = {part: e.half_width(part) for part in PARTS}
    deviations = {f"s_{part}": e.deviation(part) for part in PARTS}
    return [said, *e.remarks[lang], say(lang, "spread", n=len(e.spread), **widths, **deviations)]


def claim_lines(report: Report, lang: str) -> list[tuple[str, bool]]:
    """Exercise 3's claim and floor, each with whether it is as it should be."""
    if not report.shows_exercise_3:
        return []
    effects = {"noattn": report.effects["gpt_noattn"], "gpt": report.effects["gpt"]}
    of = {f"{k}_of": say(lang, "these_weights" if e.trained else "first_weights") for k, e in effects.items()}
    lines = [(say(lang, "claim", **{k: e.change for k, e in effects.items()}, **of), True)]
    lines.append((say(lang, "claim_holds" if report.claim_holds else "claim_fails"), report.claim_holds))
    if report.floors:
        section = next(s for s in report.sections if s.exercise.model == "gpt_noattn")
        held = _final_losses(section, lang)
        losses = ", ".join(f"{name} {loss:.4f} ({loss - report.floors.both:+.4f})" for name, loss in held)
        lines.append((say(lang, "floor", both=report.floors.both, losses=losses), True))
        lines += [(say(lang, "below_floor", name=n), False) for n, loss in held if loss < report.floors.both]
        f = report.floors
        lines.append((say(lang, "floor_parts", place=f.place, token=f.token, counted=f.counted), True))
    return lines


def _final_losses(section: Section, lang: str) -> list[tuple[str, float]]:
    key, e = (EPOCHS, "valid"), section.exercise
    found = [("course", e.published.losses[key]), ("r", e.recorded.losses[key])]
    if section.attempt and key in section.attempt.losses:
        found.append(("run", section.attempt.losses[key]))
    return [(say(lang, name), loss) for name, loss in found if not math.isnan(loss)]


def text_table(report: Report, lang: str) -> Table:
    """Header and rows: what tells the texts apart; empty without the corpus."""
    header = [say(lang, key) for key in ("text", "words", "known", "word_length", "lines", "speakers")]
    rows = []
    for s in report.samples:
        if s.facts:
            f = s.facts
            name = say(lang, s.source) + (f", {say(lang, s.model)}" if s.model else "")
            known, speakers = f"{100 * f.known_share:.1f}%", f"{100 * f.speaker_share:.1f}%"
            rows.append([name, f"{f.words:,}", known, f"{f.word_length:.2f}", f"{f.lines:,}", speakers])
    return header, rows
