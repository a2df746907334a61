"""Opening a file and finding out what it is: safetensors, R's objects (compressed or not), or something else.

What is not for us is called by its name, with what to do about it. Nothing is unpickled.
"""

import bz2
import gzip
import json
import lzma
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import safetensors
from safetensors.torch import load
from torch import Tensor

from pygpt.errors import PygptError
from pygpt.output.messages import say
from pygpt.r_files.others import refuse_others
from pygpt.r_files.serialization import unserialize
from pygpt.r_files.streams import damaged
from pygpt.r_files.values import NeedsRError, RValue, UnreadableError
from pygpt.weights import read_tensors

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_WORKSPACES = (b"RDX2\n", b"RDX3\n", b"RDA2\n", b"RDA3\n", b"RDB2\n", b"RDB3\n")
# A line, then the format's version: a text may begin with the line alone.
_OBJECTS = tuple(line + version for line, versions in {
    b"X\n": (b"\0\0\0\2", b"\0\0\0\3"), b"B\n": (b"\2\0\0\0", b"\3\0\0\0"), b"A\n": (b"2\n", b"3\n"),
}.items() for version in versions)  # fmt: skip
_COMPRESSED: dict[bytes, Callable[[IO[bytes]], Any]] = {
    b"\x1f\x8b": lambda file: gzip.GzipFile(fileobj=file),
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\x00": lzma.LZMAFile,
    b"\x28\xb5\x2f\xfd": zstd.ZstdFile,  # R 4.5 and newer
}
_MOST_BYTES = 1 << 29
"""Of an R object, uncompressed: a small file may hold a large one."""
_AT_ONCE = 1 << 20


@dataclass(frozen=True)
class Opened:
    """What a file holds: R's objects (of an RDS the only one, under ""), or a safetensors file's tensors."""

    objects: dict[str, RValue | None] = field(default_factory=dict)
    tensors: dict[str, Tensor] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)


def is_r(path: Path) -> bool:
    """Whether a file holds R's objects or is safetensors; False, too, for what cannot be read."""
    try:
        with path.open("rb") as file:
            start = file.read(16)
            file.seek(0)
            with _uncompressed(file, start) as plain:
                start = plain.read(16)
    except (*_DECOMPRESSION, OSError):
        return False
    return start.startswith((*_OBJECTS, *_WORKSPACES)) or _is_safetensors(start)


def opened(path: Path) -> Opened:
    """Open a file.

    Raises:
        PygptError: it cannot be read, is damaged, or is of no kind that is read here; the message says what to do.
    """
    try:
        with path.open("rb") as file:
            start = file.read(16)
            file.seek(0)
            if not _is_safetensors(start) and not start.startswith((*_COMPRESSED, *_OBJECTS, *_WORKSPACES)):
                refuse_others(path, start)
            if not _is_safetensors(start):
                return Opened(_objects(_content(file, start)))
    except FileNotFoundError as error:
        raise PygptError("there is no file {path}", path=path) from error
    except OSError as error:
        raise PygptError("cannot read {path}: {why}", path=path, why=error.strerror or error) from error
    except NeedsRError as failed:
        raise PygptError(
            "{path} cannot be read without R: {why}. These two lines of R write it so that it can:\n{lines}",
            path=path, why=failed.message, lines=_lines_of_r(path),
        ) from failed  # fmt: skip
    except UnreadableError as failed:
        raise PygptError("{path} cannot be read: {why}", path=path, why=failed.message) from failed
    return Opened({}, *read_tensors(path))


def is_file(data: bytes) -> bool:
    """Whether bytes begin as safetensors or an RDS, as R leaves them in another file: not compressed."""
    return data.startswith(_OBJECTS) or _is_safetensors(data[:16])


def opened_bytes(data: bytes) -> Opened:
    """The same for a file that lies in another, where R never compresses it.

    Raises:
        UnreadableError: it is damaged, or neither safetensors nor R's.
    """
    if not _is_safetensors(data[:16]):
        return Opened(_objects(data))
    try:
        tensors = load(data)
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        return Opened({}, tensors, dict(header.get("__metadata__", {})))
    except (safetensors.SafetensorError, ValueError, RuntimeError, KeyError, TypeError, RecursionError) as error:
        raise damaged() from error


def _is_safetensors(start: bytes) -> bool:
    # The length of the header, below 2^32, and the header's first character.
    return len(start) > 8 and start[4:9] == b"\0\0\0\0{"


_DECOMPRESSION = (EOFError, zlib.error, lzma.LZMAError, zstd.ZstdError, ValueError)
"""What a decompressor raises at damaged data, beside OSError."""


def _uncompressed(file: IO[bytes], start: bytes) -> IO[bytes]:
    plain: IO[bytes] = next((read(file) for magic, read in _COMPRESSED.items() if start.startswith(magic)), file)
    return plain


def _content(file: IO[bytes], start: bytes) -> bytes:
    """All bytes, uncompressed."""
    plain, compressed = _uncompressed(file, start), start.startswith(tuple(_COMPRESSED))
    parts, size = list[bytes](), 0
    try:
        while part := plain.read(_AT_ONCE):
            if compressed and not parts and not part.startswith((*_OBJECTS, *_WORKSPACES)):
                raise UnreadableError(say("what is compressed in it is not an object of R's"))
            parts.append(part)
            size += len(part)
            if size > _MOST_BYTES:
                raise UnreadableError(say("it holds more than {n:,} bytes", n=_MOST_BYTES))
    except (*_DECOMPRESSION, OSError) as error:
        if not compressed:
            raise
        raise UnreadableError(say("what is compressed in it is damaged or cut off")) from error
    return b"".join(parts)


def _objects(data: bytes) -> dict[str, RValue | None]:
    if not data.startswith(_WORKSPACES):
        return {"": unserialize(data)}
    held = unserialize(data, 5)
    if held is None or held.kind != "pairlist":
        raise damaged()
    return dict(held.items())


def _lines_of_r(path: Path) -> str:
    name, new = json.dumps(str(path), ensure_ascii=False), json.dumps(f"{path.stem}_plain.rds", ensure_ascii=False)
    workspace = path.suffix.lower() in (".rdata", ".rda")
    read = f"load({name}, x <- new.env()); x <- as.list(x)" if workspace else f"x <- readRDS({name})"
    return f"  {read}\n  saveRDS(x, {new}, version = 2)"
