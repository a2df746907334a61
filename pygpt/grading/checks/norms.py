"""forward, the LayerNorms: each in its place, and with R's eps. The submission is held against itself."""

from collections.abc import Iterator

import torch

from pygpt.grading.check import Case, Outcome, Verdict, check
from pygpt.grading.drawn import INPUT_SCALE, normal_weights, plain_norms, silent, unit_rows, with_rows
from pygpt.grading.exam import Exam, tokens
from pygpt.grading.port import BLOCK_PARTS, Weights, reference
from pygpt.grading.readout import DECOYS, compared
from pygpt.output.messages import say
from pygpt.settings import R_MODELS, ModelSettings

_EPS = 1e-5
_EPS_TOLERANCE = 0.03
_BATCH, _BIG = 4, 1e4
_PART_BEHIND = {"scale1": "MH", "scale2": "FFN"}


def _places(exam: Exam) -> Iterator[Case]:
    for model in exam.models:
        rng = exam.random("norms", "places", model)
        settings = exam.settings(model, rng)
        for part in BLOCK_PARTS[model]:
            name = say("{model}, the norm before {part}", model=R_MODELS[model], part=part)
            yield Case(name, model, part=part, given=(settings, part, rng))


def _norms(exam: Exam) -> Iterator[Case]:
    for model in exam.models:
        rng = exam.random("norms", "eps", model)
        settings = exam.settings(model, rng)
        for norm in (*(n for n, part in _PART_BEHIND.items() if part in BLOCK_PARTS[model]), "scale3"):
            yield Case(say("{model}, {norm}", model=R_MODELS[model], norm=norm), model, given=(settings, norm, rng))


@check(
    "forward.norm_places",
    say("Each LayerNorm in its place"),
    say("scale1 stands before the attention, scale2 before the feed-forward part, inside of the branch (pre-norm)."),
    say("h + MHA(scale1(h)), then h + FFN(scale2(h)): not exchanged, and not after the sum."),
    each=_places,
)
def in_its_place(exam: Exam, settings: ModelSettings, part: str, rng: torch.Generator) -> Verdict:
    """The norm's weight and bias, folded into the linear layer after it, must make no difference."""
    j = int(torch.randint(settings.n_layer, (1,), generator=rng))
    norm = f"scale{1 if part == 'MH' else 2}.{j}"
    linear = ("MH.{}.in_proj_weight", "MH.{}.in_proj_bias") if part == "MH" else ("FFN.{}.0.weight", "FFN.{}.0.bias")
    matrix, bias = (name.format(j) for name in linear)
    weights = plain_norms(normal_weights(settings, rng, INPUT_SCALE), (f"scale1.{j}", f"scale2.{j}"))
    weights = silent(weights, [i for i in range(settings.n_layer) if i != j])
    weights = exam.port.fitted(settings, silent(weights, [j], ("FFN",) if part == "MH" else ("MH",)))
    if bias in exam.port.built(settings).carried.missing:
        # No bias to fold into: then there must be nothing to fold.
        weights[f"{norm}.bias"] = torch.zeros_like(weights[f"{norm}.bias"])
    x = tokens(rng, (2, settings.block_size), 2, settings.vocab_size)
    (actual,) = exam.port.logits(settings, weights, [x])
    with torch.no_grad():
        right = compared(actual, reference(settings, weights)(x), exam.tolerance, last_only=True)
    if right.passed:
        return right
    # Others, drawn alike, do not tell which of them is the norm in question.
    place = int(torch.randint(DECOYS + 1, (1,), generator=rng))
    answers = []
    for i in range(DECOYS + 1):
        like = normal_weights(settings, rng) if i != place else weights
        weight, shift = like[f"{norm}.weight"], like[f"{norm}.bias"]
        folded = {matrix: weights[matrix] * weight, bias: weights[bias] + weights[matrix] @ shift}
        answers.append(exam.apart.logits(settings, plain_norms(weights) | folded, [x])[0])
    others = [a for i, a in enumerate(answers) if i != place]
    if any(compared(other, answers[place], 10 * exam.tolerance).passed for other in others):
        return _no_effect(norm)
    return compared(actual, answers[place], exam.tolerance, last_only=True)


