"""From bytes to text: UTF-8 as it is; what is not UTF-8 is told by its true name, with what makes UTF-8 of it."""

import contextlib
import re
import shlex
from pathlib import Path
from typing import NamedTuple

from pygpt.errors import PygptError
from pygpt.output.messages import Message, say

# What a file begins with that is no plain text, and what to do with it.
_CONTAINERS = {
    b"\x1f\x8b": say("it is packed by gzip: unpack it (gunzip)"),
    b"PK\x03\x04": say("it is a zip file (docx, odt and epub are, too): save what it holds as plain text in UTF-8"),
    b"BZh": say("it is packed by bzip2: unpack it (bunzip2)"),
    b"\xfd7zXZ\x00": say("it is packed by xz: unpack it (unxz)"),
    b"\x28\xb5\x2f\xfd": say("it is packed by zstd: unpack it (unzstd)"),
    b"7z\xbc\xaf\x27\x1c": say("it is packed by 7-Zip: unpack it"),
    b"%PDF-": say("it is a PDF: save what it says as plain text in UTF-8 (pdftotext)"),
    b"\xd0\xcf\x11\xe0": say("it is an Office document: save what it says as plain text in UTF-8"),
    b"{\\rtf": say("it is RTF: save what it says as plain text in UTF-8"),
}
# Marks at the beginning of a text, with iconv's name; UTF-32's begins with UTF-16's.
_MARKS = {
    b"\xff\xfe\x00\x00": "UTF-32",
    b"\x00\x00\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}
# What computers wrote in Western Europe and in the Americas before UTF-8; Python's name and iconv's.
_WESTERN = {"cp1252": "WINDOWS-1252", "mac_roman": "MACINTOSH", "cp850": "CP850"}
_LATIN1 = "ISO-8859-1"
# What Portuguese, Spanish, French, Italian, German and English write beside ASCII.
_LETTERS = "áàâãäéèêëíìîïóòôõöúùûüçñßœ"
_WESTERN_SIGNS = set(_LETTERS + _LETTERS.upper() + "ªº«»“”„‘’–—…•·°§©®€£¿¡\xa0")
_MOST_ODD, _MOST_BEYOND_ASCII = 0.03, 0.3
_AROUND = 30
_BYTES = 1 << 16


class Guess(NamedTuple):
    """An encoding by iconv's name, and the text in it."""

    name: str
    text: str


def corpus_text(content: bytes, path: Path) -> str:
    """The text of a corpus, every character as it is, its byte-order mark and line ends included.

    Raises:
        PygptError: not UTF-8, packed, or with NUL; the message says what it is and what to do.
    """
    packed = container(content)
    if packed:
        raise PygptError("the corpus {path} cannot be used: {why}", path=path, why=packed)
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise PygptError(
            "the corpus {path} is not UTF-8: byte {place} is 0x{byte}. {why}",
            path=path, place=error.start + 1, byte=f"{content[error.start]:02X}", why=_what_else(content, path),
        ) from error  # fmt: skip
    if "\0" in text:
        raise _with_nul(text, content, path)
    return text


def table_text(content: bytes) -> str:
    """The text of a table, however it was written: UTF-8, UTF-16 with or without its mark, or a Western one of old.

    Where nothing certain can be told, as of few letters, it is taken for cp1252.
    """
    if b"\0" not in content:
        with contextlib.suppress(UnicodeDecodeError):
            return content.decode("utf-8-sig")
    guessed = guess(content)
    return (guessed.text if guessed else content.decode("cp1252", errors="replace")).removeprefix("\ufeff")


def container(content: bytes) -> Message | None:
    """What a file is that holds its text packed or laid out; None where it may be plain text."""
    return next((what for start, what in _CONTAINERS.items() if content.startswith(start)), None)


def guess(content: bytes) -> Guess | None:
    """The encoding that a text which is not UTF-8 seems to be in; None where there is no likely one.

    Marks first, then what Western languages write, by its letters: for these, charset-normalizer often takes one of
    the many that differ from cp1252 in some letters only. Everything else is its guess.
    """
    for mark, name in _MARKS.items():
        if content.startswith(mark):
            return Guess(name, content.decode(name, errors="replace"))
    telling = _telling_lines(content)
    western = [(odd, codec) for codec in _WESTERN if (odd := _odd_in_western(telling, codec)) <= _MOST_ODD]
    if western:
        codec = min(western, key=lambda one: one[0])[1]
        guessed = _decoded(content, codec, _WESTERN[codec])
        same = codec == "cp1252" and guessed and guessed.text == content.decode("latin-1")
        return Guess(_LATIN1, guessed.text) if guessed and same else guessed
    # Slow to import, and needed for a message only.
    from charset_normalizer import from_bytes

    best = from_bytes(telling).best()
    return None if best is None else _decoded(content, best.encoding, _iconv_name(best.encoding))


def _odd_in_western(content: bytes, codec: str) -> float:
    """The share of the characters beyond ASCII that no Western language writes there; 1 where it cannot be one."""
    try:
        text = content.decode(codec)
    except UnicodeDecodeError:
        return 1
    beyond = [i for i, c in enumerate(text) if not c.isascii()]
    if not beyond or "\0" in text or len(beyond) > _MOST_BEYOND_ASCII * len(text):
        return 1
    return sum(_is_odd(text[max(0, i - 1)], text[i], text[i + 1 : i + 2]) for i in beyond) / len(beyond)


def _is_odd(before: str, c: str, after: str) -> bool:
    within_a_word = before.isalpha() and after.isalpha()
    return (
        c not in _WESTERN_SIGNS
        or (c.isupper() and before.islower())
        or (within_a_word and not (c.isalpha() or c == "’"))
    )


def _telling_lines(content: bytes) -> bytes:
    """What tells encodings apart: the lines that are not ASCII; all, where lines cannot be told yet (UTF-16)."""
    if b"\0" in content:
        return content[: _BYTES & ~3]
    return b"\n".join(line for line in content.split(b"\n") if not line.isascii())[:_BYTES]


def _decoded(content: bytes, codec: str, name: str) -> Guess | None:
    try:
        return Guess(name, content.decode(codec))
    except UnicodeDecodeError:
        return None


def _iconv_name(codec: str) -> str:
    """Python's `iso8859_2` is iconv's `ISO-8859-2`, `utf_16_le` is `UTF-16LE`."""
    name = codec.upper().replace("_", "-").replace("ISO8859", "ISO-8859")
    return re.sub(r"^(UTF-\d+)-", r"\1", name)


def _what_else(content: bytes, path: Path) -> Message:
    """What a text is that is not UTF-8, and what to do."""
    try:
        content.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        pass
    else:
        return say(
            "It is CESU-8, where a character beyond U+FFFF is written as two surrogates. Write it anew with the "
            "program that made it, as UTF-8"
        )
    lenient = content.decode("utf-8", "surrogateescape")
    damaged = re.findall("[\udc80-\udcff]", lenient)
    if _is_utf8_in_part(lenient, len(damaged)):
        return say(
            "The rest of it is, so {n} bytes are damaged or of another encoding, the first in line {line}. Mend them "
            "there; to convert the whole file would spoil the rest",
            n=len(damaged), line=lenient.count("\n", 0, lenient.index(damaged[0])) + 1,
        )  # fmt: skip
    guessed = guess(content)
    if guessed is None:
        return say("It is in no encoding that is known. Save it as UTF-8 in the program that made it")
    return _seems(guessed, path)


def _is_utf8_in_part(lenient: str, damaged: int) -> bool:
    """Whether a text is UTF-8 but for some bytes. Other encodings look like UTF-8 by chance, but seldom for a line."""
    lines = [line for line in lenient.split("\n") if not line.isascii()]
    whole = sum(not re.search("[\udc80-\udcff]", line) for line in lines)
    return whole > 0.1 * len(lines) or sum(not c.isascii() for c in lenient) > 2 * damaged


def _seems(guessed: Guess, path: Path) -> Message:
    first = next((i for i, c in enumerate(guessed.text) if not c.isascii() and c != "\ufeff"), 0)
    return say(
        "It seems to be {name}, in which it reads “{piece}”. If that is right, make UTF-8 of it, in an editor or with: "
        "iconv -f {name} -t UTF-8 {path} > {new}",
        name=guessed.name, piece=" ".join(guessed.text[max(0, first - _AROUND) : first + _AROUND].split()),
        path=shlex.quote(str(path)), new=_beside(path, "utf8"),
    )  # fmt: skip


def _with_nul(text: str, content: bytes, path: Path) -> PygptError:
    """Why a text with NUL is not taken. Plain English in UTF-16 is valid UTF-8, with NUL as every other character."""
    guessed, original = None, content
    if text.count("\0") > 0.3 * len(text):
        with contextlib.suppress(UnicodeEncodeError):
            original = text.encode("latin-1")
            guessed = guess(original)
    if guessed and guessed.name.startswith("UTF-") and "\0" not in guessed.text:
        if original == content:
            return PygptError("the corpus {path} is not UTF-8. {why}", path=path, why=_seems(guessed, path))
        return PygptError(
            "the corpus {path} is {name} that was converted to UTF-8 as if it had been latin1, so that NUL stands "
            "between its characters. Take the file that it was made of and: iconv -f {name} -t UTF-8 FILE > {new}",
            path=path, name=guessed.name, new=_beside(path, "utf8"),
        )  # fmt: skip
    first = text.index("\0")
    return PygptError(
        "the corpus {path} holds {n} NUL bytes, the first in line {line}: R's readChar cuts the text there, with a "
        "warning, and would train on {kept:,} of {all:,} characters. Find out how they came in; if nothing else is "
        "wrong with the text, leave them out: tr -d '\\000' < {file} > {new}",
        path=path, n=text.count("\0"), line=text.count("\n", 0, first) + 1, kept=first, all=len(text),
        file=shlex.quote(str(path)), new=_beside(path, "whole"),
    )  # fmt: skip


def _beside(path: Path, what: str) -> str:
    return shlex.quote(str(path.with_name(f"{path.stem}.{what}{path.suffix}")))
