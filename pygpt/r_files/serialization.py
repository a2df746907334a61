"""R's serialised objects (`saveRDS`, `save`, `serialize`) as plain data.

Written after "Serialization Formats" of R Internals and R's own `src/main/serialize.c`. The package rdata reads the
same format, but neither raw vectors nor byte code, of which the files of R's torch and luz are made; and it believes
every length and recurses as deep as a file asks. Here nothing recurses, a length is held against what is there, the
number of objects is bounded. Functions, promises and byte code are read as data and never run.
"""

from collections.abc import Callable, Generator
from types import GeneratorType
from typing import Any

import numpy as np

from pygpt.output.messages import say
from pygpt.r_files.compact import Budget, expanded
from pygpt.r_files.streams import AsciiStream, Stream, damaged
from pygpt.r_files.values import RValue, UnreadableError

MAGICS = (b"X\n", b"A\n", b"B\n")

_MOST_OBJECTS = 4_000_000
"""About a gigabyte of Python objects. A module of R's torch, with all its functions, has about 700,000."""
_DEEPEST = 20_000
"""Objects that lie in each other, pairlists' own chains aside."""

# R's types and pseudo types, by their numbers in the format.
_SYMBOL, _PAIRLIST, _CLOSURE, _ENVIRONMENT, _PROMISE, _LANGUAGE = 1, 2, 3, 4, 5, 6
_SPECIAL, _BUILTIN, _CHARACTERS, _LOGICAL, _INTEGER, _DOUBLE, _COMPLEX, _STRINGS = 7, 8, 9, 10, 13, 14, 15, 16
_DOTS, _LIST, _EXPRESSION, _BYTECODE, _POINTER, _WEAK, _RAW, _S4 = 17, 19, 20, 21, 22, 23, 24, 25
_ALTREP, _ATTR_PAIRLIST, _ATTR_LANGUAGE, _BC_REFERENCE, _BC_DEFINITION = 238, 239, 240, 243, 244
_PERSISTENT, _PACKAGE, _NAMESPACE, _NULL, _REFERENCE = 247, 248, 249, 254, 255
# Environments that every R has, and two marks: they stand for themselves.
_ALWAYS_THERE = {241: "environment", 242: "environment", 250: "environment", 253: "environment", 251: "missing",
                 252: "unbound"}  # fmt: skip
_DOTTED = {_PAIRLIST: "pairlist", _LANGUAGE: "language", _DOTS: "...", _CLOSURE: "closure", _PROMISE: "promise"}
_IN_BYTECODE = (_PAIRLIST, _LANGUAGE, _ATTR_PAIRLIST, _ATTR_LANGUAGE, _BC_DEFINITION)
_HAS_ATTRIBUTES, _HAS_TAG = 0x200, 0x400
_LATIN_1, _UTF_8, _ASCII = 1 << 2, 1 << 3, 1 << 6

Steps = Generator[Any, Any, Any]
"""Reads one object. Each object that it needs it asks for by yielding what `_Reader._next` gives, and is sent it."""


def unserialize(data: bytes, start: int = 0) -> RValue | None:
    """The object whose serialisation begins at `start`, with its line `X`, `A` or `B`.

    Raises:
        UnreadableError: it is damaged, too large, or of a kind that is not known.
    """
    return _Reader(data, start).whole()


