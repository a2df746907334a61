"""A report as data; `sentences`, `tables`, `figure` and `page` show it."""

import dataclasses
import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from pygpt.corpus import Corpus
from pygpt.determinism import reproducible
from pygpt.errors import PygptError
from pygpt.exercises.exercise import GAP, PARTS, Exercise, Sheet, main_of
from pygpt.exercises.floor import Floors, effect_of_others
from pygpt.exercises.opening import course
from pygpt.exercises.text import floors
from pygpt.models import build_model
from pygpt.output.messages import Message
from pygpt.settings import ModelName
from pygpt.validation.attempt import Attempt
from pygpt.validation.diagnosis import diagnose
from pygpt.validation.texts import TextFacts, measure, words
from pygpt.validation.verdict import Agreement, Verdict, judge
from pygpt.version import __version__

FORMAT = 1


@dataclass(frozen=True)
class Section:
    """One exercise, and what was held against it; without an attempt, the course beside R alone.

    `diagnosis` says what a bad verdict usually means, where that is known.
    """

    exercise: Exercise
    attempt: Attempt | None
    verdict: Verdict | None
    diagnosis: Message | None = None

    @property
    def published_outside(self) -> list[tuple[int, str]]:
        """The (epoch, part) whose published loss lies outside the band around R's."""
        return [key for key, loss in self.exercise.published.losses.items() if not self.exercise.inside(key, loss)]

    @property
    def has_steps(self) -> bool:
        """Whether there is an attempt with losses of steps."""
        return self.attempt is not None and bool(self.attempt.steps)

    @property
    def has_losses(self) -> bool:
        """Whether there is an attempt with losses of epochs."""
        return self.attempt is not None and bool(self.attempt.losses)


@dataclass(frozen=True)
class Sample:
    """A text: `source` is corpus, course, r or run; `facts` are None where the corpus is not at hand."""

    source: str
    model: ModelName | None
    text: str
    facts: TextFacts | None


@dataclass(frozen=True)
class Effect:
    """What other characters do to the logits at a place, with an attempt's weights or seed 42's first ones."""

    change: float
    trained: bool


@dataclass(frozen=True)
class Report:
    """One or both exercises, judged.

    Attributes:
        sheet: the exercises that it speaks of, whether they have a section or not.
        floors: None where the course's text is not at hand.
        effects: by model.
        same_kernels: whether this processor computes with the recording's kernels.
        corpus_sha256: of the course's text, None where it is not at hand.
        no_corpus: why it is not.
    """

    sheet: Sheet
    sections: tuple[Section, ...]
    samples: tuple[Sample, ...]
    floors: Floors | None
    effects: dict[ModelName, Effect]
    same_kernels: bool
    corpus_sha256: str | None
    no_corpus: PygptError | None

    @property
    def good(self) -> bool | None:
        """Whether every verdict is good, and a model without attention sees one character; None without an attempt."""
        verdicts = [s.verdict.good for s in self.sections if s.verdict]
        return all(verdicts) and self.claim_holds if verdicts else None

    @property
    def claim_holds(self) -> bool:
        """Whether the model without attention depends on the present character and its place alone."""
        effect = self.effects.get("gpt_noattn")
        return effect is None or effect.change == 0


def build(
    attempts: Sequence[Attempt],
    models: Collection[ModelName],
    corpus: Corpus | None,
    same_kernels: bool,
    no_corpus: PygptError | None = None,
    sheet: Sheet | None = None,
) -> Report:
    """Judge the attempts, each beside the course's results and R's.

    Args:
        attempts: at most one a model.
        models: whose exercises to report; without an attempt, the course stands beside R alone.
        corpus: the course's text; None leaves floors and known words out.
        no_corpus: why it is None.
        sheet: the exercises; None for the course's own.
    """
    sheet = course() if sheet is None else sheet
    by_model = {attempt.model: attempt for attempt in attempts}
    return Report(
        sheet=sheet,
        sections=tuple(_section(sheet, e, by_model.get(e.model)) for e in sheet.values() if e.model in models),
        samples=tuple(_samples(sheet, attempts, corpus)),
        floors=_floors(sheet, corpus),
        effects={model: _effect(e, by_model.get(model)) for model, e in sheet.items()},
        same_kernels=same_kernels,
        corpus_sha256=corpus.sha256 if corpus else None,
        no_corpus=no_corpus,
    )


def _section(sheet: Sheet, exercise: Exercise, attempt: Attempt | None) -> Section:
    if attempt is None:
        return Section(exercise, None, None)
    verdict = judge(exercise, attempt)
    return Section(exercise, attempt, verdict, diagnose(sheet, attempt, verdict))


