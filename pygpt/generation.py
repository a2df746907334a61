"""Sampling text as R does: crop to the block, divide by the temperature, softmax, multinomial.

R runs the whole model anew for every token. Here `cached_forward` gives the logits faster but with other roundings;
wherever these could change which token is drawn, the token is drawn again from the whole model. So the
text is R's, to the last character, at any speed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from pygpt.cached_forward import CachedForward
from pygpt.determinism import on_threads
from pygpt.errors import PygptError
from pygpt.models import CharacterModel

# Twenty times and more what cached_forward was seen to differ by, for logits of size 1 (tests/test_generation.py).
LOGIT_TOLERANCE = 1e-4
Rule = Literal["course", "gpt4r"]
_FROM_1 = "{name} = {value} is not allowed: it must be a whole number from 1"


def generate(
    model: CharacterModel,
    prompt: Sequence[int],
    tokens: int,
    temperature: float = 0.8,
    seeds: Sequence[int | Tensor] = (123,),
    top_k: int | None = None,
    r_threads: int = 1,
    rule: Rule = "course",
) -> Iterator[list[int]]:
    """Continue `prompt` once for each seed (`Generate_Text_Base` of exercise 2, after `torch_manual_seed(seed)`).

    Args:
        model: in eval mode, float32, on the CPU.
        prompt: rows of the vocabulary, at least one.
        tokens: how many to draw.
        temperature: what the logits are divided by; 0 takes the likeliest token each time.
        seeds: one sample each: a seed, or the state of a generator (uint8) to go on from, as R does where it seeds
            nothing anew.
        top_k: draw from the k likeliest tokens only. PAD can be drawn, as in R.
        r_threads: how many threads R had; it can show in the last bits of logits, and so, once in a while, in a draw.
        rule: course: `multinomial` over the whole vocabulary, where with `top_k` all others have probability 0. gpt4r:
            as R's GPT4R, `topk` first and `multinomial` over these k alone, which takes k random numbers for a token;
            without `top_k` the likeliest token.

    Returns:
        One row of the vocabulary for each seed, `tokens` times, drawn as they are asked for.

    Raises:
        PygptError: an empty prompt or a value that is not allowed, at once; logits that are not finite, when drawing.
    """
    _check(prompt, tokens, temperature, seeds, top_k)
    return _generate(model, prompt, tokens, seeds, _Drawing(temperature, top_k, rule == "gpt4r"), r_threads)


@dataclass(frozen=True)
class _Drawing:
    """How a token is drawn from logits."""

    temperature: float
    top_k: int | None
    ranked: bool
    """From the k likeliest in the order of their likelihood, alone: GPT4R's rule."""

    @property
    def greedy(self) -> bool:
        return self.temperature == 0 or (self.ranked and self.top_k is None)

    def candidates(self, vocab_size: int) -> int:
        """How many numbers a draw takes from the generator."""
        return min(self.top_k, vocab_size) if self.ranked and self.top_k else vocab_size


def _generate(
    model: CharacterModel,
    prompt: Sequence[int],
    tokens: int,
    seeds: Sequence[int | Tensor],
    drawing: _Drawing,
    r_threads: int,
) -> Iterator[list[int]]:
    generators = [_generator(seed) for seed in seeds]
    ids = torch.tensor([list(prompt)] * len(generators))
    forward = CachedForward(model, len(generators))
    for _ in range(tokens):
        with torch.inference_mode():
            drawn = _draw(model, forward(ids), ids, drawing, generators, r_threads)
            ids = torch.cat([ids, drawn.unsqueeze(1)], dim=1)
        yield drawn.tolist()


def _generator(seed: int | Tensor) -> torch.Generator:
    if isinstance(seed, int):
        return torch.Generator().manual_seed(seed)
    generator = torch.Generator()
    generator.set_state(seed)
    return generator


