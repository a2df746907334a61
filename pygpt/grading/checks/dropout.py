"""dropout: its rate, in train mode only, and in R's three places, each seen alone.

Inputs are built so that only one of the three places has anything to drop. Even columns carry a pattern of +1 and -1
that the place in question passes on; odd columns carry a yardstick that no dropout touches (attention's output bias).
"""

import torch
from torch import Tensor

from pygpt.grading.check import Verdict, check
from pygpt.grading.drawn import normal_weights, plain_norms, silent
from pygpt.grading.exam import Exam, of_models, tokens
from pygpt.grading.port import Weights
from pygpt.output.messages import Message, say
from pygpt.settings import ModelName, ModelSettings

_ROWS = 1500
_YARD = 2**0.5
_SCALE_TOLERANCE = 0.02
_HINT = say("nn.Dropout(p0), in train mode alone: on the embedding, on the attention weights, at the end of FFN.")


@check(
    "dropout.eval",
    say("No dropout in eval mode"),
    say("model$eval() turns dropout off: the same input gives the same logits."),
    say("nn.Dropout knows the mode; functional.dropout needs training=self.training."),
    each=of_models(),
)
def only_in_training(exam: Exam, model: ModelName) -> Verdict:
    rng = exam.random("dropout", "eval", model)
    settings = exam.settings(model, rng, dropout=0.3)
    weights = exam.port.fitted(settings, normal_weights(settings, rng))
    x = tokens(rng, (2, settings.block_size), 2, settings.vocab_size)
    one, two = exam.port.logits(settings, weights, [x, x], seeds=(11, 12))
    same = bool((one == two).all())
    expected = say("in eval mode the same logits for the same input")
    return Verdict.of(same, expected, say("the same" if same else "different logits at each call"))


@check(
    "dropout.ffn",
    say("Dropout at the end of the feed-forward part"),
    say("The last layer of FFN is nn_dropout(p0): before the sum, after the second linear layer."),
    _HINT,
    each=of_models("ffn"),
)
@check(
    "dropout.attention",
    say("Dropout on the attention weights"),
    say("nn_multihead_attention(dropout = p0) drops weights after the softmax, and nothing after the projection."),
    _HINT,
    each=of_models("attention", having="MH"),
    needs=("GPT",),
)
@check(
    "dropout.embedding",
    say("Dropout on the embedding"),
    say("drop0 drops single values of the sum of token and position."),
    _HINT,
    each=of_models("embedding"),
)
def dropped_at(exam: Exam, model: ModelName, place: str) -> Verdict:
    rng = exam.random("dropout", place, model)
    rate = 0.15 + 0.25 * float(torch.rand(1, generator=rng))
    heads = 2
    # As many columns as a pattern needs that is lost as a whole about never.
    width = heads * 16
    settings = exam.settings(model, rng, dropout=rate, n_head=heads, n_embd=width, vocab_size=2 + width + 2)
    weights, row = _weights(settings, place, rng)
    x = torch.full((_ROWS, 1), row)
    seed = int(torch.randint(1 << 30, (1,), generator=rng))
    (logits,) = exam.port.logits(settings, exam.port.fitted(settings, weights), [x], train=True, seeds=(seed,))
    # Rows 2 to width + 1 of the vocabulary show the columns of the last hidden state.
    columns = logits[:, 0, 2 : 2 + width]
    return _judge_columns(columns, place, model, rate, heads, exam.rubric.tolerances["dropout"])


def _weights(settings: ModelSettings, place: str, rng: torch.Generator) -> tuple[Weights, int]:
    width = settings.n_embd
    weights = silent(plain_norms(normal_weights(settings, rng)), range(settings.n_layer))
    table = torch.zeros_like(weights["wte.weight"])
    table[2 : 2 + width] = torch.eye(width)
    row, pattern = 2 + width, _pattern(width, even=True)
    if place == "embedding":
        table[row] = pattern
    weights |= {
        "wte.weight": table,
        "ln_f.weight": table.clone(),
        "wpe.weight": torch.zeros_like(weights["wpe.weight"]),
    }
    weights["ln_f.weight"][row] = 0
    if settings.model == "gpt":
        # A yardstick: attention's output bias is added after every dropout but that of the attention weights.
        # Its variance is 1, so that a norm in the wrong place leaves it as it is.
        weights["MH.0.out_proj.bias"] = _YARD * _pattern(width, even=False)
    if place == "attention":
        weights["MH.0.in_proj_weight"] = torch.zeros_like(weights["MH.0.in_proj_weight"])
        zeros = torch.zeros(width, dtype=torch.float64)
        weights["MH.0.in_proj_bias"] = torch.cat([zeros, zeros, pattern])
        weights["MH.0.out_proj.weight"] = torch.eye(width, dtype=torch.float64)
    if place == "ffn":
        weights["FFN.0.2.bias"] = pattern
    return weights, row