def _samples(sheet: Sheet, attempts: Sequence[Attempt], corpus: Corpus | None) -> list[Sample]:
    known = frozenset(words(corpus.text)) if corpus else None

    def sample(source: str, model: ModelName | None, text: str) -> Sample:
        return Sample(source, model, text, None if known is None else measure(text, known))

    samples = [sample("corpus", None, corpus.text)] if corpus else []
    for model, exercise in sheet.items():
        if exercise.published.text is not None:
            samples.append(sample("course", model, exercise.published.text))
        samples.append(sample("r", model, exercise.recorded.text))
        samples += [sample("run", model, a.text) for a in attempts if a.model == model and a.text is not None]
    return samples


def _floors(sheet: Sheet, corpus: Corpus | None) -> Floors | None:
    exercise = main_of(sheet)
    if exercise.floors is not None:
        return exercise.floors
    return None if corpus is None else floors(exercise.file, corpus)


def _effect(exercise: Exercise, attempt: Attempt | None) -> Effect:
    if attempt and attempt.network:
        return Effect(effect_of_others(attempt.network), trained=True)
    with reproducible():
        torch.manual_seed(exercise.recorded.seed)
        return Effect(effect_of_others(build_model(exercise.shape)), trained=False)


def to_json(report: Report) -> dict[str, Any]:
    """The report for programs, format 1: numbers as they are."""
    return {
        "format": FORMAT,
        "good": report.good,
        "exercises": [_section_json(s) for s in report.sections],
        "texts": [
            {
                "source": s.source,
                "model": s.model,
                "prompt": report.sheet[s.model].file.generation.prompt if s.model else None,
                "text": s.text if s.model else None,
                "facts": _facts_json(s.facts),
            }
            for s in report.samples
        ],
        "floors": dataclasses.asdict(report.floors) if report.floors else None,
        "effect_of_other_characters": {m: dataclasses.asdict(e) for m, e in report.effects.items()},
        "provenance": provenance(report),
    }


def provenance(report: Report) -> dict[str, Any]:
    """What the report was made with and from."""
    attempts = [s.attempt for s in report.sections if s.attempt]
    return {
        "pygpt": __version__,
        "torch": torch.__version__,
        "same_kernels_as_recording": report.same_kernels,
        "corpus_sha256": report.corpus_sha256,
        "published": main_of(report.sheet).published.source,
        **main_of(report.sheet).provenance,
        "validated": {a.model: {"name": a.name, **a.facts} for a in attempts},
    }


def _section_json(section: Section) -> dict[str, Any]:
    e, attempt, verdict = section.exercise, section.attempt, section.verdict
    return {
        "exercise": e.file.name if e.number is None else e.number,
        "model": e.model,
        "table": e.published.table,
        "page": e.published.page,
        "validated": attempt.name if attempt else None,
        "losses": [_loss_json(section, key) for key in e.keys],
        "half_width": {name: e.half_width(name) for name in (*PARTS, GAP)},
        "seeds": len(e.seeds()),
        "published_outside": [list(key) for key in section.published_outside],
        "not_judged": [list(key) for key in attempt.missing] if attempt else [],
        "remarks": [str(remark) for remark in e.published.remarks],
        "verdict": _verdict_json(verdict) if verdict else None,
        "diagnosis": str(section.diagnosis) if section.diagnosis else None,
        "text_is_r": attempt.text == e.recorded.text if attempt and attempt.text is not None else None,
    }


def _loss_json(section: Section, key: tuple[int, str]) -> dict[str, Any]:
    e = section.exercise
    here = section.attempt.losses.get(key) if section.attempt else None
    row: dict[str, Any] = {"epoch": key[0], "part": key[1]}
    published = e.published.losses.get(key)
    for name, loss in (("published", published), ("recorded", e.recorded.losses[key]), ("run", here)):
        row[name] = loss
        row[f"{name}_perplexity"] = None if loss is None else perplexity(loss)
    row["run_minus_recorded"] = None if here is None else here - e.recorded.losses[key]
    row["run_minus_published"] = None if here is None or published is None else here - published
    row["run_inside_band"] = None if here is None else e.inside(key, here)
    row["published_inside_band"] = None if published is None else e.inside(key, published)
    return row


def _verdict_json(verdict: Verdict) -> dict[str, Any]:
    def agreement(a: Agreement | None) -> dict[str, Any] | None:
        return dataclasses.asdict(a) if a else None

    return {
        "kind": verdict.kind,
        "digits": verdict.digits,
        "good": verdict.good,
        "steps": agreement(verdict.steps),
        "losses": agreement(verdict.losses),
        "same_weights": verdict.same_weights,
        "outside": [list(key) for key in verdict.outside],
        "gaps_outside": list(verdict.gaps_outside),
    }


def _facts_json(facts: TextFacts | None) -> dict[str, Any] | None:
    if facts is None:
        return None
    shares = {name: getattr(facts, name) for name in ("known_share", "word_length", "speaker_share")}
    return dataclasses.asdict(facts) | shares


def perplexity(loss: float) -> float:
    """exp(loss), infinite where that is too large for a number."""
    return math.exp(loss) if loss < 700 else math.inf if loss == loss else math.nan
