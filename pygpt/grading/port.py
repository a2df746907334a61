"""A submission's model as the checks use it: R's weights and rows in, logits and gradients under R's names out."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from pygpt.grading.algebra import R, forward
from pygpt.grading.changes import explanations
from pygpt.grading.claims import parameters_of
from pygpt.grading.r_model import Weights, normal_weights, r_shapes
from pygpt.isolation import wire
from pygpt.isolation.session import AnswerError, Session, or_raised
from pygpt.layouts.pieces import Shape, axes_of
from pygpt.layouts.weight_map import Carried, UnclearError, carry
from pygpt.output.messages import say
from pygpt.settings import R_MODELS, ModelName, ModelSettings

# As a share of the logits' standard deviation: of float32 against another assignment of the weights.
_ALIKE = 1e-3


@dataclass(frozen=True)
class Question:
    """What a model is asked: weights under R's names, rows (batch, k), the mode, and the seed before it runs."""

    weights: Weights
    rows: Tensor
    train: bool = False
    seed: int = 0


@dataclass(frozen=True)
class Built:
    """A freshly built model of the submission, and how R's weights fit into it."""

    names: tuple[str, ...]
    carried: Carried


@dataclass
class Port:
    """The submission under grading."""

    session: Session
    _built: dict[ModelSettings, Built | AnswerError] = field(default_factory=dict)
    _claimed: dict[ModelSettings, tuple[dict[str, Shape], dict[str, str]] | AnswerError] = field(default_factory=dict)
    _guess: dict[ModelName, tuple[int, bool]] = field(default_factory=dict)
    """Which of what fits was taken last time, and whether it gave R's logits: models are alike at all sizes."""

    def built(self, settings: ModelSettings) -> Built:
        """Build a model and find where R's weights go; asked once for each settings.

        Raises:
            AnswerError: it cannot be built, or the weights cannot be carried over.
        """
        if settings not in self._built:
            try:
                self._built[settings] = self._build(settings)
            except AnswerError as failed:
                self._built[settings] = failed
        return or_raised(self._built[settings])

    def builds(self, model: ModelName) -> dict[ModelSettings, Built]:
        """All that was built of a model so far."""
        return {s: built for s, built in self._built.items() if s.model == model and isinstance(built, Built)}

    def initial(self, settings: ModelSettings) -> Weights:
        """The weights that a new model begins with, under R's names."""
        built = self.built(settings)
        request = self.request("build", settings) | {"seed": 1, "values": True}
        shapes = {f"p.{i}": built.carried.shapes[name] for i, name in enumerate(built.names)}
        answer = self.session.ask(request, {}, shapes)
        return built.carried.to_r({name: answer[f"p.{i}"] for i, name in enumerate(built.names)})

    def answers(
        self, settings: ModelSettings, questions: Sequence[Question], double: bool = False
    ) -> list[Tensor | AnswerError]:
        """To each question its logits (batch, k, nvoc) in float64, or why there are none; all in one request.

        Raises:
            AnswerError: the model cannot be built, or nothing can be asked any more.
        """
        self.built(settings)
        sets = {id(q.weights): q.weights for q in questions}
        places = {key: place for place, key in enumerate(sets)}
        tensors = {f"x.{i}": q.rows for i, q in enumerate(questions)}
        for place, weights in enumerate(sets.values()):
            tensors |= self.own_weights(settings, weights, double, place)
        request = self.request("run", settings) | {"double": double}
        request["questions"] = [(places[id(q.weights)], q.train, q.seed) for q in questions]
        shapes = {f"y.{i}": (*q.rows.shape, settings.vocab_size) for i, q in enumerate(questions)}
        try:
            answers = self.session.each(request, tensors, shapes).values()
            return [_explained(answer, q.rows, settings) for answer, q in zip(answers, questions, strict=True)]
        except AnswerError as failed:
            if failed.fatal:
                raise
            return [failed] * len(questions)

    def logits(
        self,
        settings: ModelSettings,
        weights: Weights,
        inputs: Sequence[Tensor],
        train: bool = False,
        seeds: Sequence[int] = (),
        double: bool = False,
    ) -> list[Tensor]:
        """Logits for each of `inputs` (batch, k), all with these weights."""
        questions = [Question(weights, x, train, *seeds[i : i + 1]) for i, x in enumerate(inputs)]
        return [or_raised(answer) for answer in self.answers(settings, questions, double)]

    def gradients(
        self, settings: ModelSettings, weights: Weights, x: Tensor, cotangent: Tensor, double: bool = False
    ) -> Weights:
        """Gradients of sum(logits * cotangent) in train mode, under R's names."""
        own = self.own_gradients(settings, self.own_weights(settings, weights, double), x, cotangent, double)
        return self.built(settings).carried.to_r(own)

    def own_gradients(
        self, settings: ModelSettings, own: Weights, x: Tensor, cotangent: Tensor, double: bool = False
    ) -> Weights:
        """The same under the submission's names, for weights as `own_weights` gives them."""
        request = self.request("gradients", settings) | {"double": double}
        shapes = {f"g.{name}": shape for name, shape in self.built(settings).carried.shapes.items()}
        answer = self.session.ask(request, own | {"x": x, "cotangent": cotangent}, shapes)
        return {name.removeprefix("g."): gradient for name, gradient in answer.items()}

    def request(self, op: str, settings: ModelSettings) -> dict[str, Any]:
        """A request about a model of these settings."""
        return {"op": op, "model": R_MODELS[settings.model], "arguments": settings.to_r(), "double": False}

    def own_weights(self, settings: ModelSettings, weights: Weights, double: bool = False, place: int = 0) -> Weights:
        """R's weights under the submission's names, as a request carries them: the set `place` of several."""
        own = self.built(settings).carried.to_own(weights)
        return _sent(own, torch.float64 if double else torch.float32, place)

    def _build(self, settings: ModelSettings) -> Built:
        named, aliases = self._claims(settings)
        r = {name: axes_of(name, shape, settings) for name, shape in r_shapes(settings).items()}
        said = self.session.weight_map
        try:
            fits = carry(
                r, named, aliases, said, settings, lambda: self._elsewhere(settings), lambda: self._ones(settings)
            )
        except UnclearError as unclear:
            raise AnswerError(unclear.message) from unclear
        return Built(tuple(named), self._told_apart(settings, fits))

    def _claims(self, settings: ModelSettings) -> tuple[dict[str, Shape], dict[str, str]]:
        """The parameters that the model says it has, and aliases; asked once."""
        name = R_MODELS[settings.model]
        if self.session.parts and name not in self.session.parts:
            raise AnswerError(say("{part} is not defined", part=name))
        if settings not in self._claimed:
            try:
                answer = self.session.ask(self.request("build", settings) | {"seed": 1}, {}, {"names": None})
                if answer["names"].numel() > wire.LONGEST_TEXT:
                    raise AnswerError(say("the model has no parameters that could be read"))
                self._claimed[settings] = parameters_of(wire.words(answer["names"]), r_shapes(settings))
            except AnswerError as failed:
                self._claimed[settings] = failed
        return or_raised(self._claimed[settings])

    def _elsewhere(self, settings: ModelSettings) -> dict[str, Shape]:
        """The parameters of the submission's other model."""
        try:
            named, aliases = self._claims(replace(settings, model="gpt" if settings.model != "gpt" else "gpt_noattn"))
        except AnswerError as failed:
            if failed.fatal:
                raise
            return {}
        return named | {alias: named[name] for alias, name in aliases.items()}

    def _ones(self, settings: ModelSettings) -> set[str]:
        """Names of the parameters that are all 1 in a new model."""
        named, _ = self._claims(settings)
        request = self.request("build", settings) | {"seed": 1, "values": True}
        answer = self.session.ask(request, {}, {f"p.{i}": shape for i, shape in enumerate(named.values())})
        return {name for i, name in enumerate(named) if bool((answer[f"p.{i}"] == 1).all())}

    def _told_apart(self, settings: ModelSettings, fits: Sequence[Carried]) -> Carried:
        """Of what fits: what gives R's logits, else R's with one usual change, else the likeliest."""
        if len(fits) == 1:
            return fits[0]
        last, right = self._guess.get(settings.model, (0, True))
        if not right:
            return fits[min(last, len(fits) - 1)]
        rng = torch.Generator().manual_seed(settings.n_embd)
        weights = normal_weights(settings, rng)
        x = torch.randint(1, settings.vocab_size, (2, settings.block_size - 1), generator=rng)
        answers: dict[int, Tensor] = {}
        for i in sorted(range(len(fits)), key=lambda i: i != last):
            answer = self._tried(settings, fits[i], weights, x)
            if answer is None:
                break  # nor is there one to another
            if _alike(answer, forward(R, settings, weights, x)):
                self._guess[settings.model] = i, True
                return fits[i]
            answers[i] = answer
        changed = (forward(a, settings, weights, x) for _, a in explanations(settings.model, fits[0].missing, most=1))
        near = (i for expected in changed for i, answer in answers.items() if _alike(answer, expected))
        self._guess[settings.model] = next(near, 0), False
        return fits[self._guess[settings.model][0]]

    def _tried(self, settings: ModelSettings, carried: Carried, weights: Weights, x: Tensor) -> Tensor | None:
        request = self.request("run", settings) | {"questions": [(0, False, 0)]}
        tensors = _sent(carried.to_own(weights), torch.float32) | {"x.0": x}
        try:
            return self.session.ask(request, tensors, {"y.0": (*x.shape, settings.vocab_size)})["y.0"]
        except AnswerError as failed:
            if failed.fatal:
                raise
            return None


