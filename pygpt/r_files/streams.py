"""The numbers and bytes of R's serialisation, in its three writings: XDR, this machine's order, and ASCII.

No length is believed: what it asks for must be there before room is made for it.
"""

import re
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pygpt.output.messages import say
from pygpt.r_files.values import NA_INTEGER, UnreadableError


class Stream:
    """Binary: XDR is big-endian (`X`); R's `serialize(xdr = FALSE)` leaves the machine's order, little-endian (`B`)."""

    def __init__(self, data: bytes, start: int, order: str) -> None:
        self.data, self.at, self.order = memoryview(data), start, order
        self._int = struct.Struct(order + "i")

    def integer(self) -> int:
        if self.at + 4 > len(self.data):
            raise ends_early()
        (value,) = self._int.unpack_from(self.data, self.at)
        self.at += 4
        return int(value)

    def integers(self, n: int) -> NDArray[np.int32]:
        return self._array(n, "i4", np.int32)

    def doubles(self, n: int) -> NDArray[np.float64]:
        return self._array(n, "f8", np.float64)

    def raw(self, n: int) -> bytes:
        return bytes(self._take(n))

    def string(self, n: int) -> bytes:
        return bytes(self._take(n))

    def _array(self, n: int, kind: str, native: Any) -> NDArray[Any]:
        return np.frombuffer(self._take(n * int(kind[1])), self.order + kind).astype(native)

    def _take(self, size: int) -> memoryview:
        if not 0 <= size <= len(self.data) - self.at:
            raise ends_early()
        self.at += size
        return self.data[self.at - size : self.at]


class AsciiStream:
    """`saveRDS(ascii = TRUE)`: words between white space; texts with C's escapes."""

    def __init__(self, data: bytes, start: int) -> None:
        self.data, self.at = data, start

    def integer(self) -> int:
        word = self._word()
        try:
            return NA_INTEGER if word == b"NA" else int(word)
        except ValueError as error:
            raise damaged() from error

    def integers(self, n: int) -> NDArray[np.int32]:
        words = [self.integer() for _ in range(self._allowed(n))]
        if any(not -(2**31) <= word < 2**31 for word in words):
            raise damaged()
        return np.array(words, np.int32)

    def doubles(self, n: int) -> NDArray[np.float64]:
        return np.array([_double(self._word()) for _ in range(self._allowed(n))], np.float64)

    def raw(self, n: int) -> bytes:
        try:
            return bytes(int(self._word(), 16) for _ in range(self._allowed(n)))
        except ValueError as error:
            raise damaged() from error

    def string(self, n: int) -> bytes:
        self._allowed(n)
        self._skip()
        out = bytearray()
        while len(out) < n:
            matched = _CHARACTER.match(self.data, self.at)
            if matched is None:
                raise ends_early()
            self.at = matched.end()
            out += _unescaped(matched[0])
        return bytes(out)

    def _allowed(self, n: int) -> int:
        if not 0 <= n <= len(self.data) - self.at:
            raise ends_early()
        return n

    def _skip(self) -> None:
        matched = _BLANK.match(self.data, self.at)
        assert matched is not None
        self.at = matched.end()

    def _word(self) -> bytes:
        self._skip()
        matched = _WORD.match(self.data, self.at)
        if matched is None:
            raise ends_early()
        self.at = matched.end()
        return matched[0]


_BLANK, _WORD = re.compile(rb"\s*"), re.compile(rb"\S{1,128}")
_CHARACTER = re.compile(rb"\\[0-7]{1,3}|\\.|[^\\]", re.DOTALL)
_ESCAPES = {b"n": b"\n", b"t": b"\t", b"v": b"\v", b"b": b"\b", b"r": b"\r", b"f": b"\f", b"a": b"\a"}


def _unescaped(character: bytes) -> bytes:
    if character[:1] != b"\\":
        return character
    if character[1:2].isdigit() and character[1:] <= b"777":
        return bytes([int(character[1:], 8) & 255])
    return _ESCAPES.get(character[1:], character[1:])


def _double(word: bytes) -> float:
    try:
        # `ascii = NA` writes hexadecimal numbers.
        return float("nan") if word == b"NA" else float.fromhex(word.decode()) if b"x" in word else float(word)
    except (ValueError, OverflowError) as error:
        raise damaged() from error


def ends_early() -> UnreadableError:
    """A length that goes beyond the end."""
    return UnreadableError(say("it ends early, or a length in it is wrong"))


def damaged() -> UnreadableError:
    """Anything else that R would not have written."""
    return UnreadableError(say("it is damaged"))
