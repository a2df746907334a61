"""generation: a prompt is continued from the model's own logits, cropped to the block, at the temperature given."""

import torch
from torch import Tensor

from pygpt.grading.check import Verdict, check
from pygpt.grading.drawn import normal_weights, plain_norms, silent
from pygpt.grading.exam import Exam, once, tokens
from pygpt.grading.port import Weights
from pygpt.output.messages import say
from pygpt.settings import ModelSettings

_COLD = 1e-4
_NEW = 6
_DRAWS = 400
# Chance of a right sampler to be held wrong: below one in a million.
_DEVIATIONS = 5.5

_HINT = say("idx[:, -block_size:], logits[:, -1] / temperature, softmax, torch.multinomial, torch.cat")


@check(
    "generation.crops",
    say("Long contexts are cropped"),
    say("The model sees the last block_size tokens, no more."),
    _HINT,
    each=once(say("a prompt longer than the block"), True),
    needs=("generate",),
)
@check(
    "generation.continues",
    say("The prompt is continued"),
    say("The next token is drawn from the softmax of the last position's logits, then appended."),
    _HINT,
    each=once(say("a short prompt"), False),
    needs=("generate",),
)
def likeliest_when_cold(exam: Exam, longer: bool) -> Verdict:
    """Near temperature 0 each new token is the likeliest one, by the submission's own logits."""
    rng = exam.random("generation", longer)
    model = exam.models[0]
    settings = exam.settings(model, rng)
    weights = exam.port.fitted(settings, normal_weights(settings, rng))
    length = settings.block_size + 3 if longer else 2
    prompt = tokens(rng, (1, length), 2, settings.vocab_size)
    text = _generated(exam, settings, weights, prompt, _NEW, _COLD)
    expected = say("the prompt, then {n} times the likeliest token", n=_NEW)
    if not bool((text[:, :length] == prompt).all()):
        return Verdict.of(False, expected, say("the prompt itself comes back changed"))
    windows = [text[:, max(0, end - settings.block_size) : end] for end in range(length, length + _NEW)]
    for i, logits in enumerate(exam.port.logits(settings, weights, windows)):
        last, drawn = logits[0, -1], int(text[0, length + i])
        if float(last.max() - last[drawn]) > 30 * _COLD:
            return Verdict.of(False, expected, say("new token {n} is not the likeliest", n=i + 1))
    return Verdict.of(True, expected, say("as expected"))


@check(
    "generation.temperature",
    say("The temperature"),
    say("Logits are divided by the temperature before the softmax."),
    _HINT,
    each=once(say("{n} draws", n=_DRAWS)),
    needs=("generate",),
)
def drawn_at_the_temperature(exam: Exam) -> Verdict:
    """A model whose logits do not depend on the input: the draws must have the softmax's mean log-probability."""
    rng = exam.random("generation", "temperature")
    settings = exam.settings(exam.models[0], rng, n_layer=1, vocab_size=12)
    temperature = 0.35 + 0.15 * float(torch.rand(1, generator=rng))
    weights = silent(plain_norms(normal_weights(settings, rng)), range(1))
    for name in ("wte.weight", "wpe.weight", "scale3.weight", "ln_f.weight"):
        weights[name] = torch.zeros_like(weights[name])
    # The final norm's bias is all that reaches the output layer: logits from 0 to 2, evenly, in a drawn order.
    weights["scale3.bias"][0] = 1
    evenly = torch.linspace(0, 2, settings.vocab_size, dtype=torch.float64)
    weights["ln_f.weight"][:, 0] = evenly[torch.randperm(settings.vocab_size, generator=rng)]
    weights = exam.port.fitted(settings, weights)
    prompt = tokens(rng, (1, 1), 2, settings.vocab_size)
    own = exam.port.logits(settings, weights, [prompt])[0][0, -1]
    rows = _generated(exam, settings, weights, prompt, _DRAWS, temperature)[0, 1:]
    log_p = torch.log_softmax(own / temperature, dim=0)
    mean = float((log_p.exp() * log_p).sum())
    spread = max(float((log_p.exp() * (log_p - mean) ** 2).sum()), 1e-12) ** 0.5
    actual = float(log_p[rows].mean())
    expected = say("mean log-probability {value} at temperature {t}", value=mean, t=temperature)
    passed = abs(actual - mean) <= _DEVIATIONS * spread / _DRAWS**0.5
    many = len(set(rows.tolist())) > 1
    return Verdict.of(passed and many, expected, say("{value}", value=actual))


def _generated(
    exam: Exam, settings: ModelSettings, weights: Weights, prompt: Tensor, new: int, temperature: float
) -> Tensor:
    request = exam.port.request("generate", settings) | {
        "seed": 5,
        "max_new_tokens": new,
        "temperature": temperature,
        "block_size": settings.block_size,
    }
    tensors = exam.port.own_weights(settings, weights) | {"idx": prompt}
    rows = exam.port.session.ask(request, tensors, {"idx": (1, prompt.shape[1] + new)})["idx"].to(torch.int64)
    return rows.clamp(0, settings.vocab_size - 1)
