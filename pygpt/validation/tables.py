"""A report's tables, for the terminal and the page alike."""

from typing import NamedTuple

from pygpt.output.messages import number, tell
from pygpt.validation.course import GAP, KEYS, PARTS, epochs_with_a_gap, gap
from pygpt.validation.names import LOSSES, MODELS, PERPLEXITIES, SOURCES
from pygpt.validation.report import Report, Sample, Section, perplexity


class Table(NamedTuple):
    """Cells as texts."""

    header: list[str]
    rows: list[list[str]]


def loss_table(section: Section, lang: str) -> Table:
    """Epoch, quantity, then course, R and run: train and validation loss, gap and perplexity, epoch by epoch."""
    course, r, run = (SOURCES[name].render(lang) for name in ("course", "r", "run"))
    header = [tell(lang, "epoch"), tell(lang, "quantity"), course, r]
    if section.has_losses:
        header += [run, f"{run} - {r}", f"{run} - {course}"]
    header += [f"{course} - {r}", tell(lang, "99% band")]
    of_losses = [_loss_row(section, key, lang) for key in KEYS]
    of_perplexities = [_perplexity_row(section, key, lang) for key in KEYS]
    rows: list[list[str]] = []
    for i in range(0, len(KEYS), len(PARTS)):
        gap_row = _gap_row(section, KEYS[i][0], lang)
        rows += [*of_losses[i : i + len(PARTS)], gap_row, *of_perplexities[i : i + len(PARTS)]]
    return Table(header, rows)


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


def _loss_row(section: Section, key: tuple[int, str], lang: str) -> list[str]:
    e = section.exercise
    here = section.attempt.losses.get(key) if section.attempt else None
    values = _Values(e.published.losses[key], e.recorded.losses[key], here, e.half_width(key[1]))
    row = [str(key[0]), LOSSES[key[1]].render(lang), *_banded(section, values, lang)]
    if section.attempt and section.has_losses and key in section.attempt.missing:
        row[4] = tell(lang, "not judged")
    return row


def _gap_row(section: Section, epoch: int, lang: str) -> list[str]:
    e = section.exercise
    losses = section.attempt.losses if section.attempt else {}
    here = gap(losses, epoch) if epoch in epochs_with_a_gap(losses) else None
    values = _Values(gap(e.published.losses, epoch), gap(e.recorded.losses, epoch), here, e.half_width(GAP))
    return [str(epoch), tell(lang, "validation - train"), *_banded(section, values, lang)]


class _Values(NamedTuple):
    """A loss or a gap of the course, of R and of the run, and half of its band."""

    course: float
    r: float
    here: float | None
    half: float


def _banded(section: Section, values: _Values, lang: str) -> list[str]:
    course, r, here, half = values

    def marked(value: float) -> str:
        # NaN is in no band
        return number(value, ".4f", lang) + ("" if abs(value - r) <= half else " !")

    cells = [marked(course), number(r, ".4f", lang)]
    if section.has_losses:
        cells += (
            ["", "", ""]
            if here is None
            else [marked(here), _difference(here - r, 4, lang), _difference(here - course, 4, lang)]
        )
    band = f"{number(r - half, '.4f', lang)} … {number(r + half, '.4f', lang)}"
    return [*cells, _difference(course - r, 4, lang), band]


def _perplexity_row(section: Section, key: tuple[int, str], lang: str) -> list[str]:
    course, r = section.exercise.published.perplexities[key], perplexity(section.exercise.recorded.losses[key])
    row = [str(key[0]), PERPLEXITIES[key[1]].render(lang), number(course, ".2f", lang), number(r, ".2f", lang)]
    if section.attempt and section.has_losses:
        loss = section.attempt.losses.get(key)
        here = None if loss is None else perplexity(loss)
        row += (
            ["", "", ""]
            if here is None
            else [number(here, ".2f", lang), _difference(here - r, 2, lang), _difference(here - course, 2, lang)]
        )
    return [*row, _difference(course - r, 2, lang), ""]


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