@check(
    "forward.norm_eps",
    say("eps of the LayerNorms"),
    say("R's nn_layer_norm adds eps = 1e-5 to the variance; for inputs of small variance it shows."),
    say("nn.LayerNorm(n_embd) has eps=1e-5 already"),
    each=_norms,
    after=("forward.head", "forward.norm_places"),
)
def eps_is_r_s(exam: Exam, settings: ModelSettings, norm: str, rng: torch.Generator) -> Verdict:
    """Where a norm is not in its place, tiny inputs do not reach the norms as in R; the place has been paid for."""
    verdict = _eps_verdict(exam, settings, norm, rng)
    if verdict.passed:
        return verdict
    if norm == "scale3" and not exam.passed("forward.head", model=settings.model):
        return verdict.paid()
    misplaced = not exam.passed("forward.norm_places", model=settings.model)
    return verdict.paid() if misplaced and not _forgotten(exam, settings, norm) else verdict


def _forgotten(exam: Exam, settings: ModelSettings, norm: str) -> bool:
    """Whether the check of its place says that this norm does nothing at all: then it has no eps to be right."""
    return any(
        (item.outcome, item.model, item.part) == (Outcome.NO_EFFECT, settings.model, _PART_BEHIND.get(norm))
        for item in exam.results("forward.norm_places")
    )


def _no_effect(norm: str) -> Verdict:
    return Verdict(Outcome.NO_EFFECT, say("{norm} changes the output", norm=norm), say("it has no effect"))


def _eps_verdict(exam: Exam, settings: ModelSettings, norm: str, rng: torch.Generator) -> Verdict:
    """A tiny input is the same as one of unit size with a smaller weight, if eps is R's."""
    unit, small = unit_rows(_BATCH, 1, settings, rng), _EPS**0.5 * _between(0.7, 1.4, rng)
    weights, (tiny_x, unit_x) = with_rows(_branch_alone(settings, norm, rng), small * unit, unit)
    tiny = exam.port.fitted(settings, weights)
    (actual,) = exam.port.logits(settings, tiny, [tiny_x])
    with torch.no_grad():
        right = compared(actual, reference(settings, tiny)(tiny_x), _EPS_TOLERANCE)
    if right.passed:
        return right
    # Both norms of the block: whether they have changed places is asked elsewhere.
    scaled = ("scale3.weight",) if norm == "scale3" else ("scale1.0.weight", "scale2.0.weight")
    factor = small / (small**2 + _EPS) ** 0.5
    smaller = weights | {n: weights[n] * factor for n in scaled if n in weights}
    order = torch.randperm(2, generator=rng).tolist()
    asked = [exam.port.fitted(settings, (smaller, weights)[i]) for i in order]
    answers = [exam.apart.logits(settings, w, [unit_x])[0] for w in asked]
    expected, plain = (answers[order.index(i)] for i in range(2))
    if compared(plain, expected, _EPS_TOLERANCE).passed:
        return _no_effect(norm)
    return compared(actual, expected, _EPS_TOLERANCE)


def _between(low: float, high: float, rng: torch.Generator) -> float:
    return low + (high - low) * float(torch.rand(1, generator=rng))


def _branch_alone(settings: ModelSettings, norm: str, rng: torch.Generator) -> Weights:
    """Weights at which the branch behind `norm` outweighs what is added to it (scale3: no branch at all)."""
    weights = plain_norms(normal_weights(settings, rng))
    part = _PART_BEHIND.get(norm)
    first = silent(weights, range(1 if part else 0, settings.n_layer))
    if part is None:
        return first
    weights = silent(first, [0], ("FFN",) if part == "MH" else ("MH",))
    last = f"{part}.0.{'out_proj' if part == 'MH' else '2'}.weight"
    return weights | {last: _BIG * weights[last]}
