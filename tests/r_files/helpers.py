"""The files that R wrote, and bytes as R would write them."""

import lzma
import struct
from collections.abc import Sized
from dataclasses import dataclass
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
FILES, OBJECTS = HERE / "files", HERE / "objects"
TEXT = HERE / "text.txt"
# Each holds the same weights, written in another way.
WEIGHTS = (
    "module.pt", "state_dict.pt", "list.pt", "checkpoint-2.pt", "module_v2.pt", "state_dict_v2.pt", "state_dict_v1.pt",
    "luz_save.rds", "safe_save_file.safetensors", "exercise.safetensors", "arrays.rds", "everything.RData",
    "float64.pt", "each_serialized.rds",
)  # fmt: skip
# Of these, the ones that say how many heads there are.
WITH_HEADS = ("module.pt", "module_v2.pt", "luz_save.rds", "exercise.safetensors")
XDR = b"X\n" + struct.pack(">iii", 2, 0x40202, 0x20300)


def file(name: str, folder: Path) -> Path:
    """A file of `files/`; what is kept smaller is unpacked into `folder`."""
    path = FILES / name
    if path.exists():
        return path
    unpacked = folder / name
    unpacked.write_bytes(lzma.decompress((FILES / f"{name}.xz").read_bytes()))
    return unpacked


def xdr(*numbers: int) -> bytes:
    """A serialisation that begins with these 32-bit integers."""
    return XDR + b"".join(struct.pack(">I", n & 0xFFFFFFFF) for n in numbers)


@dataclass
class Classed:
    """A text with a class, as torch_save writes an address."""

    text: str
    kind: str


def rds(value: object) -> bytes:
    """What R's `serialize` writes of named lists (dict), lists, numbers, texts and arrays."""
    return XDR + _item(value)


def _item(value: object) -> bytes:
    match value:
        case dict():
            names = _pairlist("names", _strings(list(value)))
            return _head(19, True) + _length(value) + b"".join(map(_item, value.values())) + names
        case list():
            return _head(19) + _length(value) + b"".join(map(_item, value))
        case Classed(text, kind):
            return _head(16, True) + struct.pack(">i", 1) + _characters(text) + _pairlist("class", _strings([kind]))
        case str():
            return _strings([value])
        case float() | int():
            return _head(14) + struct.pack(">id", 1, value)
        case np.ndarray():
            dim = _pairlist("dim", _head(13) + struct.pack(f">{value.ndim + 1}i", value.ndim, *value.shape))
            numbers = value.astype(">f8").tobytes(order="F")
            return (
                _head(14, value.ndim > 1) + struct.pack(">i", value.size) + numbers + (dim if value.ndim > 1 else b"")
            )
    raise TypeError(type(value))


def _head(kind: int, attributes: bool = False) -> bytes:
    return struct.pack(">i", kind | (0x200 if attributes else 0))


def _length(value: Sized) -> bytes:
    return struct.pack(">i", len(value))


def _characters(text: str) -> bytes:
    return struct.pack(">ii", 0x00040009, len(text)) + text.encode("ascii")


def _strings(texts: list[str]) -> bytes:
    return _head(16) + _length(texts) + b"".join(map(_characters, texts))


def _pairlist(tag: str, value: bytes) -> bytes:
    return struct.pack(">ii", 0x402, 1) + _characters(tag) + value + struct.pack(">i", 254)
