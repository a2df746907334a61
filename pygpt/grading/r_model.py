"""R's model as the grader holds it: its parameters, its parts, drawn weights, and itself."""

from collections.abc import Mapping
from functools import cache

import torch
from torch import Tensor

from pygpt.models import CharacterModel, build_model
from pygpt.settings import ModelName, ModelSettings

Weights = dict[str, Tensor]
BLOCK_PARTS: dict[ModelName, tuple[str, ...]] = {"gpt": ("MH", "FFN"), "gpt_noattn": ("FFN",)}
"""What a block adds to its input, in this order."""


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


def normal_weights(settings: ModelSettings, rng: torch.Generator) -> Weights:
    """Weights at which every part of the model matters."""
    return {name: _drawn(name, shape, settings, rng) for name, shape in r_shapes(settings).items()}


def silent(weights: Weights, blocks: "range | list[int]", parts: tuple[str, ...] = ("MH", "FFN")) -> Weights:
    """A copy in which these parts of these blocks (from 0) add nothing: a block of silent parts hands its input on."""
    changed = dict(weights)
    for j in blocks:
        for part, last in (("MH", "out_proj"), ("FFN", "2")):
            for kind in ("weight", "bias"):
                name = f"{part}.{j}.{last}.{kind}"
                if part in parts and name in changed:
                    changed[name] = torch.zeros_like(changed[name])
    return changed


def _drawn(name: str, shape: tuple[int, ...], settings: ModelSettings, rng: torch.Generator) -> Tensor:
    value = torch.randn(shape, generator=rng, dtype=torch.float64)
    factor, shift = _factor(name, settings.n_embd)
    # As a submission gets them: in float32.
    return (factor * value + shift).float().double()


def _factor(name: str, d: int) -> tuple[float, float]:
    """Standard deviation and mean of a drawn parameter."""
    if name.startswith("scale"):
        return 0.3, float(name.endswith("weight"))
    if name.endswith("bias"):
        return (0.5 if "out_proj" in name or ".2." in name else 0.4), 0.0
    if name.endswith("in_proj_weight"):
        return 1.2 / d**0.5, 0.0
    if name.endswith(("out_proj.weight", ".2.weight")):
        return 1.2 / d**0.5, 0.0
    if name.endswith(".0.weight"):
        return 1.5 / d**0.5, 0.0
    return (1 / d**0.5 if name == "ln_f.weight" else 1.0), 0.0