def _explained(answer: Tensor | AnswerError, rows: Tensor, settings: ModelSettings) -> Tensor | AnswerError:
    """The answer; of one that is not allowed, its likely cause."""
    if not isinstance(answer, AnswerError):
        return answer
    (b, k), v = rows.shape, settings.vocab_size
    causes = {
        (b, v): (last := say("of the last position alone? Every position has its logits")),
        (b, 1, v): last,
        (k, b, v): say("batch and positions have changed places (batch_first?)"),
        (b * k, v): say("batch and positions are joined: that is for the loss to do"),
        (b, v, k): say("positions and vocabulary have changed places"),
    }
    shape = answer.message.values.get("shape")
    cause = next((words for known, words in causes.items() if str(known) == shape), None)
    if answer.message.template.startswith("{name} holds values"):
        cause = say("a softmax over a row that is wholly masked gives NaN, as does 0 times -inf")
    return answer if cause is None else AnswerError(say("{what}: {cause}", what=answer.message, cause=cause))


def _alike(answer: Tensor, expected: Tensor) -> bool:
    return bool(((answer - expected).abs() <= _ALIKE * expected.std()).all())


def _sent(own: Weights, dtype: torch.dtype, place: int = 0) -> Weights:
    return {f"w{place}.{name}": w.to(dtype) for name, w in own.items()}
