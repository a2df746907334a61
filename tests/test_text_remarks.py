"""What a text holds that its owner may not know."""

import unicodedata

import pytest

from pygpt.corpus import read_corpus
from pygpt.text_remarks import remarks

TEXT = "— Não vás, José! — gritou a irmã.\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("\ufeff" + TEXT, "byte-order mark"),
        (TEXT.replace("\n", "\r\n"), r"line ends hold \r"),
        (TEXT + "\x1a", "U+001A (1 times)"),
        (TEXT + "\ufffd", "U+FFFD"),
        (TEXT.encode("cp1252").decode("latin-1"), "windows-1252 that was converted as if it were latin1"),
        (unicodedata.normalize("NFD", TEXT), "characters of their own (NFD)"),
        (TEXT + unicodedata.normalize("NFD", TEXT), "in some places, one character (NFC) in others"),
        (TEXT.encode().decode("cp1252"), "converted to UTF-8 twice"),
        ("ÀÁ é\n".encode().decode("latin-1"), "converted to UTF-8 twice"),
    ],
)
def test_what_is_odd_is_said(text: str, words: str) -> None:
    said = remarks(text)
    assert any(words in sentence for sentence in said), said


@pytest.mark.parametrize("text", [TEXT, "plain\ttext\n", "👩\u200d🚀\n", "我思故我在\n", "Ã é a letra A com til\n", ""])
def test_nothing_is_said_of_a_plain_text(text: str) -> None:
    assert remarks(text) == []


def test_our_own_text_is_plain() -> None:
    assert remarks(read_corpus("sample").text) == []
