"""What attention buys: two models on one text, in nats, perplexity and known words."""

from pygpt.output.messages import Message, say
from pygpt.validation.names import SOURCES
from pygpt.validation.report import Report, perplexity
from pygpt.validation.sentences import Line


def bought_lines(report: Report, lang: str) -> list[Line]:
    """A line for each source that has both models; nothing where the report is not about the one without."""
    if "gpt" not in report.sheet or not any(s.exercise.model == "gpt_noattn" for s in report.sections):
        return []
    lines = [_bought(report, source) for source in ("course", "r", "run")]
    return [Line(line.render(lang)) for line in lines if line is not None]


def _bought(report: Report, source: str) -> Message | None:
    attempts = {s.exercise.model: s.attempt for s in report.sections}
    ends = []
    for model in ("gpt", "gpt_noattn"):
        exercise, attempt = report.sheet[model], attempts.get(model)
        of = {"course": exercise.published.losses, "r": exercise.recorded.losses, "run": attempt and attempt.losses}
        loss = (of[source] or {}).get((exercise.epochs, "valid"))
        if loss is None:
            return None
        ends.append(loss)
    with_it, without = ends
    values = {
        "source": SOURCES[source],
        "gpt": with_it,
        "noattn": without,
        "nats": without - with_it,
        "ppl": perplexity(with_it),
        "ppl_without": perplexity(without),
    }
    known = {s.model: s.facts for s in report.samples if s.source == source and s.facts is not None}
    if "gpt" not in known or "gpt_noattn" not in known:
        return say(
            "What attention buys ({source}): at the end the validation loss is {gpt:.4f} with it and {noattn:.4f} "
            "without, {nats:+.4f} nats per character; the perplexity {ppl:.2f} in place of {ppl_without:.2f}.",
            **values,
        )
    return say(
        "What attention buys ({source}): at the end the validation loss is {gpt:.4f} with it and {noattn:.4f} without, "
        "{nats:+.4f} nats per character; the perplexity {ppl:.2f} in place of {ppl_without:.2f}; and {known:.1%} of "
        "the written words are the text's, in place of {known_without:.1%}.",
        **values,
        known=known["gpt"].known_share,
        known_without=known["gpt_noattn"].known_share,
    )
