"""One tensor as libtorch's `torch::save` writes it: a zip archive, inside of R torch's formats 1 and 2.

The archive says the tensor's type and shape in a pickle. It is taken apart as a list of instructions (`pickletools`)
on plain tuples: nothing is imported, nothing is called. What one tensor does not need is refused.
"""

import io
import math
import pickletools
import zipfile
from typing import Any

import torch
from torch import Tensor

from pygpt.r_files.streams import damaged

_TYPES = {
    "FloatStorage": torch.float32, "DoubleStorage": torch.float64, "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16, "LongStorage": torch.int64, "IntStorage": torch.int32,
    "ShortStorage": torch.int16, "CharStorage": torch.int8, "ByteStorage": torch.uint8, "BoolStorage": torch.bool,
}  # fmt: skip
_MOST_BYTES = 1 << 16
"""Of the archive's pickle; of one tensor it has some 200."""
_MARK = object()


def tensor_of(archive: bytes) -> Tensor:
    """The archive's tensor.

    Raises:
        UnreadableError: it is damaged, or holds anything but one tensor on the CPU's side.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as file:
            folder = next(n.removesuffix("data.pkl") for n in file.namelist() if n.endswith("data.pkl"))
            kind, key, offset, sizes, strides = _described(_member(file, f"{folder}data.pkl", _MOST_BYTES))
            content = _member(file, f"{folder}data/{key}", len(archive))
    except (
        zipfile.BadZipFile,
        KeyError,
        ValueError,
        StopIteration,
        OSError,
        NotImplementedError,
        EOFError,
        IndexError,
    ) as error:
        raise damaged() from error
    dtype = _TYPES.get(kind)
    # Every stored number at most once: a shape asks for no more memory than there is in the archive.
    if dtype is None or math.prod(sizes) * dtype.itemsize > len(content) or len(sizes) != len(strides):
        raise damaged()
    if not math.prod(sizes):
        return torch.empty(sizes, dtype=dtype)
    try:
        flat = torch.frombuffer(bytearray(content), dtype=dtype)
        return flat.as_strided(sizes, strides, offset).contiguous().clone()
    except (RuntimeError, ValueError, OverflowError, TypeError) as error:
        raise damaged() from error


def _member(file: zipfile.ZipFile, name: str, most: int) -> bytes:
    info = file.getinfo(name)
    if info.compress_type != zipfile.ZIP_STORED or info.file_size > most or info.flag_bits & 1:
        raise ValueError(name)
    return file.read(info)


def _described(pickle: bytes) -> tuple[str, str, int, list[int], list[int]]:
    """Storage's type and name, first element, sizes, strides."""
    for call in _calls(pickle):
        match call:
            case (
                "torch._utils _rebuild_tensor_v2",
                ((("storage", str(kind), str(key), str(), int())), int(offset), tuple(sizes), tuple(strides), *_),
            ):
                if all(type(n) is int and 0 <= n < 2**40 for n in (offset, *sizes, *strides)):
                    return kind.removeprefix("torch "), key, offset, list(sizes), list(strides)
    raise ValueError("no tensor")


def _calls(pickle: bytes) -> list[tuple[str, Any]]:
    """What the pickle would call, and with what."""
    stack: list[Any] = []
    memo: dict[Any, Any] = {}
    calls: list[tuple[str, Any]] = []

    def popped(n: int) -> list[Any]:
        if n > len(stack):
            raise ValueError("empty")
        taken = stack[len(stack) - n :]
        del stack[len(stack) - n :]
        return taken

    def to_mark() -> list[Any]:
        at = len(stack) - 1 - stack[::-1].index(_MARK)
        return popped(len(stack) - at)[1:]

    for opcode, argument, _ in pickletools.genops(pickle):
        match opcode.name:
            case "PROTO" | "STOP" | "BUILD" | "SETITEM" | "SETITEMS" | "NEWOBJ":
                pass  # what holds the tensor does not matter
            case "MARK":
                stack.append(_MARK)
            case "EMPTY_TUPLE" | "EMPTY_DICT":
                stack.append(())
            case "TUPLE":
                stack.append(tuple(to_mark()))
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                stack.append(tuple(popped(int(opcode.name[-1]))))
            case "BINPUT" | "LONG_BINPUT":
                memo[argument] = stack[-1]
            case "BINGET" | "LONG_BINGET":
                stack.append(memo[argument])
            case "GLOBAL" | "BINUNICODE" | "BININT" | "BININT1" | "BININT2" | "LONG1":
                stack.append(argument)
            case "NEWTRUE" | "NEWFALSE":
                stack.append(opcode.name == "NEWTRUE")
            case "BINPERSID":
                pass  # the tuple that names a storage stands for it
            case "REDUCE":
                called, given = popped(2)
                calls.append((str(called), given))
                stack.append(())
            case _:
                raise ValueError(opcode.name)
    return calls
