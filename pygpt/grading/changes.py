"""What ports usually do otherwise than R: each a change of the algebra, the check that it costs, and its name."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import combinations

import torch
from torch import Tensor

from pygpt.grading.algebra import Algebra, R, forward
from pygpt.grading.r_model import r_shapes
from pygpt.output.messages import Message, say
from pygpt.settings import ModelName, ModelSettings

# So many things a port may lack at once: the four biases, say.
_MOST_LACKING = 4


@dataclass(frozen=True)
class Change:
    """One thing done otherwise."""

    check: str
    """The check that takes the points; `causality` stands for all three of its stage."""
    words: Message
    choices: tuple[tuple[str, object], ...]
    also: tuple[str, ...] = ()
    """Checks that it costs, too: a part that is not there shows nothing of what they ask."""

    def costs(self, check: str) -> bool:
        """Whether a check takes its points for this."""
        return not {check, check.split(".")[0]}.isdisjoint((self.check, *self.also))

    def fits(self, model: ModelName) -> bool:
        """Whether the model has what is changed."""
        return model == "gpt" or not (
            self.check in ("forward.attention", "causality")
            or any(name.startswith("attention") for name, _ in self.choices)
        )


def _change(check: str, words: Message, also: tuple[str, ...] = (), **choices: object) -> Change:
    return Change(check, words, tuple(choices.items()), also)


CHANGES = (
    _change("forward.embedding", say("positions are counted from 1, not from the first row"), first_position=1),
    _change("forward.embedding", say("the positions are left out"), positions="none"),
    _change("forward.embedding", say("the token's row is multiplied by sqrt(n_embd)"), embedding_scale="sqrt d"),
    _change("forward.embedding", say("the token's row is divided by sqrt(n_embd)"), embedding_scale="1 / sqrt d"),
    _change("forward.embedding", say("a LayerNorm stands on the embedding"), embedding_norm=True),
    _change("causality", say("there is no mask: each position sees all later ones"), mask="none"),
    _change("causality", say("the mask begins one place too late: each position sees the next"), mask="one too late"),
    _change("causality", say("the mask begins one place too early: a position does not see itself"),
            mask="one too early"),
    _change("causality", say("the mask begins one place too early: the first position sees nothing at all"),
            mask="not itself"),
    _change("causality", say("the mask is turned round: it blocks the past"), mask="turned round"),
    _change("causality", say("the mask is inverted: a position sees later ones alone"), mask="inverted"),
    *(_change("causality", say("the mask adds {value:g} where it must add -inf: a position still sees the future",
                               value=value), mask=f"add {value}") for value in (-100.0, -10.0, -1.0)),
    *(_change("causality", say("blocked scores become {value:g}, not -inf: a position still sees the future",
                               value=value), mask=f"fill {value}") for value in (-100.0, -10.0, -1.0, 0.0)),
    _change("forward.attention", say("the mask comes after the softmax: the weights no longer sum to 1"),
            mask="after softmax"),
    _change("forward.attention", say("the scores are not divided by sqrt(d_k)"), score_scale="1"),
    _change("forward.attention", say("the scores are divided by sqrt(n_embd), not by the sqrt of a head's width"),
            score_scale="1 / sqrt d"),
    _change("forward.attention", say("the scores are divided by d_k, not by its square root"), score_scale="1 / d_k"),
    _change("forward.attention", say("the scores are multiplied by sqrt(d_k)"), score_scale="sqrt d_k"),
    _change("forward.attention", say("the softmax runs over the queries, not over the keys"), softmax_over="queries"),
    _change("forward.attention", say("the softmax runs over the heads, not over the keys"), softmax_over="heads"),
    _change("forward.attention", say("query and key have changed places"), exchanged="query and key"),
    _change("forward.attention", say("key and value have changed places"), exchanged="key and value"),
    _change("forward.attention", say("query and value have changed places"), exchanged="query and value"),
    _change("forward.attention", say("the heads are not transposed back before they are joined"),
            heads="not transposed back"),
    _change("forward.attention", say("a head takes every n-th column, not columns that stand side by side"),
            heads="interleaved"),
    _change("forward.attention", say("all positions get the same weight"), attention="uniform"),
    _change("forward.attention", say("there is no attention"), ("builds.parameters", "causality"), attention="none"),
    _change("forward.attention", say("the input of the attention is not added to its output"),
            attention_residual="none"),
    _change("forward.attention", say("the normed input is added after the attention, not the input itself"),
            attention_residual="normed"),
    _change("forward.attention", say("query, key and value have no bias"), no_bias="in_proj_bias"),
    _change("forward.attention", say("the output projection has no bias"), no_bias="out_proj.bias"),
    _change("forward.ffn", say("GELU by tanh; R's is exact"), ffn="tanh"),
    _change("forward.ffn", say("GELU by a sigmoid; R's is exact"), ffn="quick"),
    _change("forward.ffn", say("ReLU in place of GELU"), ffn="relu"),
    _change("forward.ffn", say("SiLU in place of GELU"), ffn="silu"),
    _change("forward.ffn", say("no activation between the two layers"), ffn="identity"),
    _change("forward.ffn", say("there is no feed-forward part"), ("builds.parameters",), ffn="none"),
    _change("forward.ffn", say("the input of the feed-forward part is not added to its output"), ffn_residual="none"),
    _change("forward.ffn", say("the normed input is added after the feed-forward part, not the input itself"),
            ffn_residual="normed"),
    _change("forward.ffn", say("the first feed-forward layer has no bias"), no_bias="0.bias"),
    _change("forward.ffn", say("the second feed-forward layer has no bias"), no_bias="2.bias"),
    _change("forward.norm_places", say("scale1 and scale2 have changed places"), norms="exchanged"),
    _change("forward.norm_places", say("scale1 stands in the place of scale2, too"), norms="scale1 twice"),
    _change("forward.norm_places", say("scale2 stands in the place of scale1, too"), norms="scale2 twice"),
    _change("forward.norm_places", say("the norms stand after the sums (post-norm)"),
            attention_norm="after", ffn_norm="after"),
    _change("forward.norm_places", say("scale1 stands after the sum, not before the attention"),
            attention_norm="after"),
    _change("forward.norm_places", say("scale2 stands after the sum, not before the feed-forward part"),
            ffn_norm="after"),
    _change("forward.norm_places", say("scale1 is left out"), attention_norm="none"),
    _change("forward.norm_places", say("scale2 is left out"), ffn_norm="none"),
    _change("forward.norm_places", say("scale1 has no weight and no bias"), plain_norms="scale1"),
    _change("forward.norm_places", say("scale2 has no weight and no bias"), plain_norms="scale2"),
    *(_change("forward.norm_eps", say("eps of the LayerNorms is {eps:.0e}, not 1e-05", eps=eps), eps=eps)
      for eps in (1e-6, 1e-8, 1e-12, 1e-4, 1e-3, 1e-2, 1e-1)),
    _change("forward.head", say("the final norm scale3 is left out"), final_norm=False),
    _change("forward.head", say("the final norm scale3 has no weight and no bias"), plain_norms="scale3"),
    _change("forward.head", say("probabilities are returned, not logits"), output="softmax"),
    _change("forward.head", say("logarithms of probabilities are returned, not logits"), output="log_softmax"),
    _change("forward.head", say("a sigmoid stands on the logits"), output="sigmoid"),
    _change("forward.whole", say("attention and feed-forward part run side by side, not in turn"), order="parallel"),
    _change("forward.whole", say("the feed-forward part comes before the attention"), order="feed-forward first"),
    _change("forward.whole", say("the blocks run in reverse"), order="blocks reversed"),
    _change("forward.whole", say("only the first block runs"), order="first block only"),
    _change("forward.whole", say("the first block runs in place of every block"), order="first block again"),
    _change("builds.parameters", say("the output layer shares the token embedding's weights"), tied=True),
)  # fmt: skip


def changed_masks(algebra: Algebra) -> Iterator[Algebra]:
    """An algebra with each other mask."""
    for change in CHANGES:
        if change.check == "causality" or dict(change.choices).get("mask"):
            yield algebra.changed(**dict(change.choices))


def algebra_of(changes: tuple[Change, ...]) -> Algebra | None:
    """R's algebra with these changes; None where two of them say different things of one choice."""
    choices: dict[str, object] = {}
    for change in changes:
        for name, value in change.choices:
            if name in ("no_bias", "plain_norms"):
                choices[name] = choices.get(name, frozenset()) | {value}  # type: ignore[operator]
            elif name in choices:
                return None
            else:
                choices[name] = value
    return R.changed(**choices)


