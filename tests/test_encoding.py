"""Texts that are not UTF-8: each is called what it is, and what is advised gives the text back."""

import re
import shlex
import subprocess
import unicodedata
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pygpt.corpus import read_corpus
from pygpt.errors import PygptError
from pygpt.vocabulary import Vocabulary

PORTUGUESE = "Não há ação sem reação, disse o avô à mãe.\nÀs vezes você vê o pão e a água; avó também.\n" * 20
DASHES = "— Não vás, José! — gritou a irmã. “Já é tarde”…\n" * 20
RUSSIAN = "Все счастливые семьи похожи друг на друга, каждая несчастливая семья несчастлива по-своему.\n" * 9
GERMAN = "Größe, Füße, Straße: „Übermut tut selten gut“, sagte der Bär.\n" * 20
TURKISH = "Bütün mutlu aileler birbirine benzer; her mutsuz aile kendine göre mutsuzdur. Şişli, ığdır, çağ.\n" * 20
JAPANESE = "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。\n" * 20
TEXTS = [
    (PORTUGUESE, "latin-1"),
    (DASHES, "cp1252"),
    (DASHES, "mac_roman"),
    (PORTUGUESE, "cp850"),
    (DASHES, "utf-16"),
    (DASHES, "utf-16-le"),
    (DASHES, "utf-16-be"),
    ("plain English\n" * 40, "utf-16-le"),
    (DASHES, "utf-32"),
    (GERMAN, "cp1252"),
    (RUSSIAN, "cp1251"),
    (RUSSIAN, "koi8-r"),
    (TURKISH, "cp1254"),
    (JAPANESE, "shift_jis"),
]


def error_of(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    with pytest.raises(PygptError) as caught:
        read_corpus(str(path))
    return str(caught.value)


@pytest.mark.parametrize(("text", "codec"), TEXTS, ids=[f"{codec}-{text[:3]!r}" for text, codec in TEXTS])
def test_what_is_advised_gives_the_text_back(text: str, codec: str, tmp_path: Path) -> None:
    message = error_of(tmp_path / "my text.txt", text.encode(codec))
    command = message[message.index("iconv -f") :]
    name = shlex.split(command)[2]
    assert text.encode(codec).decode(name).removeprefix("\ufeff") == text
    assert " ".join(text.split())[:10] in message or "reads" in message
    if subprocess.run(["sh", "-c", "command -v iconv"], capture_output=True).returncode == 0:
        subprocess.run(["sh", "-c", command], check=True)
        assert read_corpus(str(tmp_path / "my text.utf8.txt")).text == text


def test_an_encoding_is_called_by_its_usual_name(tmp_path: Path) -> None:
    for text, codec, name in (
        (PORTUGUESE, "latin-1", "ISO-8859-1"),
        (DASHES, "cp1252", "WINDOWS-1252"),
        (DASHES, "mac_roman", "MACINTOSH"),
        (DASHES, "utf-16-be", "UTF-16BE"),
    ):
        assert f"seems to be {name}" in error_of(tmp_path / "t.txt", text.encode(codec))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\x1f\x8b\x08\x00abc", "gzip.*gunzip"),
        (b"PK\x03\x04abc", "zip file.*docx"),
        (b"%PDF-1.7\nabc", "PDF"),
        (b"{\\rtf1 abc}", "RTF"),
        ("é".encode() * 40 + b"\xed\xa0\xbd\xed\xb8\x80", "CESU-8"),
        # for a text that is UTF-8 but for a byte, no other encoding is right
        (DASHES.encode() + b"\nn\xe3o\n" + DASHES.encode(), "1 bytes are damaged.*in line 22"),
        # two files put together
        (PORTUGUESE.encode("latin-1") + DASHES.encode(), "damaged or of another encoding, the first in line 1"),
        (DASHES.encode()[:-2], "damaged.*in line 20"),
        (bytes(range(128, 256)) * 3, "in no encoding that is known|seems to be"),
    ],
)
def test_what_no_conversion_mends_is_not_told_to_be_converted(content: bytes, words: str, tmp_path: Path) -> None:
    message = error_of(tmp_path / "t.txt", content)
    assert re.search(words, message), message
    assert "seems to be" in words or "iconv" not in message


def test_nul_stops_where_r_would_cut(tmp_path: Path) -> None:
    # R 4.2.2: readChar of "abc\0def" is "abc", with "truncating string with embedded nuls"
    message = error_of(tmp_path / "t.txt", b"ab\nc\x00def")
    assert "holds 1 NUL bytes, the first in line 2" in message
    assert "would train on 4 of 8 characters" in message
    assert "tr -d '\\000'" in message


def test_utf_16_that_was_converted_as_latin1_is_called_so(tmp_path: Path) -> None:
    for mark in ("", "\ufeff"):
        spoilt = (mark + PORTUGUESE).encode("utf-16-le").decode("latin-1").encode("utf-8")
        assert "UTF-16" in error_of(tmp_path / "t.txt", spoilt)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300))
def test_any_bytes_are_a_text_or_an_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "t.txt").write_bytes(content)
    try:
        text = read_corpus(str(tmp_path / "t.txt")).text
    except PygptError:
        return
    assert text.encode("utf-8") == content
    assert "\0" not in text


@pytest.mark.parametrize(("held", "asked"), [("NFD", "NFC"), ("NFC", "NFD")])
@pytest.mark.parametrize("word", ["José", "ação", "à"])
def test_a_prompt_in_the_other_form_is_explained(held: str, asked: str, word: str) -> None:
    vocabulary = Vocabulary.from_text(unicodedata.normalize(held, word))
    with pytest.raises(PygptError, match=rf"normalize\('{held}'"):
        vocabulary.encode(unicodedata.normalize(asked, word))


def test_a_character_that_is_simply_missing_has_no_such_hint() -> None:
    for prompt in ("é", "x", "e\u0301"):
        with pytest.raises(PygptError) as caught:
            Vocabulary(list("abc")).encode(prompt)
        assert "normalize" not in str(caught.value)
