"""What is said of an exercise before anything is judged: its published results, whence R's column comes, the band."""

from pygpt.exercises.exercise import GAP, PARTS, Exercise
from pygpt.output.messages import Message, say, tell
from pygpt.validation.report import Section
from pygpt.validation.sentences import named


def published_lines(section: Section, lang: str) -> list[str]:
    """Where the course's table lies, what its results say of themselves, whence R's column, how wide the band."""
    e = section.exercise
    lines = [_published(section, lang)] if e.published.losses else []
    lines += [remark.render(lang) for remark in e.published.remarks]
    return [*lines, *(message.render(lang) for message in origin(e)), _band(e).render(lang)]


def _band(e: Exercise) -> Message:
    measured, last = e.measured_epochs, e.epochs
    values: dict[str, object] = {
        **{name: e.half_width(name, last) for name in (*PARTS, GAP)},
        **{f"s_{name}": e.deviation(name, last) for name in (*PARTS, GAP)},
        "n": len(e.seeds(last)),
    }
    if last in measured:
        return say(
            "Band: R's loss plus and minus t * sqrt(2) * s, epoch by epoch; s is the spread over {n} seeds of the fast "
            "engine after that epoch. After the last one the band is {train:.4f} (train) and {valid:.4f} (validation) "
            "wide to each side, and {gap:.4f} for the gap, validation less train loss (s: {s_train:.4f}, {s_valid:.4f} "
            "and {s_gap:.4f}).",
            **values,
        )
    after = say("one epoch") if measured == (1,) else say("{n} epochs", n=max(measured))
    return say(
        "Band: R's loss plus and minus {train:.4f} (train) and {valid:.4f} (validation), and for the gap, validation "
        "less train loss, {gap:.4f}: t * sqrt(2) * s. s is the spread over {n} seeds after {after} of the fast "
        "engine ({s_train:.4f}, {s_valid:.4f} and {s_gap:.4f}), taken to be the same after {later}.",
        after=after,
        later=_later(max(measured) + 1, last),
        **values,
    )


def _later(first: int, last: int) -> Message:
    if first == last:
        return say("epoch {epoch}", epoch=last)
    if first + 1 == last:
        return say("epochs {first} and {last}", first=first, last=last)
    return say("epochs {first} to {last}", first=first, last=last)


def origin(exercise: Exercise) -> list[Message]:
    """Whence R's column comes, where R itself was not recorded."""
    r = exercise.recorded
    if r.by_r:
        return []
    return [
        say(
            "R's column is engine r's run of seed {seed} (R's threads: {n}): pygpt computed it, not R.",
            seed=str(r.seed), n=r.r_threads,
        )
    ]  # fmt: skip


def _published(section: Section, lang: str) -> str:
    e, outside = section.exercise, section.published_outside
    table = say("Table {n}", n=e.published.table) if e.published.table is not None else say("The published table")
    if outside:
        return tell(
            lang,
            "{table} lies OUTSIDE what the code gives: {losses}.",
            table=table,
            losses=named(section, e.published.losses, outside, lang),
        )
    gaps = {key: loss - e.recorded.losses[key] for key, loss in e.published.losses.items()}
    shares = {key: abs(gap) / e.half_width(key[1], key[0]) for key, gap in gaps.items()}
    furthest = max(shares, key=shares.__getitem__)
    return tell(
        lang,
        "{table} lies inside the band: its losses differ from R's by {low:+.4f} to {high:+.4f}; the nearest to "
        "the edge: {losses}, at {share:.0%} of the way.",
        table=table,
        low=min(gaps.values()),
        high=max(gaps.values()),
        losses=named(section, e.published.losses, (furthest,), lang),
        share=shares[furthest],
    )