def explanations(
    model: ModelName, lacking: Collection[str] = (), most: int = 2
) -> Iterator[tuple[tuple[Change, ...], Algebra]]:
    """What a port may do otherwise, the simplest first.

    Args:
        lacking: R's parameters that the port has not, or not for itself: what is left uses none of them.
        most: how many changes beyond those that are needed for that.
    """
    fitting = [change for change in CHANGES if change.fits(model)]
    for needed in _without(model, frozenset(lacking), fitting):
        for count in range(most + 1):
            for more in combinations([change for change in fitting if change not in needed], count):
                algebra = algebra_of((*needed, *more))
                if algebra is not None:
                    yield (*needed, *more), algebra


def _without(model: ModelName, lacking: frozenset[str], fitting: list[Change]) -> list[tuple[Change, ...]]:
    """Changes under which none of these parameters is used, none of them idle; those first that spare little else."""
    if not lacking:
        return [()]
    sparing = [change for change in fitting if _unused(model, (change,)) & lacking]
    enough: list[tuple[Change, ...]] = []
    for count in range(1, _MOST_LACKING + 1):
        for some in combinations(sparing, count):
            if lacking <= _unused(model, some) and not any(all(c in some for c in fewer) for fewer in enough):
                enough.append(some)
    return sorted(enough, key=lambda some: (len(_unused(model, some) - lacking), len(some)))


def _unused(model: ModelName, changes: tuple[Change, ...]) -> frozenset[str]:
    algebra = algebra_of(changes)
    return frozenset() if algebra is None else unused_by(model, algebra)


@cache
def unused_by(model: ModelName, algebra: Algebra) -> frozenset[str]:
    """R's parameters of a model of three blocks that an algebra never looks at."""
    settings = ModelSettings(model, block_size=2, n_embd=2, n_layer=3, n_head=1, vocab_size=2, dropout=0.0)
    weights = _Watched({name: torch.ones(shape) for name, shape in r_shapes(settings).items()})
    forward(algebra, settings, weights, torch.zeros(1, 1, dtype=torch.int64))
    return frozenset(weights.keys() - weights.seen)


class _Watched(dict[str, Tensor]):
    """Weights that remember which of them were looked at."""

    def __init__(self, weights: dict[str, Tensor]) -> None:
        super().__init__(weights)
        self.seen: set[str] = set()

    def __getitem__(self, name: str) -> Tensor:
        self.seen.add(name)
        return super().__getitem__(name)