def _pattern(width: int, even: bool) -> Tensor:
    signs = torch.tensor([1.0, -1.0], dtype=torch.float64).repeat_interleave(2).repeat(width // 4)
    own = torch.arange(width) % 2 == (0 if even else 1)
    return signs * own


def _judge_columns(
    columns: Tensor, place: str, model: ModelName, rate: float, heads: int, deviations: float
) -> Verdict:
    width = columns.shape[1]
    even = torch.arange(width) % 2 == 0
    sign = _pattern(width, True) + _pattern(width, False)
    up, down = (columns[:, even & (sign == s)] for s in (1, -1))
    # Columns are shifted and scaled by the final norm: +1, 0 and -1 become three levels, 0 in their middle.
    top, bottom = up.amax(dim=1, keepdim=True), down.amin(dim=1, keepdim=True)
    middle = (top + bottom) / 2
    kept = (columns[:, even] - middle).abs() > (top - bottom).abs() / 4
    if place == "attention":
        # One weight a head: all its columns fall together. A row where both heads fell has no level to go by.
        return _judge_heads(columns, even, sign, rate, heads, deviations)
    scale = _amplitude(columns, even, sign) if model == "gpt" else None
    return _judge_share(1 - float(kept.double().mean()), kept.numel(), scale, rate, deviations)


def _amplitude(columns: Tensor, even: Tensor, sign: Tensor) -> float:
    """How much larger what is kept is than the yardstick."""
    top, bottom = columns[:, even & (sign == 1)].amax(dim=1), columns[:, even & (sign == -1)].amin(dim=1)
    measure = columns[:, ~even & (sign == 1)].mean(dim=1) - columns[:, ~even & (sign == -1)].mean(dim=1)
    return float(((top - bottom) * _YARD / measure).median())


def _judge_heads(columns: Tensor, even: Tensor, sign: Tensor, rate: float, heads: int, deviations: float) -> Verdict:
    odd_up, odd_down = (columns[:, ~even & (sign == s)] for s in (1, -1))
    measure = (odd_up.mean(dim=1) - odd_down.mean(dim=1)).unsqueeze(1) / _YARD
    ratios = []
    for part in torch.arange(columns.shape[1]).chunk(heads):
        mine = columns[:, part]
        e, s = even[part], sign[part]
        up, down = mine[:, e & (s == 1)], mine[:, e & (s == -1)]
        pairs = (up.unsqueeze(2) - down.unsqueeze(1)).flatten(1) / measure
        if float((pairs.amax(dim=1) - pairs.amin(dim=1)).max()) > _SCALE_TOLERANCE:
            actual = say("single columns of a head are dropped, not whole attention weights")
            return Verdict.of(False, _expected(rate), actual)
        ratios.append(pairs.mean(dim=1))
    ratio = torch.stack(ratios)
    dropped = ratio.abs() < 0.5
    share, scale = float(dropped.double().mean()), float(ratio[~dropped].median())
    return _judge_share(share, dropped.numel(), scale, rate, deviations)


def _judge_share(share: float, draws: int, scale: float | None, rate: float, deviations: float) -> Verdict:
    """Whether the share of what is dropped, and how much larger the rest is (None: not seen), go with the rate."""
    expected = _expected(rate)
    told = say("a share of {share} dropped", share=share)
    if abs(share - rate) > deviations * (rate * (1 - rate) / draws) ** 0.5:
        return Verdict.of(False, expected, told)
    if scale is not None and abs(scale * (1 - rate) - 1) > _SCALE_TOLERANCE:
        return Verdict.of(False, expected, say("what is kept is multiplied by {scale}", scale=scale))
    return Verdict.of(True, expected, told)


def _expected(rate: float) -> Message:
    return say("a share of {rate} dropped, the rest divided by {keep}", rate=rate, keep=1 - rate)
