"""Finding the weights in what a file holds: the state dicts of R's torch and luz, in every format they have had.

torch_save, format 3 (since 2023): safetensors. A module's tensors have their keys; a list's have addresses, and the R
object `__robj__` beside them says which is which. Formats 1 and 2: an RDS, each tensor an RDS in it. luz_save: an RDS
that holds what torch_save wrote. Else named arrays. Sources: R torch's `save.R`, luz's `serialization.R`.
"""

import base64
import contextlib
import json
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from pygpt.output.messages import say
from pygpt.r_files.archives import tensor_of
from pygpt.r_files.opening import Opened, is_file, opened_bytes
from pygpt.r_files.serialization import unserialize
from pygpt.r_files.streams import damaged
from pygpt.r_files.values import NA_INTEGER, NUMERIC, RValue, UnreadableError, shape, texts

MARK = "wte.weight"
"""The key by which weights are known, whatever stands before it."""
OBJECT = "__robj__"
_DEEPEST = 3
"""Files in files: luz_save holds a torch_save, which holds a tensor's."""


@dataclass
class Found:
    """What was found in a file.

    Attributes:
        states: the state dicts, each with its place as R writes it (`x$model`).
        files: the file and those in it.
        pointers: whether there are tensors of which R wrote an address alone.
    """

    states: list[tuple[str, dict[str, Tensor]]] = field(default_factory=list)
    files: list[Opened] = field(default_factory=list)
    pointers: bool = False


def find(file: Opened) -> Found:
    """Every state dict in a file and in the files that lie in it.

    Raises:
        UnreadableError: what holds one is damaged.
    """
    contents = Found()
    open_: list[tuple[str, Opened, int]] = [("", file, 1)]
    while open_:
        place, here, depth = open_.pop()
        contents.files.append(here)
        if here.tensors and saved_as(here) != "list":
            if any(name.endswith(MARK) for name in here.tensors):
                contents.states.append((place or "x", {k: v for k, v in here.tensors.items() if k != OBJECT}))
            continue
        for name, root in _roots(here):
            for inner, raw in _walk(contents, place or name or "x", root, here.tensors):
                if depth == _DEEPEST:
                    raise damaged()
                open_.append((inner, opened_bytes(raw), depth + 1))
    return contents


def robject(file: Opened) -> RValue | None:
    """The R object that torch_save put beside the tensors; None where there is none.

    Raises:
        UnreadableError: it is damaged.
    """
    held = file.tensors.get(OBJECT)
    return None if held is None else unserialize(held.to(torch.uint8).numpy().tobytes())


def saved_as(file: Opened) -> str:
    """What torch_save says that it wrote (format 3): module, list, tensor or state_dict; "" of other files."""
    with contextlib.suppress(ValueError, KeyError, TypeError, RecursionError):
        return str(json.loads(file.metadata["__r__"])["type"])
    return ""


def _roots(file: Opened) -> list[tuple[str, RValue | None]]:
    return [("", robject(file))] if file.tensors else list(file.objects.items())


def _walk(contents: Found, start: str, root: RValue | None, addressed: dict[str, Tensor]) -> list[tuple[str, bytes]]:
    """Put the state dicts below `root` into `found`; the files that lie there are given back."""
    inner: list[tuple[str, bytes]] = []
    seen: set[int] = set()
    open_ = [(start, root)]
    while open_:
        place, value = open_.pop()
        if value is None or id(value) in seen:
            continue
        seen.add(id(value))
        contents.pointers |= value.kind == "externalptr" or bool({"torch_tensor", "nn_module"} & {*value.classes})
        # luz_save's .serialized_model, torch_serialize's raw vector
        if value.kind == "raw" and "torch_serialized_tensor" not in value.classes and is_file(value.data):
            inner.append((place, value.data))
        held = dict(value.items())
        if any(name.endswith(MARK) for name in held):
            if not _dead(held):
                contents.states.append((place, {name: _tensor(name, v, addressed) for name, v in held.items()}))
            contents.pointers |= _dead(held)
            continue
        open_ += reversed(value.below(place))
    return inner


def _dead(held: dict[str, RValue | None]) -> bool:
    return any(value is not None and value.kind == "externalptr" for value in held.values())


def _tensor(name: str, value: RValue | None, addressed: dict[str, Tensor]) -> Tensor:
    if value is not None and value.kind == "raw":
        return _of_file(value.data)
    if value is not None and "torch_tensor_address" in value.classes:
        (address,) = texts(value) or ("",)
        if address in addressed:
            return addressed[address]
    elif value is not None and value.kind in NUMERIC:
        return _of_array(name, value)
    raise UnreadableError(say("its {name} is no tensor", name=name))


def _of_file(raw: bytes) -> Tensor:
    """A tensor that was saved by itself."""
    file = opened_bytes(raw)
    if file.tensors:
        return next(iter(file.tensors.values()))
    root = file.objects.get("")
    values = None if root is None else root.get("values")
    if values is not None and values.kind == "raw":
        return tensor_of(values.data)
    try:
        # format 1
        return tensor_of(base64.b64decode("".join(texts(values) or [""])))
    except ValueError as error:
        raise damaged() from error


def _of_array(name: str, value: RValue) -> Tensor:
    """R's array, whose first index moves fastest, as a tensor."""
    numbers = value.data.astype(np.float64)
    if value.kind != "double":
        numbers[value.data == NA_INTEGER] = np.nan
    sizes = shape(value)
    if any(n < 0 for n in sizes) or int(np.prod(sizes, dtype=object)) != len(numbers):
        raise UnreadableError(say("its {name} has a dim that does not fit it", name=name))
    return torch.from_numpy(np.ascontiguousarray(numbers.reshape(sizes, order="F")))
