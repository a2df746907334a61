"""What a name in a history means: which part, train or validation, and whether it is a loss, an epoch, or neither."""

import re
import unicodedata
from functools import cache
from typing import NamedTuple

_PARTS = {
    "train": {"train", "training", "treino", "treinamento", "tr", "trn"},
    "valid": {"valid", "validation", "val", "validacao", "vld"},
}
_EPOCH = {"epoch", "epochs", "epoca", "epocas", "ep"}
_LOSS = {"loss", "losses", "perda", "perdas", "ce", "nll", "cross", "entropy", "entropia", "cruzada"}
_VALUE = {"value", "valor"}
_SET = {"set", "conjunto", "split", "phase"}
# Said beside the others, and meaning nothing of their own.
_NEUTRAL = {"metrics", "metric", "metricas", "mean", "media", "records", "history", "historico", "de", "da", "do", "of"}


class Label(NamedTuple):
    """A name, understood.

    Attributes:
        part: `train`, `valid`, or None.
        kind: `loss`, `epoch`, `value` (of some metric), `set`, or `other` (another metric, or anything else).
    """

    part: str | None
    kind: str

    @property
    def is_known(self) -> bool:
        """Whether a history has such a name."""
        return self.kind != "other"


@cache
def label(name: str) -> Label:
    """What a column, a row or a key is called: `Loss_Treino`, `valid.loss.2`, `valLoss`, `Época`."""
    plain = "".join(c for c in unicodedata.normalize("NFD", name) if not unicodedata.combining(c))
    words = {w for run in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", plain) for w in _apart(run.lower())}
    parts = [part for part, names in _PARTS.items() if words & names]
    rest = words - _NEUTRAL - _PARTS["train"] - _PARTS["valid"]
    part = parts[0] if len(parts) == 1 else None
    if part and rest <= _LOSS | _VALUE | _EPOCH and not (rest and rest <= _EPOCH):
        return Label(part, "loss")
    for kind, names in (("epoch", _EPOCH), ("loss", _LOSS), ("value", _VALUE), ("set", _SET)):
        if rest and rest <= names and not parts:
            return Label(None, kind)
    return Label(part, "other")


def _apart(word: str) -> set[str]:
    """`valloss` as its two words."""
    for name in _PARTS["train"] | _PARTS["valid"]:
        for loss in _LOSS:
            if word in (name + loss, loss + name):
                return {name, loss}
    return {word}
