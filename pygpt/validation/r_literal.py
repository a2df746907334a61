"""What R's `dput` writes of lists, vectors and data frames, as dictionaries, lists and texts; nothing is run."""

import re
from collections.abc import Iterator
from itertools import chain
from typing import Any

_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+\.?\d*(?:[eE][+-]?\d+)?)L?|\"(?P<text>(?:[^\"\\]|\\.)*)\"|`(?P<quoted>[^`]*)`"
    r"|(?P<name>[A-Za-z.][\w.]*)|(?P<sign>[(),=:-]))"
)
_DEEPEST = 50


class NotALiteralError(ValueError):
    """The text is not what dput writes of such objects."""


def parse(text: str) -> Any:
    """The object: named lists as dictionaries, other vectors as lists, numbers and strings as texts.

    Raises:
        NotALiteralError: see above.
    """
    reader = _Reader(text)
    value = reader.value()
    if reader.next[1]:
        raise NotALiteralError
    return value


class _Reader:
    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._depth = 0
        self.advance()

    def advance(self) -> tuple[str, str]:
        taken = getattr(self, "next", ("", ""))
        self.next: tuple[str, str] = next(self._tokens, ("", ""))
        return taken

    def take(self, sign: str) -> bool:
        if self.next == ("sign", sign):
            self.advance()
            return True
        return False

    def value(self) -> Any:
        minus = "-" if self.take("-") else ""
        kind, word = self.advance()
        if kind == "number" and self.take(":"):
            return [str(n) for n in _from_to(minus + word, self.value())]
        if kind == "number":
            return minus + word
        if kind == "name" and self.take("("):
            return self._call(word)
        if kind not in ("text", "name"):
            raise NotALiteralError
        return word

    def _call(self, function: str) -> Any:
        self._depth += 1
        arguments: list[tuple[str, Any]] = []
        while not self.take(")"):
            if self._depth > _DEEPEST or not self.next[1]:
                raise NotALiteralError
            value, name = self.value(), ""
            if self.take("="):
                value, name = self.value(), str(value)
            arguments.append((name, value))
            self.take(",")
        self._depth -= 1
        return _built(function, arguments)


def _built(function: str, arguments: list[tuple[str, Any]]) -> Any:
    values, named = [value for _, value in arguments], dict(arguments)
    if function == "structure" and values:
        names = named.get("names", named.get(".Names"))
        if isinstance(values[0], list) and isinstance(names, list):
            return dict(zip(names, values[0], strict=False))
        if "levels" in named and isinstance(values[0], list):
            levels = named["levels"] if isinstance(named["levels"], list) else [named["levels"]]
            return [levels[int(code) - 1] for code in values[0]]
        return values[0]
    if function in ("list", "data.frame"):
        return named if arguments and all(name for name, _ in arguments) else values
    if function == "c":
        return list(chain.from_iterable(v if isinstance(v, list) else [v] for v in values))
    raise NotALiteralError


def _from_to(first: str, last: Any) -> range:
    try:
        return range(int(first), min(int(last), int(first) + 10_000) + 1)
    except (TypeError, ValueError) as error:
        raise NotALiteralError from error


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    text, at = text.strip(), 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise NotALiteralError
        kind = str(match.lastgroup)
        yield {"quoted": "name"}.get(kind, kind), match[kind]
        at = match.end()
