"""A report as one self-contained HTML page."""

from pygpt.files import json_text
from pygpt.output import pages
from pygpt.output.messages import Message, say, tell
from pygpt.validation import figure
from pygpt.validation.bought import bought_lines
from pygpt.validation.claims import claim_lines
from pygpt.validation.published import published_lines
from pygpt.validation.report import Report, Section, provenance
from pygpt.validation.sentences import (
    heading,
    precision,
    texts_note,
    verdict_line,
    verdict_lines,
    without_corpus,
)
from pygpt.validation.tables import Table, loss_table, sample_name, text_table


def page(report: Report, lang: str) -> str:
    """The report as a page in a language."""
    return pages.page(
        "validation.html",
        lang,
        verdict=None if report.good is None else verdict_line(report.good, lang),
        sections=[
            {
                "heading": heading(section, lang),
                "verdict": verdict_lines(section, lang),
                "caption": _caption(section).render(lang),
                "losses": _losses(section, lang),
                "precision": precision(section.exercise, lang),
                "published": published_lines(section, lang),
            }
            for section in report.sections
        ],
        claims=[*claim_lines(report, lang), *bought_lines(report, lang)],
        picture=pages.picture(figure.png(report, lang)),
        seen=figure.in_words(report, lang),
        texts=text_table(report, lang),
        texts_note=texts_note(report, lang),
        without_corpus=without_corpus(report, lang),
        samples=[
            (sample_name(sample, lang), report.sheet[sample.model].file.generation.prompt, sample.text)
            for sample in report.samples
            if sample.model
        ],
        provenance=json_text(provenance(report)),
    )


def _caption(section: Section) -> Message:
    """What the table of losses holds."""
    if not section.exercise.published.losses:
        return say(
            "Losses and perplexities of R and of what was validated"
            if section.verdict
            else "Losses and perplexities of R"
        )
    return say(
        "Losses and perplexities of the course, of R and of what was validated"
        if section.verdict
        else "Losses and perplexities of the course and of R"
    )


def _losses(section: Section, lang: str) -> Table:
    """The table of losses with epoch and quantity in one cell: a row must say by its first one what it is."""
    header, rows = loss_table(section, lang)
    named = [
        [tell(lang, "{quantity}, epoch {epoch}", quantity=quantity, epoch=epoch), *numbers]
        for epoch, quantity, *numbers in rows
    ]
    return Table(header[1:], named)
