"""Sampling text as R does: crop to the block, divide by the temperature, softmax, multinomial.

R runs the whole model anew for every token. Here `cached_forward` gives the logits faster but with other roundings;
wherever these could change which token is drawn, the token is drawn again from the whole model. So the
text is R's, to the last character, at any speed.
"""

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
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
# Fewer do not make up for what it costs to hand them to a thread of their own.
_SAMPLES_FOR_A_THREAD = 4
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
    return _generate(_Sampling(model, temperature, top_k, rule == "gpt4r", r_threads), prompt, tokens, seeds)


@dataclass(frozen=True)
class _Sampling:
    """Of what is drawn, and how."""

    model: CharacterModel
    temperature: float
    top_k: int | None
    ranked: bool
    """From the k likeliest in the order of their likelihood, alone: GPT4R's rule."""
    r_threads: int

    @property
    def greedy(self) -> bool:
        return self.temperature == 0 or (self.ranked and self.top_k is None)

    def candidates(self, vocab_size: int) -> int:
        """How many numbers a draw takes from the generator."""
        return min(self.top_k, vocab_size) if self.ranked and self.top_k else vocab_size


def _generate(how: _Sampling, prompt: Sequence[int], tokens: int, seeds: Sequence[int | Tensor]) -> Iterator[list[int]]:
    threads = torch.get_num_threads()
    parts = min(threads, -(-len(seeds) // _SAMPLES_FOR_A_THREAD))
    together = [_Samples(how, prompt, tokens, seeds[i::parts], threads // parts) for i in range(parts)]
    with ThreadPoolExecutor(parts, "samples") as pool:
        each = pool.map if parts > 1 else map
        for _ in range(tokens):
            drawn = [0] * len(seeds)
            for i, rows in enumerate(each(_Samples.draw, together)):
                drawn[i::parts] = rows
            yield drawn


class _Samples:
    """Samples that are drawn together, a token of each at a time."""

    def __init__(
        self, how: _Sampling, prompt: Sequence[int], tokens: int, seeds: Sequence[int | Tensor], threads: int
    ) -> None:
        self._how, self._generators = how, [_generator(seed) for seed in seeds]
        self._ids = torch.zeros(len(seeds), len(prompt) + tokens, dtype=torch.int64)
        self._ids[:, : len(prompt)] = torch.tensor(prompt)
        self._length = len(prompt)
        self._forward = CachedForward(how.model, len(seeds), threads)

    def draw(self) -> list[int]:
        """The next token of each."""
        with torch.inference_mode(), on_threads(1):  # what a token takes is too little to be shared out
            ids = self._ids[:, : self._length]
            logits = self._forward(ids)
            n = self._how.candidates(logits.shape[-1])
            noise = None
            if not self._how.greedy:
                noise = torch.cat([_exponential(logits[:1, :n], g) for g in self._generators])
            drawn, sure = _choose(logits, noise, self._how)
            for i in (i for i, is_sure in enumerate(sure) if not is_sure):
                exact = _as_r(self._how, ids[i : i + 1])
                drawn[i] = _choose(exact, None if noise is None else noise[i : i + 1], self._how)[0][0]
            self._ids[:, self._length] = torch.tensor(drawn)
        self._length += 1
        return drawn


def _generator(seed: int | Tensor) -> torch.Generator:
    if isinstance(seed, int):
        return torch.Generator().manual_seed(seed)
    generator = torch.Generator()
    generator.set_state(seed)
    return generator


def _as_r(how: _Sampling, ids: Tensor) -> Tensor:
    """Logits (1, vocab_size) of one sequence, on R's threads: another batch or other threads may round otherwise."""
    with on_threads(how.r_threads):
        logits: Tensor = how.model(ids[:, -how.model.settings.block_size :])[:, -1]
        return logits


def _exponential(logits: Tensor, generator: torch.Generator) -> Tensor:
    return torch.empty_like(logits).exponential_(1, generator=generator)


def _choose(logits: Tensor, noise: Tensor | None, how: _Sampling) -> tuple[list[int], list[bool]]:
    """The drawn rows, and whether they would be the same for logits that differ by the tolerance.

    `torch.multinomial(probs, 1)` is `argmax(probs / noise)` with exponential noise: taken apart, it shows by how much
    the winner won.
    """
    sizes: list[float] = logits.abs().amax(dim=-1).tolist()
    if not all(map(math.isfinite, sizes)):
        raise PygptError("the model's logits are not finite: its training has diverged, nothing can be drawn")
    slack = [2 * LOGIT_TOLERANCE * max(size, 1.0) for size in sizes]
    sure = [True] * len(slack)
    if how.ranked and noise is not None:
        return _choose_ranked(logits, noise, how.temperature, slack)
    if how.top_k is not None and how.top_k < logits.shape[-1]:
        likeliest = logits.topk(how.top_k + 1).values
        sure = _larger(likeliest[:, -2] - likeliest[:, -1], slack)
        logits = logits.masked_fill(logits < likeliest[:, -2:-1], -torch.inf)
    if noise is None:
        best = logits.topk(2)
        margins = -best.values.diff(dim=-1)
    else:
        best = (torch.softmax(logits / how.temperature, dim=-1) / noise).topk(2)
        margins = best.values.log_().diff(dim=-1) * -how.temperature
    won = _larger(margins[:, 0], slack)
    return best.indices[:, 0].tolist(), [a and b for a, b in zip(sure, won, strict=True)]


def _choose_ranked(
    logits: Tensor, noise: Tensor, temperature: float, slack: list[float]
) -> tuple[list[int], list[bool]]:
    """GPT4R's: temperature, `topk`, softmax of these, `multinomial` among them; sure where their order is, too."""
    k = noise.shape[-1]
    ranked = (logits / temperature).topk(k)
    apart = -logits.topk(min(k + 1, logits.shape[-1])).values.diff(dim=-1)
    best = (torch.softmax(ranked.values, dim=-1) / noise).topk(min(2, k))
    margins = best.values.log().diff(dim=-1) * -temperature if k > 1 else apart
    sure = _larger(torch.minimum(apart.amin(dim=-1), margins.amin(dim=-1)), slack)
    return ranked.indices.gather(1, best.indices[:, :1])[:, 0].tolist(), sure


def _larger(margins: Tensor, slack: list[float]) -> list[bool]:
    return [margin > s for margin, s in zip(margins.tolist(), slack, strict=True)]


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
