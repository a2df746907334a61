"""A submission's model as the checks use it: R's weights and rows in, logits and gradients under R's names out."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import torch
from torch import Tensor

from pygpt.grading.guesses import Shape
from pygpt.grading.weight_map import Carried, UnclearError, carry
from pygpt.isolation import wire
from pygpt.isolation.session import AnswerError, Session, or_raised
from pygpt.models import CharacterModel, build_model
from pygpt.output.messages import say
from pygpt.settings import R_MODELS, ModelName, ModelSettings

Weights = dict[str, Tensor]
BLOCK_PARTS: dict[ModelName, tuple[str, ...]] = {"gpt": ("MH", "FFN"), "gpt_noattn": ("FFN",)}
"""What a block adds to its input, in this order."""
# Of a model's parameters, beside a few times R's: numbers, names, and characters of a name.
_NUMBERS, _NAMES, _LONGEST_NAME = 1 << 20, 200, 200
_TIMES = 4
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
    _guess: dict[ModelName, int] = field(default_factory=dict)
    """Which of the assignments that fit was the right one last time: models are alike at all sizes."""

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
            return list(self.session.each(request, tensors, shapes).values())
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
        weight_map = self.session.weight_map
        r = r_shapes(settings)
        try:
            try:
                carried = carry(
                    r,
                    named,
                    aliases,
                    weight_map,
                    settings,
                    lambda: self._elsewhere(settings),
                    lambda: self._ones(settings),
                )
            except UnclearError as unclear:
                carried = self._told_apart(settings, unclear)
        except UnclearError as unclear:
            raise AnswerError(unclear.message) from unclear
        return Built(tuple(named), carried)

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

    def _told_apart(self, settings: ModelSettings, unclear: UnclearError) -> Carried:
        """Of the assignments that fit, the one that gives R's logits.

        Raises:
            UnclearError: none does.
        """
        rng = torch.Generator().manual_seed(settings.n_embd)
        shapes = r_shapes(settings).items()
        weights = {
            n: 0.3 * torch.randn(s, generator=rng, dtype=torch.float64) + n.startswith("scale") for n, s in shapes
        }
        x = torch.randint(1, settings.vocab_size, (2, settings.block_size), generator=rng)
        with torch.no_grad():
            expected = reference(settings, weights)(x)
        last = self._guess.get(settings.model, 0)
        for i in sorted(range(len(unclear.fits)), key=lambda i: i != last):
            tensors = {**_sent(unclear.fits[i].to_own(weights), torch.float32), "x.0": x}
            request = self.request("run", settings) | {"questions": [(0, False, 0)]}
            answer = self.session.ask(request, tensors, {"y.0": tuple(expected.shape)})
            if bool(((answer["y.0"] - expected).abs() <= _ALIKE * expected.std()).all()):
                self._guess[settings.model] = i
                return unclear.fits[i]
        raise unclear


def _sent(own: Weights, dtype: torch.dtype, place: int = 0) -> Weights:
    return {f"w{place}.{name}": w.to(dtype) for name, w in own.items()}


def parameters_of(names: str, r: Mapping[str, Shape] | None = None) -> tuple[dict[str, Shape], dict[str, str]]:
    """The parameters that a submission says it has, and the further names of shared ones.

    Args:
        names: lines of name, name of the same parameter, and for a first name the shape, `2,3`; parted by tabs.
        r: R's, of which a submission may have a few times as many.

    Raises:
        AnswerError: they cannot be read, or claim to be more or larger than any that is asked for.
    """
    lines = [line.split("\t") for line in names.split("\n")]
    try:
        named = {line[0]: tuple(int(n) for n in line[2].split(",") if n) for line in lines if line[0] == line[1]}
        aliases = {line[0]: line[1] for line in lines if line[0] != line[1]}
    except (IndexError, ValueError) as error:
        raise AnswerError(say("the model has no parameters that could be read")) from error
    if any(n < 1 for shape in named.values() for n in shape) or not {*aliases.values()} <= {*named}:
        raise AnswerError(say("the model has no parameters that could be read"))
    most = _NAMES + _TIMES * len(r or ())
    if len(lines) > most or any(len(line[0]) > _LONGEST_NAME for line in lines):
        raise AnswerError(
            say(
                "the model has more than {n:,} parameters, or a name of more than {m} characters",
                n=most,
                m=_LONGEST_NAME,
            )
        )
    most = _NUMBERS + _TIMES * sum(map(math.prod, (r or {}).values()))
    if sum(map(math.prod, named.values())) > most:
        raise AnswerError(say("the model's parameters have more than {n:,} numbers", n=most))
    return named, aliases


@cache
def r_shapes(settings: ModelSettings) -> dict[str, tuple[int, ...]]:
    """R's parameters and their shapes, in R's order."""
    with torch.random.fork_rng(devices=[]):
        return {name: tuple(p.shape) for name, p in build_model(settings).named_parameters()}


def reference(settings: ModelSettings, weights: Mapping[str, Tensor]) -> CharacterModel:
    """R's model with these weights, in float64 and eval mode."""
    with torch.random.fork_rng(devices=[]):
        model = build_model(settings).double().eval()
    model.load_state_dict(dict(weights))
    return model
