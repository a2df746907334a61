"""Damaged copies of a valid file, for the tests of everything that reads one.

Such a test demands a result or a PygptError, and nothing else:

    @given(content=damaged(VALID))
    def test_any_damage(content: bytes) -> None:
        path.write_bytes(content)
        with contextlib.suppress(PygptError):
            read(path)
"""

import re
from collections.abc import Callable

from hypothesis import strategies as st

_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_WORD = re.compile(rb"[A-Za-z_]{2,}")
# What stands where a number should: no number at all, one of another kind, one beyond every limit.
_NO_NUMBERS = (
    b"text", b"", b"null", b"true", b"[]", b"{}", b'"1"', b"NaN", b"Infinity", b"1e999", b"-1", b"0", b"-0.5", b"1.5",
    b"1000000000", b"9" * 30, b"9" * 400, b"9" * 5000, "½".encode(), "٣".encode(),
)  # fmt: skip
_FOREIGN = ("ção", "日本", "\u2028", "\ufeff", "\x00", "\x1b[2J", "\U0001f600")
_NO_TEXT = (b"\xff\xfe", b"\xc3", b"\xed\xa0\x80", b"\x80")


def damaged(content: bytes) -> st.SearchStrategy[bytes]:
    """`content` after one to three damages.

    A damage cuts, flips, inserts or removes bytes; drops or doubles a line; puts another word or no number in place of
    one; or inserts characters beyond ASCII and bytes that are no text.
    """
    return _damaged(content)


@st.composite
def _damaged(draw: st.DrawFn, content: bytes) -> bytes:
    for _ in range(draw(st.integers(1, 3))):
        content = draw(st.sampled_from(_DAMAGES))(draw, content)
    return content


def _cut(draw: st.DrawFn, content: bytes) -> bytes:
    return content[: draw(st.integers(0, len(content)))]


def _flip(draw: st.DrawFn, content: bytes) -> bytes:
    if not content:
        return b"\0"
    at = draw(st.integers(0, len(content) - 1))
    return content[:at] + bytes([content[at] ^ draw(st.integers(1, 255))]) + content[at + 1 :]


def _insert(draw: st.DrawFn, content: bytes) -> bytes:
    at = draw(st.integers(0, len(content)))
    return content[:at] + draw(st.binary(min_size=1, max_size=8)) + content[at:]


def _remove(draw: st.DrawFn, content: bytes) -> bytes:
    at = draw(st.integers(0, len(content)))
    return content[:at] + content[at + draw(st.integers(1, 16)) :]


def _line(draw: st.DrawFn, content: bytes) -> bytes:
    lines = content.splitlines(keepends=True) or [b"\n"]
    at = draw(st.integers(0, len(lines) - 1))
    return b"".join(lines[:at] + lines[at : at + 1] * draw(st.sampled_from([0, 2])) + lines[at + 1 :])


def _number(draw: st.DrawFn, content: bytes) -> bytes:
    return _replace(draw, content, _NUMBER, draw(st.sampled_from(_NO_NUMBERS)))


def _word(draw: st.DrawFn, content: bytes) -> bytes:
    return _replace(draw, content, _WORD, draw(st.sampled_from([b"x", b"", b"null"])))


def _characters(draw: st.DrawFn, content: bytes) -> bytes:
    at = draw(st.integers(0, len(content)))
    words = [*(text.encode() for text in _FOREIGN), *_NO_TEXT]
    return content[:at] + draw(st.sampled_from(words)) + content[at:]


def _replace(draw: st.DrawFn, content: bytes, pattern: re.Pattern[bytes], by: bytes) -> bytes:
    places = [match.span() for match in pattern.finditer(content)]
    start, end = draw(st.sampled_from(places)) if places else (len(content), len(content))
    return content[:start] + by + content[end:]


_DAMAGES: tuple[Callable[[st.DrawFn, bytes], bytes], ...] = (
    _cut, _flip, _insert, _remove, _line, _number, _number, _word, _characters,
)  # fmt: skip
