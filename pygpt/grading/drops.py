"""What ports usually drop otherwise than R in training, each with the check that it costs."""

from collections.abc import Iterator
from dataclasses import dataclass

from pygpt.output.messages import Message, say


@dataclass(frozen=True)
class Drop:
    """What is dropped at one of R's three places, which a check is for."""

    check: str
    words: Message
    places: frozenset[str]
    """Where values are dropped, in place of the check's own."""
    rates: frozenset[tuple[str, str]] = frozenset()


def _drop(check: str, words: Message, *places: str, **rates: str) -> Drop:
    return Drop(f"dropout.{check}", words, frozenset(place.replace("_", " ") for place in places),
                frozenset(rates.items()))  # fmt: skip


def _at_other_rates(check: str, place: str) -> Iterator[Drop]:
    for rate in ("p / 2", "2 p", "1 - p"):
        words = say("{place}: dropped at the rate {rate}, not p", place=_NAMES[place], rate=rate)
        yield _drop(check, words, place, **{place: rate})
    for always in (0.1, 0.2, 0.5):
        words = say("{place}: dropped at the rate {rate:g}, whatever p is", place=_NAMES[place], rate=always)
        yield _drop(check, words, place, **{place: str(always)})


_NAMES = {
    "embedding": say("embedding"),
    "weights": say("attention weights"),
    "ffn": say("feed-forward part"),
}
R_DROPS = {
    drop.check: drop
    for drop in (
        _drop("embedding", say("as expected"), "embedding"),
        _drop("attention", say("as expected"), "weights"),
        _drop("ffn", say("as expected"), "ffn"),
    )
}
"""What R drops, by the check of each place."""
DROPS = (
    _drop("embedding", say("nothing is dropped of the embedding")),
    _drop("embedding", say("the token's row alone is dropped, not its sum with the position"), "token"),
    *_at_other_rates("embedding", "embedding"),
    _drop("attention", say("no attention weights are dropped")),
    _drop("attention", say("scores are dropped before the softmax, not weights after it"), "before_softmax"),
    _drop("attention", say("the attention's output is dropped, not its weights"), "attention"),
    _drop("attention", say("the attention's output is dropped as well as its weights"), "weights", "attention"),
    _drop("attention", say("what the heads give is dropped before out_proj, not their weights"), "joined"),
    *_at_other_rates("attention", "weights"),
    _drop("ffn", say("nothing is dropped of the feed-forward part")),
    _drop("ffn", say("values inside the feed-forward part are dropped, not its output"), "inside_ffn"),
    _drop("ffn", say("values inside the feed-forward part are dropped as well as its output"), "inside_ffn", "ffn"),
    _drop("ffn", say("the sum after the feed-forward part is dropped, not what is added"), "sum"),
    _drop("ffn", say("the sum after the feed-forward part is dropped as well as what is added"), "sum", "ffn"),
    *_at_other_rates("ffn", "ffn"),
)
