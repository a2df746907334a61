"""forward, part by part: each part is fed the reference's input, so that a mistake elsewhere does not show here."""

from collections.abc import Iterator

import torch

from pygpt.grading.check import Case, Each, Verdict, check
from pygpt.grading.drawn import INPUT_SCALE, normal_weights, plain_norms, silent, unit_rows
from pygpt.grading.exam import Exam, of_models, shapes_of, tokens
from pygpt.grading.port import BLOCK_PARTS, Weights, reference
from pygpt.grading.readout import GROUPS, View, compared, seen, worst
from pygpt.output.messages import say
from pygpt.settings import R_MODELS, ModelName, ModelSettings

_BATCH = 2


def room_for(exam: Exam, model: ModelName, rng: torch.Generator, **fixed: int) -> ModelSettings:
    """Settings whose vocabulary has rows for the vectors of `seen`, and some to spare."""
    small = exam.settings(model, rng)
    rows = 2 + GROUPS * _BATCH * small.block_size + 3
    return exam.settings(model, rng, block_size=small.block_size, vocab_size=rows, **fixed)


def _blocks(part: str) -> Each:
    """Each block of each model that has this part."""

    def cases(exam: Exam) -> Iterator[Case]:
        for model in (model for model in exam.models if part in BLOCK_PARTS[model]):
            rng = exam.random("forward", part, model)
            settings = room_for(exam, model, rng)
            for j in range(settings.n_layer):
                name = say("{model}, block {j}", model=R_MODELS[model], j=j + 1)
                yield Case(name, model, j + 1, part, given=(settings, j, part, rng))

    return cases


@check(
    "forward.embedding",
    say("Embedding: token plus position"),
    say("h0 = Embed(x) + Pos(x): the token's row plus the row of its position, counted from the first."),
    say("self.wte(x) + self.wpe(torch.arange(k)), without a factor"),
    each=of_models(),
)
def embedding(exam: Exam, model: ModelName) -> Verdict:
    rng = exam.random("forward", "embedding", model)
    settings = room_for(exam, model, rng)
    return worst([_embedding_view(exam, settings, k, rng) for k in shapes_of(settings)], exam.tolerance)


@check(
    "forward.ffn",
    say("Feed-forward part of each block, given the right input"),
    say("h + FFN(LN(h)) with Linear(d, 4d), the exact GELU, Linear(4d, d)."),
    say("nn.GELU() without approximate='tanh'; LayerNorm before, the input added after."),
    each=_blocks("FFN"),
)
@check(
    "forward.attention",
    say("Attention of each block, given the right input"),
    say("h' = h + MHA(LN(h)), judged at the last position, where the mask blocks nothing."),
    say("softmax(Q K^T / sqrt(d / heads)) V for each head, then the output projection; the input is added after."),
    each=_blocks("MH"),
    needs=("GPT",),
)
def block_part(exam: Exam, settings: ModelSettings, j: int, part: str, rng: torch.Generator) -> Verdict:
    # Large inputs do not show a wrong eps, normed ones do not show a norm in the wrong place: what a part does is
    # right if it is right on either. The norms have checks of their own.
    large = _block_verdict(exam, settings, j, part, False, rng)
    if large.passed:
        return large
    normed = _block_verdict(exam, settings, j, part, True, rng)
    return normed if normed.passed else large


@check(
    "forward.head",
    say("Final norm and output layer, given the right input"),
    say("logits = ln_f(scale3(h)): a LayerNorm, then a linear layer without bias."),
    say("Apply scale3 before ln_f, and return logits, not probabilities."),
    each=of_models(),
)
def head(exam: Exam, model: ModelName) -> Verdict:
    rng = exam.random("forward", "head", model)
    settings = exam.settings(model, rng)
    drawn = plain_norms(normal_weights(settings, rng, INPUT_SCALE), ("scale3",))
    drawn["wpe.weight"] = torch.zeros_like(drawn["wpe.weight"])
    weights = exam.port.fitted(settings, silent(drawn, range(settings.n_layer)))
    x = tokens(rng, (_BATCH, settings.block_size), 2, settings.vocab_size)
    with torch.no_grad():
        expected = reference(settings, weights)(x)
    return compared(exam.port.logits(settings, weights, [x])[0], expected, exam.tolerance)


def _block_verdict(
    exam: Exam, settings: ModelSettings, j: int, part: str, normed: bool, rng: torch.Generator
) -> Verdict:
    views = [_block_view(exam, settings, j, part, k, normed, rng) for k in shapes_of(settings)]
    return worst(views, exam.tolerance, last_only=part == "MH")


def _block_view(
    exam: Exam, settings: ModelSettings, j: int, part: str, k: int, normed: bool, rng: torch.Generator
) -> View:
    drawn = normal_weights(settings, rng, INPUT_SCALE)
    weights = plain_norms(drawn) if normed else _same_norms(plain_norms(drawn, (f"scale1.{j}", f"scale2.{j}")), j)
    others = [i for i in range(settings.n_layer) if i != j]
    active = silent(silent(weights, others), [j], ("FFN",) if part == "MH" else ("MH",))
    h = unit_rows(_BATCH, k, settings, rng) * (1 if normed else INPUT_SCALE)
    with torch.no_grad():
        g = reference(settings, exam.port.fitted(settings, active)).block(j, h.double())
    still = silent(active, [j])
    change = {name: active[name] for name in active if active[name] is not still[name]}
    return seen(exam, settings, still, change, (h, g), rng, last_only=part == "MH")


def _same_norms(weights: Weights, j: int) -> Weights:
    """Both norms of block j alike: whether each is in its place is another check's question."""
    same = {f"scale1.{j}.{kind}": weights[f"scale2.{j}.{kind}"] for kind in ("weight", "bias")}
    return weights | {name: value for name, value in same.items() if name in weights}


def _embedding_view(exam: Exam, settings: ModelSettings, k: int, rng: torch.Generator) -> View:
    weights = silent(plain_norms(normal_weights(settings, rng, INPUT_SCALE)), range(settings.n_layer))
    # The last feed-forward part adds a constant: it shows whether the sum has the right size, too.
    last = f"FFN.{settings.n_layer - 1}.2.bias"
    constant = 2 * torch.randn(settings.n_embd, generator=rng, dtype=torch.float64)
    positions = weights["wpe.weight"] / INPUT_SCALE
    # The sum is normed, so that norms in wrong places leave it as it is.
    total = unit_rows(_BATCH, k, settings, rng)
    vectors = (total - positions[:k], total + constant)
    return seen(exam, settings, weights, {"wpe.weight": positions, last: constant}, vectors, rng)