class _Reader:
    def __init__(self, data: bytes, start: int) -> None:
        magic = data[start : start + 2]
        if magic not in MAGICS:
            raise damaged()
        order = ">" if magic == b"X\n" else "<"
        self.stream = AsciiStream(data, start + 2) if magic == b"A\n" else Stream(data, start + 2, order)
        self.referred: list[RValue | None] = []
        self.budget, self.objects = Budget(), 0
        self.native = "utf-8"

    def whole(self) -> RValue | None:
        version, *_writer = (self.stream.integer() for _ in range(3))
        if version not in (2, 3):
            raise UnreadableError(say("its serialisation has version {n}; 2 and 3 are known", n=version))
        if version == 3:
            locale = self.stream.string(self.stream.integer()).lower()
            self.native = "latin-1" if b"8859" in locale or b"1252" in locale else "utf-8"
        open_: list[Steps] = []
        value: Any = self._next()
        while True:
            if isinstance(value, GeneratorType):
                open_.append(value)
                value = None
                if len(open_) > _DEEPEST:
                    raise UnreadableError(say("its objects lie in each other more than {n:,} deep", n=_DEEPEST))
            elif not open_:
                return value  # type: ignore[no-any-return]
            try:
                value = open_[-1].send(value)
            except StopIteration as done:
                open_.pop()
                value = done.value

    def _next(self, flags: int | None = None) -> "RValue | Steps | None":
        """The next object, or the steps that read it."""
        self._count(1)
        flags = self.stream.integer() if flags is None else flags
        kind = flags & 0xFF
        if kind == _NULL:
            return None
        if kind in _ALWAYS_THERE:
            return RValue(_ALWAYS_THERE[kind], {})
        if kind == _REFERENCE:
            return self._referred(flags >> 8 or self.stream.integer())
        if kind in _DOTTED:
            return self._dotted(flags)
        if kind in _STEPS:
            return _STEPS[kind](self, flags)
        value = self._plain(kind, flags)
        return self._with_attributes(value) if flags & _HAS_ATTRIBUTES else value

    def _plain(self, kind: int, flags: int) -> RValue:
        """What holds no other object."""
        stream = self.stream
        if kind in (_LOGICAL, _INTEGER):
            return RValue("logical" if kind == _LOGICAL else "integer", stream.integers(self._length()))
        if kind == _DOUBLE:
            return RValue("double", stream.doubles(self._length()))
        if kind == _COMPLEX:
            return RValue("complex", stream.doubles(2 * self._length()).view(np.complex128))
        if kind == _RAW:
            return RValue("raw", stream.raw(self._length()))
        if kind == _STRINGS:
            n = self._length()
            return RValue("character", [self._text() for _ in range(n)])
        if kind == _CHARACTERS:
            return RValue("character", [self._characters(flags)])
        if kind in (_SPECIAL, _BUILTIN):
            stream.string(stream.integer())
            return RValue("builtin", [])
        if kind == _S4:
            return RValue("S4", [])
        raise UnreadableError(say("it holds an object of a type that is not known: {n}", n=kind))

    def _with_attributes(self, value: RValue) -> Steps:
        value.attributes = _by_name((yield self._next()))
        return value

    def _count(self, objects: int) -> None:
        self.objects += objects
        if self.objects > _MOST_OBJECTS:
            raise UnreadableError(say("it holds more than {n:,} objects", n=_MOST_OBJECTS))

    def _length(self) -> int:
        n = self.stream.integer()
        if n == -1:  # a long vector: two halves
            n = (self.stream.integer() << 32) + (self.stream.integer() & 0xFFFFFFFF)
        if n < 0:
            raise damaged()
        return n

    def _referred(self, number: int) -> RValue | None:
        if not 1 <= number <= len(self.referred):
            raise damaged()
        return self.referred[number - 1]

    def _text(self) -> str | None:
        self._count(1)
        flags = self.stream.integer()
        if flags & 0xFF != _CHARACTERS:
            raise damaged()
        return self._characters(flags)

    def _characters(self, flags: int) -> str | None:
        n, levels = self.stream.integer(), flags >> 12
        if n == -1:
            return None
        content = self.stream.string(n)
        encoding = "latin-1" if levels & _LATIN_1 else "utf-8" if levels & (_UTF_8 | _ASCII) else self.native
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            return content.decode("latin-1")

    def _list(self, flags: int) -> Steps:
        value = RValue("list", [])
        for _ in range(self._length()):
            value.data.append((yield self._next()))
        if flags & _HAS_ATTRIBUTES:
            value.attributes = _by_name((yield self._next()))
        return value

    def _dotted(self, flags: int) -> Steps:
        """A pairlist, and what R builds of the same cells: calls, closures, promises."""
        value = RValue(_DOTTED[flags & 0xFF], [])
        tags: list[str] = []
        while flags & 0xFF in _DOTTED:
            attributes = _by_name((yield self._next())) if flags & _HAS_ATTRIBUTES else {}
            tag = (yield self._next()) if flags & _HAS_TAG else None
            if not tags:
                value.attributes = attributes
            if value.kind in ("closure", "promise"):
                # formals, body and environment; a value, its expression and environment
                value.data = [(yield self._next()), (yield self._next()), tag]
                return value
            tags.append(tag.data if tag is not None and tag.kind == "symbol" else "")
            value.data.append((yield self._next()))
            flags = self.stream.integer()
            self._count(1)
        last = yield self._next(flags)
        value.data += [] if last is None else [last]
        if any(tags):
            value.attributes["names"] = RValue("character", tags)
        return value

    def _symbol(self, _flags: int) -> Steps:
        value = RValue("symbol", self._text() or "")
        self.referred.append(value)
        return value
        yield

    def _environment(self, _flags: int) -> Steps:
        self.stream.integer()  # whether it is locked
        value = RValue("environment", {})
        self.referred.append(value)
        yield self._next()  # what encloses it
        frame, table = (yield self._next()), (yield self._next())
        chains = table.data if table is not None and table.kind == "list" else []
        for chain in (frame, *chains):
            value.data.update({name: _kept(held) for name, held in _by_name(chain).items()})
        value.attributes = _by_name((yield self._next()))
        return value

    def _elsewhere(self, _flags: int) -> Steps:
        """A package, a namespace, or what a hook of R's would find again: its names alone are here."""
        self.stream.integer()
        for _ in range(self._length()):
            self._text()
        value = RValue("environment", {})
        self.referred.append(value)
        return value
        yield

    def _pointer(self, flags: int) -> Steps:
        """An address in another process: nothing of what it pointed to is in the file."""
        value = RValue("externalptr", [])
        self.referred.append(value)
        if flags & 0xFF == _POINTER:
            value.data = [(yield self._next()), (yield self._next())]
        if flags & _HAS_ATTRIBUTES:
            value.attributes = _by_name((yield self._next()))
        return value

    def _alternative(self, _flags: int) -> Steps:
        """ALTREP: what R writes shorter than it is, such as 1:1000."""
        info, state, attributes = (yield self._next()), (yield self._next()), (yield self._next())
        value = expanded(info, state, self.budget)
        return RValue(value.kind, value.data, _by_name(attributes))

    def _bytecode(self, flags: int) -> Steps:
        self.stream.integer()  # how many calls stand in it more than once
        yield self._code()
        if flags & _HAS_ATTRIBUTES:
            yield self._next()
        return RValue("bytecode", [])

    def _code(self) -> Steps:
        """Read past compiled code: its instructions, and its constants, which may refer to what comes elsewhere."""
        yield self._next()
        for _ in range(self._length()):
            kind = self.stream.integer()
            if kind == _BYTECODE:
                yield self._code()
            elif kind in (*_IN_BYTECODE, _BC_REFERENCE):
                yield self._call(kind)
            else:
                yield self._next()

    def _call(self, kind: int) -> Steps:
        while kind in _IN_BYTECODE:
            self._count(1)
            if kind == _BC_DEFINITION:
                self.stream.integer()
                kind = self.stream.integer()
            if kind in (_ATTR_PAIRLIST, _ATTR_LANGUAGE):
                yield self._next()
            yield self._next()  # the tag
            yield self._call(self.stream.integer())
            kind = self.stream.integer()
        if kind == _BC_REFERENCE:
            self.stream.integer()
        else:
            yield self._next()


_STEPS: dict[int, Callable[[_Reader, int], Steps]] = {
    _LIST: _Reader._list, _EXPRESSION: _Reader._list, _SYMBOL: _Reader._symbol, _ENVIRONMENT: _Reader._environment,
    _PERSISTENT: _Reader._elsewhere, _PACKAGE: _Reader._elsewhere, _NAMESPACE: _Reader._elsewhere,
    _POINTER: _Reader._pointer, _WEAK: _Reader._pointer, _ALTREP: _Reader._alternative, _BYTECODE: _Reader._bytecode,
}  # fmt: skip


def _by_name(pairlist: RValue | None) -> dict[str, RValue | None]:
    """Tags and values of a pairlist, such as attributes come in."""
    return dict(pairlist.items()) if pairlist is not None and pairlist.kind == "pairlist" else {}


def _kept(value: RValue | None) -> RValue | None:
    """The value of a promise that has one: R keeps arguments so."""
    return value.data[0] if value is not None and value.kind == "promise" else value
