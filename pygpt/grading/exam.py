"""One submission's examination: what the checks work with, what they are run for, and what they leave behind."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
from torch import Tensor

from pygpt.grading.check import REGISTERED, Case, Check, Each, Item, Outcome, Verdict
from pygpt.grading.diagnosis import BLOCKS_ALONE, Diagnosis, diagnose
from pygpt.grading.dropping import Dropping, dropping_of
from pygpt.grading.port import Port
from pygpt.grading.r_model import BLOCK_PARTS
from pygpt.grading.rubric import Rubric
from pygpt.isolation.session import AnswerError
from pygpt.output.messages import Message, say
from pygpt.r_files.weights import Weights
from pygpt.settings import MODELS, R_MODELS, ModelName, ModelSettings, PaddingRow

_T = TypeVar("_T")


@dataclass
class Exam:
    """What the checks work with, and what they have left so far."""

    port: Port
    rubric: Rubric
    seed: int
    trained: Weights | None = None
    """Of a file: the forward pass is asked about them, too."""
    items: dict[str, list[Item]] = field(default_factory=dict)
    """By check, in the order in which they ran."""
    padding_row: PaddingRow | None = None
    """Which row of the token embedding has no gradient, once known."""
    _running: Check | None = None
    _known: dict[tuple[object, ...], Any] = field(default_factory=dict)

    @property
    def models(self) -> list[ModelName]:
        """The models that the rubric asks for."""
        return [model for model in MODELS if R_MODELS[model] in self.rubric.parts]

    @property
    def blocks_alone(self) -> int:
        """Blocks of the model that is asked part by part."""
        return min(BLOCKS_ALONE, max(self.rubric.sizes["n_layer"]))

    @property
    def tolerance(self) -> float:
        return self.rubric.tolerances["logits"]

    def run(self, check: Check) -> None:
        """Run a check and keep its items; a part of the submission that is missing is one item, which has failed."""
        self._running = check
        missing = next((part for part in check.needs if part not in self.port.session.parts), None)
        if missing is None:
            items = [_item(check, case, self._judged(check, case)) for case in check.each(self)]
        else:
            name = say("{part}", part=missing)
            verdict = Verdict.of(False, name, say("{part} is not defined", part=missing))
            items = [_item(check, Case(name, part=missing), verdict)]
        self.items[check.id], self._running = items, None

    def _judged(self, check: Check, case: Case) -> Verdict:
        try:
            return check.judge(self, *case.given)
        except AnswerError as failed:
            return Verdict(Outcome.NO_ANSWER, say("an answer"), failed.message)

    def results(self, id: str, model: ModelName | None = None) -> list[Item]:
        """The items of a check, those of `model` and of none in particular where it is given.

        Raises:
            LookupError: there is no such check, or the one that runs does not say that it follows it.
        """
        if id not in REGISTERED or (self._running is not None and id not in self._running.after):
            raise LookupError(f"{id} is no check, or none that the running one follows (`after`)")
        return [item for item in self.items.get(id, []) if model is None or item.model in (None, model)]

    def passed(self, *ids: str, model: ModelName | None = None) -> bool:
        """Whether every item of these checks passed: see `results`. A check that is not asked for has none."""
        return all(item.passed for id in ids for item in self.results(id, model))

    def random(self, *purpose: object) -> torch.Generator:
        """A generator for one purpose, the same whenever this seed is graded again."""
        digest = hashlib.sha256(repr((self.seed, *purpose)).encode()).digest()
        return torch.Generator().manual_seed(int.from_bytes(digest[:7], "little"))

    def known(self, key: tuple[object, ...], make: Callable[[], _T]) -> _T:
        """What several checks ask about: made once; an AnswerError is kept and raised again."""
        if key not in self._known:
            try:
                self._known[key] = make()
            except AnswerError as failed:
                self._known[key] = failed
        known = self._known[key]
        if isinstance(known, AnswerError):
            raise AnswerError(known.message, known.fatal)
        return known  # type: ignore[no-any-return]

    def diagnosis(self, model: ModelName) -> Diagnosis:
        """What the port's forward pass is."""
        rng = self.random("diagnosis", model)
        return self.known(("diagnosis", model), lambda: self._diagnosed(model, rng))

    def _diagnosed(self, model: ModelName, rng: torch.Generator) -> Diagnosis:
        own = self.rubric.own[model]
        return diagnose(self.port, model, self.settings, own, rng, self.tolerance, self.trained)

    def explained(self, model: ModelName) -> bool:
        """Whether the forward pass is R's, or R's with known changes; not where there is none."""
        try:
            return self.diagnosis(model).explained
        except AnswerError:
            return False

    def dropping(self, model: ModelName) -> Dropping:
        """What the port drops in training."""
        rng = self.random("dropping", model)

        def make() -> Dropping:
            return dropping_of(self.port, self.diagnosis(model), self.settings, rng, self.tolerance)

        return self.known(("dropping", model), make)

    def settings(self, model: ModelName, rng: torch.Generator, **fixed: int | float) -> ModelSettings:
        """A small model whose sizes are drawn; no deeper than the rubric's, where `n_layer` is fixed."""
        sizes = self.rubric.sizes
        heads = _pick(rng, sizes["n_head"])
        drawn: dict[str, int | float] = {
            "block_size": _pick(rng, sizes["block_size"]),
            "n_embd": heads * _pick(rng, sizes["head_width"]),
            "n_layer": _pick(rng, sizes["n_layer"]),
            "n_head": heads,
            "vocab_size": _pick(rng, sizes["vocab_size"]),
            "dropout": 0.0,
        }
        values = drawn | fixed
        values["n_layer"] = min(values["n_layer"], max(sizes["n_layer"]))
        return ModelSettings(model, **values)  # type: ignore[arg-type]


def once(name: Message, *given: object) -> Each:
    """Run a check once: `judge(exam, *given)`."""
    return lambda _exam: [Case(name, given=given)]


def of_models(*given: object, having: str = "FFN") -> Each:
    """Run a check for each model that is asked for and has this part: `judge(exam, model, *given)`."""

    def cases(exam: Exam) -> Iterator[Case]:
        for model in exam.models:
            if having in BLOCK_PARTS[model]:
                yield Case(say("{model}", model=R_MODELS[model]), model, given=(model, *given))

    return cases


def tokens(rng: torch.Generator, shape: Sequence[int], low: int, high: int) -> Tensor:
    """Rows of the vocabulary from `low` to below `high`."""
    return torch.randint(low, high, list(shape), generator=rng)


def _item(check: Check, case: Case, verdict: Verdict) -> Item:
    return Item(
        check.id, case.name, case.model, case.block, case.part, verdict.outcome, verdict.expected, verdict.actual
    )


def _pick(rng: torch.Generator, choices: Sequence[int]) -> int:
    return choices[int(torch.randint(len(choices), (1,), generator=rng))]
