"""generation: a prompt is continued from the model's logits, cropped to the block, at the temperature given.

With the seed, the ids are R's to the last: drawn by `torch.multinomial` in eval mode, from the diagnosis's reference
(or the port's own logits, where no reference gives them). A port that draws in another way is judged by what it draws.
"""

import torch
from torch import Tensor

from pygpt.grading.algebra import forward
from pygpt.grading.check import Outcome, Verdict, check
from pygpt.grading.exam import Exam, once
from pygpt.grading.r_model import Weights, normal_weights
from pygpt.grading.sampling import Drawn, Logits, R, cold, nearest, surprise, windows
from pygpt.isolation.session import AnswerError
from pygpt.output.messages import say
from pygpt.settings import ModelName, ModelSettings

_COLD = 1e-4
_CALLS, _MANY = 6, 250
_ALIVE = 1e-3
# Chance of a right sampler to be held wrong: below one in a million.
_DEVIATIONS = 5.5

_HINT = say("model.eval(), idx[:, -block_size:], logits[:, -1] / temperature, softmax, torch.multinomial, torch.cat")


@check(
    "generation.temperature",
    say("The temperature"),
    say("Logits are divided by the temperature before the softmax."),
    _HINT,
    each=once(say("several temperatures"), "temperature"),
    needs=("generate",),
)
@check(
    "generation.crops",
    say("Long contexts are cropped"),
    say("The model sees the last block_size tokens, no more."),
    _HINT,
    each=once(say("a prompt longer than the block"), "crops"),
    needs=("generate",),
)
@check(
    "generation.continues",
    say("The prompt is continued"),
    say("The next token is drawn from the softmax of the last position's logits in eval mode, then appended."),
    _HINT,
    each=once(say("a short prompt"), "continues"),
    needs=("generate",),
)
def generated(exam: Exam, what: str) -> Verdict:
    rng = exam.random("generation", what)
    models = sorted(exam.models)  # gpt first, whose logits hang on every token
    model = next((model for model in models if exam.explained(model)), models[0])
    settings = exam.settings(model, rng, dropout=0.3 if _masks_known(exam, model) else 0.0)
    weights = normal_weights(settings, rng)
    logits = _logits(exam, settings, weights)
    expected = say("drawn from softmax(logits / temperature) of the last {n} tokens", n=_window(settings))
    texts = []
    for _ in range(_CALLS):
        start, new = (_window(settings) + 3, 6) if what == "crops" else (2, _window(settings) - 2)
        temperature = float(torch.empty(()).uniform_(*((0.3, 1.7) if what == "temperature" else (0.7, 0.9)),
                                                     generator=rng))  # fmt: skip
        prompt = torch.randint(0, settings.vocab_size, (1, start), generator=rng)
        texts.append(_drawn(exam, settings, weights, prompt, new, temperature, rng))
        if not bool((texts[-1].text[:, :start] == prompt).all()):
            return Verdict.of(False, expected, say("the prompt itself comes back changed"))
    if not _moved(texts, logits, _window(settings)):
        return Verdict(Outcome.NO_EFFECT, expected, say("the tokens before change nothing in the logits"))
    sampler = nearest(texts, logits, _window(settings))
    if sampler is not None:
        return Verdict.of(sampler is R, expected, sampler.words)
    return _by_chance(exam, what, settings, weights, logits, rng)


def _window(settings: ModelSettings) -> int:
    """What `generate` is told to crop to: one short of the block, whose last position has been asked about."""
    return settings.block_size - 1


def _masks_known(exam: Exam, model: ModelName) -> bool:
    """Whether with dropout, too, the reference is the port: so that train mode shows."""
    if not exam.explained(model):
        return False
    try:
        return not exam.dropping(model).unknown
    except AnswerError as failed:
        if failed.fatal:
            raise
        return False


def _logits(exam: Exam, settings: ModelSettings, weights: Weights) -> Logits:
    diagnosis = exam.diagnosis(settings.model)
    trained = exam.dropping(settings.model).algebra if settings.dropout else diagnosis.trained
    evaluated = diagnosis.algebra.changed(drop=trained.drop, rates=trained.rates, in_eval=trained.in_eval)

    def of_reference(x: Tensor, train: bool) -> Tensor:
        return forward(trained if train else evaluated, settings, weights, x, train)[0, -1]

    def of_port(x: Tensor, train: bool) -> Tensor:
        return exam.port.logits(settings, weights, [x], train=train)[0][0, -1]

    return of_reference if diagnosis.explained else of_port


def _moved(texts: list[Drawn], logits: Logits, block_size: int) -> bool:
    one, *others = (logits(windows(drawn, block_size)[0], False) for drawn in texts)
    return any(float((one - other).std()) > _ALIVE * float(one.std()) > 0 for other in others)


def _by_chance(
    exam: Exam, what: str, settings: ModelSettings, weights: Weights, logits: Logits, rng: torch.Generator
) -> Verdict:
    """Another way of drawing: near temperature 0 the likeliest token, else in the long run what R draws."""
    if what == "temperature":
        temperature = 0.5 + 0.2 * float(torch.rand(1, generator=rng))
        prompt = torch.randint(0, settings.vocab_size, (1, 2), generator=rng)
        drawn = _drawn(exam, settings, weights, prompt, _MANY, temperature, rng)
        score = max(surprise(drawn, logits, _window(settings)), key=abs)
        expected = say("log-probabilities as they are at temperature {t:.2f}", t=temperature)
        actual = say("they lie {score:.1f} standard errors away", score=score)
        return Verdict.of(abs(score) <= _DEVIATIONS, expected, actual)
    start, new = (_window(settings) + 3, 6) if what == "crops" else (2, _window(settings) - 2)
    prompt = torch.randint(0, settings.vocab_size, (1, start), generator=rng)
    drawn = _drawn(exam, settings, weights, prompt, new, _COLD, rng)
    wrong = cold(drawn, logits, _window(settings), 30 * _COLD)
    expected = say("the prompt, then {n} times the likeliest token, near temperature 0", n=new)
    actual = say("as expected") if wrong is None else say("new token {n} is not the likeliest", n=wrong)
    return Verdict.of(wrong is None, expected, actual)


def _drawn(
    exam: Exam,
    settings: ModelSettings,
    weights: Weights,
    prompt: Tensor,
    new: int,
    temperature: float,
    rng: torch.Generator,
) -> Drawn:
    seed = int(torch.randint(1 << 30, (1,), generator=rng))
    request = exam.port.request("generate", settings) | {
        "seed": seed,
        "max_new_tokens": new,
        "temperature": temperature,
        "block_size": _window(settings),
    }
    start = prompt.shape[1]
    tensors = exam.port.own_weights(settings, weights) | {"idx": prompt}
    rows = exam.port.session.ask(request, tensors, {"idx": (1, start + new)})["idx"].to(torch.int64)
    return Drawn(rows.clamp(0, settings.vocab_size - 1), start, seed, temperature)
