"""What a port's generate draws, told with the seed: the ids that R's rule gives, or those of what ports do otherwise.

`torch.multinomial(p, 1)` takes the largest of p / noise, with exponential noise from the global generator. So each id
can be judged by itself, given those before it: it is right where its score is the largest, or nearly so.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from pygpt.output.messages import Message, say

Logits = Callable[[Tensor, bool], Tensor]
"""Of the last position (nvoc), for rows (1, k), in train mode or not."""
# Of the logarithm of a score: more than float32 logits of one size differ by.
_SLACK = 2e-3


@dataclass(frozen=True)
class Sampler:
    """How an id is drawn; the defaults are R's."""

    words: Message
    cold: str = "divided"
    """What is done with the temperature: also `times`, `ignored`."""
    drawn: str = "multinomial"
    """Also `likeliest`."""
    train: bool = False
    window: int = 0
    """Tokens more (or fewer, below 0) than the block that the model sees."""


R = Sampler(say("as expected"))
SAMPLERS = (
    R,
    Sampler(say("the likeliest token is taken, not one that is drawn"), drawn="likeliest"),
    Sampler(say("the logits are multiplied by the temperature, not divided"), cold="times"),
    Sampler(say("the temperature changes nothing"), cold="ignored"),
    Sampler(say("the model is in train mode: values are dropped"), train=True),
    Sampler(say("the model sees one token fewer than the block holds"), window=-1),
    Sampler(say("the model sees the last token alone"), window=-(1 << 30)),
    Sampler(say("the first tokens are seen, not the last"), window=1 << 30),
)


@dataclass(frozen=True)
class Drawn:
    """A text (1, n) that came back, for a prompt of `start` tokens."""

    text: Tensor
    start: int
    seed: int
    temperature: float


def nearest(texts: list[Drawn], logits: Logits, block_size: int) -> Sampler | None:
    """The first sampler that gives every id, in float32 or in float64."""
    for sampler in SAMPLERS:
        for kind in (torch.float32, torch.float64):
            if all(_gives(sampler, kind, drawn, logits, block_size) for drawn in texts):
                return sampler
    return None


def windows(drawn: Drawn, block_size: int) -> list[Tensor]:
    """What R's model sees before each new token."""
    return [_window(R, drawn.text[:, :end], block_size) for end in range(drawn.start, drawn.text.shape[1])]


def _gives(sampler: Sampler, kind: torch.dtype, drawn: Drawn, logits: Logits, block_size: int) -> bool:
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(drawn.seed)
        for end in range(drawn.start, drawn.text.shape[1]):
            last = logits(_window(sampler, drawn.text[:, :end], block_size), sampler.train).to(kind)
            if not _likely(sampler, last, int(drawn.text[0, end]), drawn.temperature):
                return False
    return True


def _window(sampler: Sampler, text: Tensor, block_size: int) -> Tensor:
    if sampler.window == 1 << 30:
        return text[:, :block_size]
    return text[:, -max(1, block_size + sampler.window) :]


def _likely(sampler: Sampler, last: Tensor, token: int, temperature: float) -> bool:
    """Whether the token's score is the largest, or nearly: that much another rounding may turn."""
    scale = {"divided": 1 / temperature, "times": temperature, "ignored": 1.0}[sampler.cold]
    scores = torch.log_softmax(last * scale, dim=-1)
    if sampler.drawn == "multinomial":
        scores = scores - torch.empty_like(scores).exponential_(1).log()
    return float(scores.max() - scores[token]) <= _SLACK * max(scale, 1.0) * max(float(last.abs().max()), 1.0)


def cold(drawn: Drawn, logits: Logits, block_size: int, slack: float) -> int | None:
    """The first new token (from 1) that is not the likeliest, or nearly; None where all are."""
    for i, window in enumerate(windows(drawn, block_size)):
        last = logits(window, False)
        if float(last.max() - last[int(drawn.text[0, drawn.start + i])]) > slack:
            return i + 1
    return None


def surprise(drawn: Drawn, logits: Logits, block_size: int) -> list[float]:
    """How the drawn ids' log-probabilities, and probabilities, lie in what is expected: two standard scores."""
    sums = torch.zeros(2, 2, dtype=torch.float64)
    for i, window in enumerate(windows(drawn, block_size)):
        log_p = torch.log_softmax(logits(window, False).double() / drawn.temperature, dim=-1)
        p, token = log_p.exp(), int(drawn.text[0, drawn.start + i])
        for row, value in enumerate((log_p, p)):
            mean = float((p * value).sum())
            sums[row] += torch.tensor([float(value[token]) - mean, float((p * (value - mean) ** 2).sum())])
    return [float(total / max(variance, 1e-12) ** 0.5) for total, variance in sums.tolist()]
