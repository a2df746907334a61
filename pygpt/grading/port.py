"""A submission's model as the checks use it: R's weights and rows in, logits and gradients under R's names out."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

import torch
from torch import Tensor

from pygpt.grading.isolation import wire
from pygpt.grading.isolation.session import AnswerError, Session
from pygpt.grading.weight_map import Carried, Shape, UnclearError, carry
from pygpt.models import CharacterModel, build_model
from pygpt.output.messages import say
from pygpt.settings import R_MODELS, ModelName, ModelSettings

Weights = dict[str, Tensor]
BLOCK_PARTS: dict[ModelName, tuple[str, ...]] = {"gpt": ("MH", "FFN"), "gpt_noattn": ("FFN",)}
"""What a block adds to its input, in this order."""
# Of a parameter: what is asked for here has a few thousand numbers.
_LARGEST = 1 << 22


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
        built = self._built[settings]
        if isinstance(built, AnswerError):
            raise AnswerError(built.message, built.fatal)
        return built

    def builds(self, model: ModelName) -> dict[ModelSettings, Built]:
        """All that was built of a model so far."""
        return {s: built for s, built in self._built.items() if s.model == model and isinstance(built, Built)}

    def initial(self, settings: ModelSettings) -> Weights:
        """The weights that a new model begins with, under R's names."""
        built = self.built(settings)
        request = self.request("build", settings) | {"seed": 1}
        shapes = {f"p.{i}": built.carried.shapes[name] for i, name in enumerate(built.names)}
        answer = self.session.ask(request, {}, shapes)
        return built.carried.to_r({name: answer[f"p.{i}"] for i, name in enumerate(built.names)})

    def fitted(self, settings: ModelSettings, weights: Mapping[str, Tensor]) -> Weights:
        """`weights` as the submission can hold them, so that what it lacks costs the one check that says so.

        A bias that it lacks becomes zero, a norm's weight one, a tied weight the one it shares.
        """
        carried, fitted = self.built(settings).carried, {n: w.float().double() for n, w in weights.items()}
        for name in carried.missing:
            fitted[name] = torch.ones_like(fitted[name]) if name.startswith("scale") else torch.zeros_like(fitted[name])
            if name.endswith("bias"):
                fitted[name] = torch.zeros_like(fitted[name])
        for name, other in carried.tied.items():
            fitted[name] = fitted[_r_name_of(other, carried)]
        return fitted

    def logits(
        self,
        settings: ModelSettings,
        weights: Mapping[str, Tensor],
        inputs: Sequence[Tensor],
        train: bool = False,
        seeds: Sequence[int] = (),
        double: bool = False,
    ) -> list[Tensor]:
        """Logits (batch, k, nvoc) in float64 for each of `inputs` (batch, k), with `weights` under R's names."""
        return self._run(settings, weights, inputs, train, seeds, double, None)[0]

    def gradients(
        self, settings: ModelSettings, weights: Mapping[str, Tensor], x: Tensor, cotangent: Tensor, double: bool = False
    ) -> Weights:
        """Gradients of sum(logits * cotangent) under R's names."""
        return self._run(settings, weights, [x], True, (), double, cotangent)[1]

    def _run(
        self,
        settings: ModelSettings,
        weights: Mapping[str, Tensor],
        inputs: Sequence[Tensor],
        train: bool,
        seeds: Sequence[int],
        double: bool,
        cotangent: Tensor | None,
    ) -> tuple[list[Tensor], Weights]:
        carried = self.built(settings).carried
        request = self.request("run", settings) | {
            "train": train,
            "double": double,
            "inputs": len(inputs),
            "seeds": list(seeds) or [0] * len(inputs),
        }
        tensors = self.own_weights(settings, weights, double) | {f"x.{i}": x for i, x in enumerate(inputs)}
        shapes = {f"y.{i}": (*x.shape, settings.vocab_size) for i, x in enumerate(inputs)}
        if cotangent is not None:
            tensors["cotangent"] = cotangent
            shapes |= {f"g.{name}": shape for name, shape in carried.shapes.items()}
        answer = self.session.ask(request, tensors, shapes)
        gradients = {} if cotangent is None else carried.to_r({n: answer[f"g.{n}"] for n in carried.shapes})
        return [answer[f"y.{i}"] for i in range(len(inputs))], gradients

    def request(self, op: str, settings: ModelSettings) -> dict[str, object]:
        """A request about a model of these settings."""
        return {"op": op, "model": R_MODELS[settings.model], "arguments": settings.to_r(), "double": False}

    def own_weights(self, settings: ModelSettings, weights: Mapping[str, Tensor], double: bool = False) -> Weights:
        """R's weights under the submission's names, as a request carries them."""
        own = self.built(settings).carried.to_own(weights)
        return {f"w.{name}": w.to(torch.float64 if double else torch.float32) for name, w in own.items()}

    def _build(self, settings: ModelSettings) -> Built:
        name = R_MODELS[settings.model]
        if self.session.parts and name not in self.session.parts:
            raise AnswerError(say("{part} is not defined", part=name))
        request = self.request("build", settings) | {"seed": 1}
        answer = self.session.ask(request, {}, {"names": None})
        named, aliases = parameters_of(wire.words(answer["names"]))
        try:
            carried = carry(r_shapes(settings), named, aliases, self.session.weight_map, settings)
        except UnclearError as unclear:
            raise AnswerError(unclear.message) from unclear
        return Built(tuple(named), carried)


def parameters_of(names: str) -> tuple[dict[str, Shape], dict[str, str]]:
    """The parameters that a submission says it has, and the further names of shared ones.

    Args:
        names: lines of name, name of the same parameter, and for a first name the shape, `2,3`; parted by tabs.

    Raises:
        AnswerError: they cannot be read, or one claims to be larger than any that is asked for.
    """
    lines = [line.split("\t") for line in names.split("\n")]
    try:
        named = {line[0]: tuple(int(n) for n in line[2].split(",") if n) for line in lines if line[0] == line[1]}
        aliases = {line[0]: line[1] for line in lines if line[0] != line[1]}
    except (IndexError, ValueError) as error:
        raise AnswerError(say("the model has no parameters that could be read")) from error
    if any(n < 0 for shape in named.values() for n in shape):
        raise AnswerError(say("the model has no parameters that could be read"))
    if any(max(math.prod(shape), *shape, 0) > _LARGEST for shape in named.values()):
        raise AnswerError(say("a parameter has more than {n:,} numbers", n=_LARGEST))
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


def _r_name_of(other: str, carried: Carried) -> str:
    """R's name of what a tied weight shares: `other` is R's already or the submission's."""
    if other in carried.pieces:
        return other
    return next((name for name, pieces in carried.pieces.items() if pieces[0].name == other), "wte.weight")