def _draw(
    model: CharacterModel,
    logits: Tensor,
    ids: Tensor,
    drawing: _Drawing,
    generators: list[torch.Generator],
    r_threads: int,
) -> Tensor:
    if not torch.isfinite(logits).all():
        raise PygptError("the model's logits are not finite: its training has diverged, nothing can be drawn")
    n = drawing.candidates(logits.shape[-1])
    noise = None if drawing.greedy else torch.cat([_exponential(logits[:1, :n], g) for g in generators])
    drawn, sure = _choose(logits, noise, drawing)
    for i in torch.nonzero(~sure).flatten().tolist():
        exact = _as_r(model, ids[i : i + 1], r_threads)
        drawn[i] = _choose(exact, None if noise is None else noise[i : i + 1], drawing)[0]
    return drawn


def _as_r(model: CharacterModel, ids: Tensor, r_threads: int) -> Tensor:
    """Logits (1, vocab_size) of one sequence, on R's threads: another batch or other threads may round otherwise."""
    with on_threads(r_threads):
        logits: Tensor = model(ids[:, -model.settings.block_size :])[:, -1]
        return logits


def _exponential(logits: Tensor, generator: torch.Generator) -> Tensor:
    return torch.empty_like(logits).exponential_(1, generator=generator)


def _choose(logits: Tensor, noise: Tensor | None, drawing: _Drawing) -> tuple[Tensor, Tensor]:
    """The drawn rows, and whether they would be the same for logits that differ by the tolerance.

    `torch.multinomial(probs, 1)` is `argmax(probs / noise)` with exponential noise: taken apart, it shows by how much
    the winner won.
    """
    slack = 2 * LOGIT_TOLERANCE * logits.abs().amax(dim=-1).clamp(min=1)
    sure = torch.ones(len(logits), dtype=torch.bool)
    top_k = drawing.top_k
    if drawing.ranked and noise is not None:
        return _choose_ranked(logits, noise, drawing.temperature, slack)
    if top_k is not None and top_k < logits.shape[-1]:
        likeliest = logits.topk(top_k + 1).values
        sure &= likeliest[:, -2] - likeliest[:, -1] > slack
        logits = logits.masked_fill(logits < likeliest[:, -2:-1], -torch.inf)
    if noise is None:
        best = logits.topk(2)
        sure &= best.values[:, 0] - best.values[:, 1] > slack
    else:
        best = (torch.softmax(logits / drawing.temperature, dim=-1) / noise).topk(2)
        sure &= _won(best.values, slack / drawing.temperature)
    return best.indices[:, 0], sure


def _choose_ranked(logits: Tensor, noise: Tensor, temperature: float, slack: Tensor) -> tuple[Tensor, Tensor]:
    """GPT4R's: temperature, `topk`, softmax of these, `multinomial` among them; sure where their order is, too."""
    k = noise.shape[-1]
    ranked = (logits / temperature).topk(k)
    apart = logits.topk(min(k + 1, logits.shape[-1])).values.diff(dim=-1)
    sure = (apart < -slack.unsqueeze(1)).all(dim=-1)
    chances = torch.softmax(ranked.values, dim=-1) / noise
    best = chances.topk(min(2, k))
    if k > 1:
        sure &= _won(best.values, slack / temperature)
    return ranked.indices.gather(1, best.indices[:, :1]).squeeze(1), sure


def _won(best_two: Tensor, slack: Tensor) -> Tensor:
    """Whether the first is larger than the second by more than what logits may differ by."""
    return best_two.log().diff(dim=-1).squeeze(1) < -slack


def _check(
    prompt: Sequence[int], tokens: int, temperature: float, seeds: Sequence[int | Tensor], top_k: int | None
) -> None:
    if not prompt:
        raise PygptError("the prompt is empty: the model needs at least one character to go on from")
    if tokens < 1:
        raise PygptError(
            "{name} = {value} is not allowed: it must be a whole number from 1", name="tokens", value=tokens
        )
    if not 0 <= temperature < float("inf"):
        raise PygptError(
            "temperature = {value:g} is not allowed: it must be 0 (greedy) or above, and finite", value=temperature
        )
    for seed in seeds:
        if isinstance(seed, int) and not 0 <= seed < 2**63:
            raise PygptError("seed = {value} is not allowed: it must be from 0 to 2^63 - 1", value=seed)
    if top_k is not None and top_k < 1:
        raise PygptError(_FROM_1, name="top_k", value=top_k)
