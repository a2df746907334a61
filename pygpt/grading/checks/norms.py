"""forward, the LayerNorms: each in its place, and with R's eps. The submission is held against itself."""

import torch

from pygpt.grading.drawn import INPUT_SCALE, normal_weights, plain_norms, silent, unit_rows, with_rows
from pygpt.grading.exam import Check, Exam, Item, Verdict, explained, judged, tokens
from pygpt.grading.messages import say
from pygpt.grading.port import R_NAME, Weights
from pygpt.grading.readout import compared
from pygpt.settings import ModelSettings

_EPS = 1e-5
_EPS_TOLERANCE = 0.03
_BATCH, _BIG = 4, 1e4


def _places(exam: Exam) -> list[Item]:
    items = []
    for model in exam.models:
        rng = exam.random("norms", "places", model)
        settings = exam.settings(model, rng)
        parts = ("MH", "FFN") if model == "gpt" else ("FFN",)
        for part in parts:
            name = say("{model}, the norm before {part}", model=R_NAME[model], part=part)
            items.append(judged(name, _placed, exam, settings, part, rng))
    return items


def _placed(exam: Exam, settings: ModelSettings, part: str, rng: torch.Generator) -> Verdict:
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
    weight, shift = weights[f"{norm}.weight"], weights[f"{norm}.bias"]
    folded = plain_norms(weights) | {
        matrix: weights[matrix] * weight,
        bias: weights[bias] + weights[matrix] @ shift,
    }
    x = tokens(rng, (2, settings.block_size), 2, settings.vocab_size)
    (actual,) = exam.port.logits(settings, weights, [x])
    (expected,) = exam.port.logits(settings, folded, [x])
    (without,) = exam.port.logits(settings, plain_norms(weights), [x])
    if not compared(without, expected, 10 * exam.tolerance).passed:
        return compared(actual, expected, exam.tolerance, last_only=True)
    return Verdict(False, say("{norm} changes the output", norm=norm), say("it has no effect"))


def _eps(exam: Exam) -> list[Item]:
    items = []
    for model in exam.models:
        rng = exam.random("norms", "eps", model)
        settings = exam.settings(model, rng)
        for norm in ("scale1", "scale2", "scale3") if model == "gpt" else ("scale2", "scale3"):
            name = say("{model}, {norm}", model=R_NAME[model], norm=norm)
            items.append(judged(name, _eps_or_paid, exam, settings, norm, rng))
    return items


def _eps_or_paid(exam: Exam, settings: ModelSettings, norm: str, rng: torch.Generator) -> Verdict:
    """Where a norm is not in its place, tiny inputs do not reach the norms as in R; the place has been paid for."""
    found = _eps_verdict(exam, settings, norm, rng)
    in_place = exam.passed("forward.norm_places", "forward.head", model=settings.model)
    return found if found.passed or in_place else explained(found)


def _eps_verdict(exam: Exam, settings: ModelSettings, norm: str, rng: torch.Generator) -> Verdict:
    """A tiny input is the same as one of unit size with a smaller weight, if eps is R's."""
    unit = unit_rows(_BATCH, 1, settings, rng)
    weights, (tiny_x, unit_x) = with_rows(_branch_alone(settings, norm, rng), _EPS**0.5 * unit, unit)
    tiny = exam.port.fitted(settings, weights)
    # Both norms of the block: whether they have changed places is asked elsewhere.
    scaled = ("scale3.weight",) if norm == "scale3" else ("scale1.0.weight", "scale2.0.weight")
    smaller = weights | {n: weights[n] * 0.5**0.5 for n in scaled if n in weights}
    (actual,) = exam.port.logits(settings, tiny, [tiny_x])
    expected, plain = (
        exam.port.logits(settings, exam.port.fitted(settings, w), [unit_x])[0] for w in (smaller, weights)
    )
    if compared(plain, expected, _EPS_TOLERANCE).passed:
        return Verdict(False, say("{norm} changes the output", norm=norm), say("it has no effect"))
    return compared(actual, expected, _EPS_TOLERANCE)


def _branch_alone(settings: ModelSettings, norm: str, rng: torch.Generator) -> Weights:
    """Weights at which the branch behind `norm` outweighs what is added to it (scale3: no branch at all)."""
    weights = plain_norms(normal_weights(settings, rng))
    part = {"scale1": "MH", "scale2": "FFN"}.get(norm)
    first = silent(weights, range(1 if part else 0, settings.n_layer))
    if part is None:
        return first
    weights = silent(first, [0], ("FFN",) if part == "MH" else ("MH",))
    last = f"{part}.0.{'out_proj' if part == 'MH' else '2'}.weight"
    return weights | {last: _BIG * weights[last]}


CHECKS = (
    Check(
        "forward.norm_places",
        say("Each LayerNorm in its place"),
        say(
            "scale1 stands before the attention, scale2 before the feed-forward part, inside of the branch (pre-norm)."
        ),
        say("h + MHA(scale1(h)), then h + FFN(scale2(h)): not exchanged, and not after the sum."),
        _places,
    ),
    Check(
        "forward.norm_eps",
        say("eps of the LayerNorms"),
        say("R's nn_layer_norm adds eps = 1e-5 to the variance; for inputs of small variance it shows."),
        say("nn.LayerNorm(n_embd) has eps=1e-5 already"),
        _eps,
    ),
)
