"""The tables of an exercise's file that hold words and numbers in lists: titles, and what the sheet published."""

import math
from typing import TYPE_CHECKING, Any

from pygpt.exercises.exercise import PARTS, Losses, Published
from pygpt.output.messages import LANGUAGES, Words, say

if TYPE_CHECKING:
    from pygpt.exercises.reading import Reading

PUBLISHED = ("source", "table", "figure", "page", "decimals", "epochs", "text", "remarks", "claim")
_OF_EPOCH = ("epoch", *PARTS, *(f"{part}_perplexity" for part in PARTS))
_MOST_DECIMALS = 8
Keys = tuple[str | int, ...]


def words(reading: "Reading", keys: Keys, given: Any) -> Words:
    """A text in one or more languages: `{en = "…", pt = "…"}`."""
    if not isinstance(given, dict) or not all(isinstance(value, str) and value for value in given.values()):
        reading.fault(
            keys,
            say("{key} must be texts by language: {example}",
                key=".".join(map(str, keys)), example='{ en = "…", pt = "…" }'),
        )  # fmt: skip
        return Words()
    if not reading.known(given, LANGUAGES, keys) and not any(keys == at[: len(keys)] for at, _ in reading.faults):
        reading.fault(keys, say("{key} is empty", key=".".join(map(str, keys))))
    return Words(dict(given))


def published(reading: "Reading", given: dict[str, Any], epochs: int) -> Published:
    """What the sheet published.

    Args:
        epochs: how many the exercise trains.
    """
    kinds: dict[str, type] = {"source": str, "text": str, "table": int, "figure": int, "page": int, "decimals": int}
    plain = {name: given[name] for name in kinds if name in given}
    for name in [name for name, value in plain.items() if type(value) is not kinds[name]]:
        what = say("a text") if kinds[name] is str else say("a whole number")
        reading.fault(("published", name), say("{name} must be {what}", name=name, what=what))
        del plain[name]
    if not 0 <= plain.get("decimals", 4) <= _MOST_DECIMALS:
        reading.fault(("published", "decimals"), say("decimals must be from 0 to {most}", most=_MOST_DECIMALS))
    losses, perplexities = _epochs(reading, given.get("epochs", []), epochs)
    remarks = given.get("remarks", [])
    if not isinstance(remarks, list):
        reading.fault(("published", "remarks"), say("{name} must be a list", name="remarks"))
        remarks = []
    return Published(
        losses=losses,
        perplexities=perplexities,
        remarks=tuple(words(reading, ("published", "remarks", i), remark) for i, remark in enumerate(remarks)),
        claim=words(reading, ("published", "claim"), given["claim"]) if "claim" in given else Words(),
        **plain,
    )


def _epochs(reading: "Reading", given: Any, epochs: int) -> tuple[Losses, Losses]:
    losses: Losses = {}
    perplexities: Losses = {}
    if not isinstance(given, list):
        reading.fault(("published", "epochs"), say("{name} must be a list", name="epochs"))
        return losses, perplexities
    seen: set[int] = set()
    for i, row in enumerate(given):
        at: Keys = ("published", "epochs", i)
        epoch = row.get("epoch") if isinstance(row, dict) else None
        if type(epoch) is not int or not 1 <= epoch <= epochs or epoch in seen:
            reading.fault(
                at,
                say("entry {n} of published.epochs must have an epoch of its own, from 1 to {epochs}",
                    n=i + 1, epochs=epochs),
            )  # fmt: skip
            continue
        seen.add(epoch)
        for name, value in reading.known(row, _OF_EPOCH, at).items():
            if name == "epoch":
                continue
            if type(value) not in (int, float) or not math.isfinite(value):
                reading.fault((*at, name), say("{name} = {value} is not a finite number", name=name, value=repr(value)))
                continue
            into = perplexities if name.endswith("_perplexity") else losses
            into[epoch, name.removesuffix("_perplexity")] = float(value)
    return losses, perplexities
