"""What a file says beside the weights: how many heads the attention has, and the vocabulary.

Heads leave no trace in the weights' shapes, and the vocabulary's order none at all.
"""

import contextlib
import json
from collections.abc import Iterable, Iterator
from typing import Any

from pygpt.errors import PygptError
from pygpt.r_files.opening import Opened
from pygpt.r_files.states import robject
from pygpt.r_files.values import RValue, UnreadableError, everything, number, texts
from pygpt.vocabulary import PAD, Vocabulary

# The course's hyperparameter, what R torch's nn_multihead_attention keeps, and what students call it.
_HEADS = ("Head", "num_heads", "n_head", "n_heads", "nhead", "heads")


def heads(files: Iterable[Opened]) -> int | None:
    """The number of heads, where the files agree on one."""
    files = list(files)
    for said in (_in_metadata(files), _in_objects(files), _beside_tensors(files)):
        numbers = {int(n) for n in said if 0 < n < 2**31 and n == int(n)}
        if len(numbers) == 1:
            return numbers.pop()
    return None


def vocabulary(files: Iterable[Opened], rows: int) -> Vocabulary | None:
    """A vocabulary of so many rows, PAD included, if the files hold one and no other."""
    fitting = {v for v in vocabularies(files) if len(v) == rows}
    return fitting.pop() if len(fitting) == 1 else None


def vocabularies(files: Iterable[Opened]) -> Iterator[Vocabulary]:
    """Every vocabulary in the files: code points in the metadata of `r_reference/`'s weights, or R's `vocab`."""
    for file in files:
        points = _json(file, "vocabulary")
        if isinstance(points, list) and all(isinstance(p, int) and 0 <= p < 0x110000 for p in points):
            with contextlib.suppress(PygptError):
                yield Vocabulary([chr(p) for p in points], "R's vocab")
        for value in everything(*file.objects.values()):
            fitting = _characters(value)
            if fitting is not None:
                yield fitting


def _characters(value: RValue | None) -> Vocabulary | None:
    """R's `vocab`, `c("<PAD>", …)`; None for anything else."""
    held = texts(value)
    if not held or held[0] != PAD:
        return None
    with contextlib.suppress(PygptError):
        return Vocabulary(held[1:], "R's vocab")
    return None


def _in_metadata(files: list[Opened]) -> Iterator[float]:
    """Of pygpt's own weights and of those of `r_reference/`."""
    for file in files:
        for settings, name in ((_json(file, "pygpt"), "n_head"), (_json(file, "model_settings"), "Head")):
            if isinstance(settings, dict):
                held = settings.get("model", settings)
                value = held.get(name) if isinstance(held, dict) else None
                if isinstance(value, int | float):
                    yield value


def _in_objects(files: list[Opened]) -> Iterator[float]:
    for file in files:
        yield from _numbers(*file.objects.values())


def _beside_tensors(files: list[Opened]) -> Iterator[float]:
    for file in files:
        # The weights are whole even where this object is not to be read.
        with contextlib.suppress(UnreadableError):
            yield from _numbers(robject(file))


def _numbers(*roots: RValue | None) -> Iterator[float]:
    for value in everything(*roots):
        # not in pairlists: what a function has as default need not be what it was called with
        for name, held in value.items() if value.kind in ("list", "environment") else ():
            if name in _HEADS:
                fitting = number(held)
                if fitting is not None:
                    yield fitting


def _json(file: Opened, key: str) -> Any:
    with contextlib.suppress(ValueError, KeyError, RecursionError):
        return json.loads(file.metadata[key])
    return None
