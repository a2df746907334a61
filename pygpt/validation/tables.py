"""A report's tables, for the terminal and the page alike."""

from typing import NamedTuple

from pygpt.exercises.exercise import GAP, PARTS, Losses, epochs_with_a_gap, gap
from pygpt.output.messages import number, tell
from pygpt.validation.names import LOSSES, MODELS, PERPLEXITIES, SOURCES
from pygpt.validation.report import Report, Sample, Section, perplexity


class Table(NamedTuple):
    """Cells as texts."""

    header: list[str]
    rows: list[list[str]]


def loss_table(section: Section, lang: str) -> Table:
    """Epoch, quantity, then course, R and run: train and validation loss, gap and perplexity, epoch by epoch.

    Without published losses there is no column of the course, without an attempt's none of the run.
    """
    course, r, run = (SOURCES[name].render(lang) for name in ("course", "r", "run"))
    has_course, has_run = bool(section.exercise.published.losses), section.has_losses
    columns = {
        course: has_course, r: True, run: has_run, f"{run} - {r}": has_run,
        f"{run} - {course}": has_run and has_course, f"{course} - {r}": has_course, tell(lang, "99% band"): True,
    }  # fmt: skip
    rows = [_loss_row(section, key, lang) for key in section.exercise.keys]
    perplexities = [_perplexity_row(section, key, lang) for key in section.exercise.keys]
    in_order: list[list[str]] = []
    for epoch in range(1, section.exercise.epochs + 1):
        of_epoch = slice((epoch - 1) * len(PARTS), epoch * len(PARTS))
        in_order += [*rows[of_epoch], _gap_row(section, epoch, lang), *perplexities[of_epoch]]
    kept = [True, True, *columns.values()]
    header = [tell(lang, "epoch"), tell(lang, "quantity"), *columns]
    return Table(_kept(header, kept), [_kept(row, kept) for row in in_order])


def text_table(report: Report, lang: str) -> Table:
    """What tells the texts apart; no rows without the corpus."""
    header = [
        tell(lang, "text"),
        tell(lang, "words"),
        tell(lang, "in the corpus"),
        tell(lang, "mean length"),
        tell(lang, "lines"),
        tell(lang, "speakers"),
    ]
    return Table(header, [row for sample in report.samples if (row := _text_row(sample, lang))])


def sample_name(sample: Sample, lang: str) -> str:
    """Whose text it is: `course, GPT`."""
    names = [SOURCES[sample.source]] + ([MODELS[sample.model]] if sample.model else [])
    return ", ".join(name.render(lang) for name in names)


def _kept(row: list[str], kept: list[bool]) -> list[str]:
    return [cell for cell, keep in zip(row, kept, strict=True) if keep]


class _Values(NamedTuple):
    """A number of the course, of R and of the run, as far as they are there."""

    course: float | None
    r: float
    here: float | None

    def differences(self, decimals: int, lang: str) -> list[str]:
        """Run less R, run less course, course less R."""
        pairs = ((self.here, self.r), (self.here, self.course), (self.course, self.r))
        return ["" if a is None or b is None else _difference(a - b, decimals, lang) for a, b in pairs]


def _loss_row(section: Section, key: tuple[int, str], lang: str) -> list[str]:
    e = section.exercise
    values = _Values(e.published.losses.get(key), e.recorded.losses[key], _run_losses(section).get(key))
    row = [str(key[0]), LOSSES[key[1]].render(lang), *_banded(values, e.half_width(key[1], key[0]), lang)]
    if section.attempt and section.has_losses and key in section.attempt.missing:
        row[4] = tell(lang, "not judged")
    return row


def _run_losses(section: Section) -> Losses:
    return section.attempt.losses if section.attempt else {}


def _gap_row(section: Section, epoch: int, lang: str) -> list[str]:
    e = section.exercise

    def of(losses: Losses) -> float | None:
        return gap(losses, epoch) if epoch in epochs_with_a_gap(losses) else None

    values = _Values(of(e.published.losses), gap(e.recorded.losses, epoch), of(_run_losses(section)))
    return [str(epoch), tell(lang, "validation - train"), *_banded(values, e.half_width(GAP, epoch), lang)]


def _banded(values: _Values, half: float, lang: str) -> list[str]:
    course, r, here = values

    def marked(value: float | None) -> str:
        if value is None:
            return ""
        # NaN is in no band
        return number(value, ".4f", lang) + ("" if abs(value - r) <= half else " !")

    band = f"{number(r - half, '.4f', lang)} … {number(r + half, '.4f', lang)}"
    return [marked(course), number(r, ".4f", lang), marked(here), *values.differences(4, lang), band]


def _perplexity_row(section: Section, key: tuple[int, str], lang: str) -> list[str]:
    e, here = section.exercise, _run_losses(section).get(key)
    values = _Values(
        _published_perplexity(section, key), perplexity(e.recorded.losses[key]),
        None if here is None else perplexity(here),
    )  # fmt: skip
    cells = ["" if value is None else number(value, ".2f", lang) for value in values]
    return [str(key[0]), PERPLEXITIES[key[1]].render(lang), *cells, *values.differences(2, lang), ""]


def _published_perplexity(section: Section, key: tuple[int, str]) -> float | None:
    """As it is printed; else what follows from the printed loss."""
    published = section.exercise.published
    if key in published.perplexities or key not in published.losses:
        return published.perplexities.get(key)
    return perplexity(published.losses[key])


def _difference(value: float, decimals: int, lang: str) -> str:
    """To as many decimals as the table has; what would look like zero and is not, by its size."""
    if value == 0:
        return "0"
    return number(value, f"+.{decimals}f" if abs(value) >= 0.5 * 10.0**-decimals else "+.0e", lang)


def _text_row(sample: Sample, lang: str) -> list[str] | None:
    f = sample.facts
    if f is None:
        return None
    return [
        sample_name(sample, lang),
        number(f.words, ",", lang),
        number(f.known_share, ".1%", lang),
        number(f.word_length, ".2f", lang),
        number(f.lines, ",", lang),
        number(f.speaker_share, ".1%", lang),
    ]
