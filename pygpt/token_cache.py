"""The tokens of a large text in a file beside its run, mapped into memory: what is not looked at takes no room.

The file is safetensors: one tensor `tokens`, and in the metadata whose tokens they are. It is written a piece at a
time, which the library cannot do, to a temporary name that is renamed at the end.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
from numpy.typing import NDArray
from torch import Tensor

from pygpt.errors import PygptError
from pygpt.files import replacing
from pygpt.output.messages import Listed, say

_FORMAT = 1
_NAME, _NOTE = "tokens", "pygpt"
_KINDS = {"uint8": "U8", "int16": "I16", "int32": "I32"}

Owner = dict[str, str | float]
"""Whose tokens they are: the text's SHA-256, the share that is used, the vocabulary's SHA-256."""


def mapped(path: Path, owner: Owner) -> Tensor | None:
    """The tokens in the file, (n,), not yet read; None where there is no file.

    Raises:
        PygptError: they are not the owner's, or the file is damaged. It is left as it is.
    """
    if not path.exists():
        return None
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            theirs = json.loads((file.metadata() or {})[_NOTE])
            tokens: Tensor = file.get_tensor(_NAME)
        differ = [
            say("{name} is {there} there, {here} here", name=name, there=str(theirs.get(name)), here=str(value))
            for name, value in {"format": _FORMAT, **owner}.items()
            if theirs.get(name) != value
        ]
    except (OSError, safetensors.SafetensorError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise PygptError(
            "{path} is not a whole cache of tokens ({why}). Nothing was written over: remove it, and it is made anew.",
            path=path, why=error,
        ) from error  # fmt: skip
    if differ:
        raise PygptError(
            "{path} holds the tokens of another text or vocabulary: {differences}. Nothing was written over: "
            "move it away, or name another folder with --out.",
            path=path, differences=Listed(differ),
        )  # fmt: skip
    return tokens


def write(path: Path, owner: Owner, count: int, pieces: Iterable[NDArray[Any]], kind: type[np.generic]) -> None:
    """Write so many tokens, which come in pieces.

    Raises:
        PygptError: the file cannot be written, or fewer tokens or more came than were announced.
    """
    size, type_ = count * np.dtype(kind).itemsize, _KINDS[np.dtype(kind).name]
    tensor = {"dtype": type_, "shape": [count], "data_offsets": [0, size]}
    header = json.dumps({"__metadata__": {_NOTE: json.dumps({"format": _FORMAT, **owner})}, _NAME: tensor}).encode()
    header += b" " * (-len(header) % 8)
    with replacing(path) as file:
        file.write(len(header).to_bytes(8, "little") + header)
        written = 0
        for piece in pieces:
            file.write(np.ascontiguousarray(piece, np.dtype(kind).newbyteorder("<")).data)
            written += len(piece)
        if written != count:
            raise PygptError(
                "the text of {path} changed while it was read: {written:,} characters, not {count:,}. Begin anew.",
                path=path, written=written, count=count,
            )  # fmt: skip
