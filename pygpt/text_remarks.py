"""What a text holds that its owner may not know: R takes it as it is, and so does pygpt, but it is told."""

import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Literal

_BOM = "\ufeff"
# U+200C and U+200D join letters and emoji.
_MEANT = {"\n", "\t", "\r", "\u200c", "\u200d"}
_LISTED = 5
_ENOUGH = 1 << 20

Form = Literal["NFC", "NFD"]


def remarks(text: str) -> list[str]:
    """Sentences about a corpus, each about something that is in it; nothing is changed."""
    return said(text, set(text), lambda: Counter(text), lambda form: unicodedata.is_normalized(form, text))


def said(
    beginning: str, characters: set[str], times: Callable[[], Mapping[str, int]], is_normalized: Callable[[Form], bool]
) -> list[str]:
    """The same of a text of which this is known.

    Args:
        beginning: its first 1,048,576 characters or more; all of it, where it is shorter.
        characters: those that it has.
        times: how often it has each.
        is_normalized: whether it is in the Unicode form NFC, NFD.
    """
    sentences = []
    if beginning.startswith(_BOM):
        sentences.append("it begins with a byte-order mark (U+FEFF): one more character, as in R")
    if "\r" in characters:
        sentences.append(r"its line ends hold \r: one more character, as in R")
    odd = [c for c in characters if c not in _MEANT and _is_odd(c)]
    if _BOM in odd and beginning.startswith(_BOM) and times()[_BOM] == 1:
        odd.remove(_BOM)
    if odd:
        sentences.append(_odd(odd, times()))
    if not is_normalized("NFC"):
        sentences.append(
            "letters and their accents are characters of their own (NFD)"
            + ("" if is_normalized("NFD") else " in some places, one character (NFC) in others")
        )
    if _converted_twice(beginning):
        sentences.append("it seems to have been converted to UTF-8 twice (Ã© for é)")
    return sentences


def _is_odd(c: str) -> bool:
    """Control, format, private and unassigned characters, and the mark of what could not be read."""
    return unicodedata.category(c) in ("Cc", "Cf", "Co", "Cn") or c == "\ufffd"


def _odd(odd: list[str], times: Mapping[str, int]) -> str:
    odd.sort(key=lambda c: -times[c])
    listed = ", ".join(f"U+{ord(c):04X} ({times[c]:,} times)" for c in odd[:_LISTED])
    more = f" and {len(odd) - _LISTED} others" if len(odd) > _LISTED else ""
    # Windows-1252 has quotes and dashes where latin1 has these.
    why = ": windows-1252 that was converted as if it were latin1?" if any("\x80" <= c <= "\x9f" for c in odd) else ""
    return f"it holds characters that nobody sees: {listed}{more}{why}"


def _converted_twice(text: str) -> bool:
    lines = [line for line in text[:_ENOUGH].splitlines() if not line.isascii()]
    return bool(lines) and sum(map(_is_utf8_again, lines)) > len(lines) / 2


def _is_utf8_again(line: str) -> bool:
    for codec in ("cp1252", "latin-1"):
        try:
            line.removeprefix(_BOM).encode(codec).decode("utf-8")
        except UnicodeError:
            continue
        return True
    return False
