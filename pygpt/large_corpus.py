"""A text that is too large to be held: looked through and turned into tokens a piece at a time."""

import codecs
import hashlib
import math
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pygpt import token_cache
from pygpt.corpus import NAMES, Corpus, read_corpus
from pygpt.encoding import container
from pygpt.errors import PygptError
from pygpt.output.messages import say
from pygpt.text_remarks import Form, said
from pygpt.vocabulary import Vocabulary, code_points

if TYPE_CHECKING:
    from torch import Tensor

LARGE = 1 << 24
"""Bytes from which on a text is not held in memory."""
_PIECE = 1 << 22
_CODE_POINTS = 0x110000


class _Look(NamedTuple):
    characters: str
    length: int
    remarks: list[str]


def open_corpus(source: str) -> "Corpus | LargeCorpus":
    """As `read_corpus`; but a large text is not read yet.

    Raises:
        PygptError: as there, if for a large text only when it is looked through.
    """
    path = Path(source)
    if source in NAMES or not path.is_file() or path.stat().st_size < LARGE:
        return read_corpus(source)
    try:
        with path.open("rb") as file:
            return LargeCorpus(source, path, hashlib.file_digest(file, "sha256").hexdigest())
    except OSError:
        return read_corpus(source)  # it says why


@dataclass(frozen=True)
class LargeCorpus:
    """A text by its name, its place and the SHA-256 of its bytes; for the rest it is as a `Corpus`."""

    name: str
    path: Path
    sha256: str

    @property
    def characters(self) -> str:
        """Each character once, in the order in which they first come."""
        return self._look.characters

    @property
    def length(self) -> int:
        """In characters."""
        return self._look.length

    @property
    def remarks(self) -> list[str]:
        """What the text holds that its owner may not know."""
        return self._look.remarks

    def tokens(self, vocabulary: Vocabulary, share: float, cache: Path) -> "Tensor":
        """Rows of the vocabulary, (floor(share * length),), mapped from `cache`, which is made where it is not there.

        Raises:
            PygptError: `cache` is another text's or damaged, or the vocabulary lacks a character.
        """
        own = hashlib.sha256("".join(vocabulary.characters).encode("utf-8", "surrogatepass")).hexdigest()
        owner: token_cache.Owner = {"corpus_sha256": self.sha256, "share": share, "vocabulary_sha256": own}
        there = token_cache.mapped(cache, owner)
        if there is not None:
            return there
        what = say("the corpus {name}", name=self.name)
        if not set(self.characters).issubset(vocabulary.characters):
            vocabulary.encode(self.path.read_bytes().decode("utf-8"), what)  # says which, and where it stands
        count = math.floor(share * self.length)
        rows = (vocabulary.encode(piece, what) for piece in self._first(count))
        token_cache.write(cache, owner, count, rows, vocabulary.row_type)
        made = token_cache.mapped(cache, owner)
        assert made is not None
        return made

    def _first(self, count: int) -> Iterator[str]:
        for piece in _pieces(self.path):
            yield piece[:count]
            count -= len(piece)
            if count <= 0:
                return

    @cached_property
    def _look(self) -> _Look:
        try:
            return _look_through(self.path)
        except (UnicodeDecodeError, OSError, PygptError):
            read_corpus(str(self.path))  # says what is wrong with it
            raise


def _look_through(path: Path) -> _Look:
    times, characters, beginning = np.zeros(_CODE_POINTS, np.int64), list[str](), ""
    normalized: dict[Form, bool] = {"NFC": True, "NFD": True}
    with path.open("rb") as file:
        if container(file.read(16)) is not None:
            raise PygptError("{path} is not a text", path=path)
    for piece in _pieces(path):
        beginning = beginning or piece
        here = np.bincount(code_points(piece), minlength=_CODE_POINTS)
        new = [chr(point) for point in np.flatnonzero((here > 0) & (times == 0))]
        characters += sorted(new, key=piece.index)
        times += here
        for form in normalized:
            normalized[form] = normalized[form] and unicodedata.is_normalized(form, piece)
    if times[0]:
        raise PygptError("{path} is not a text", path=path)
    remarks = said(
        beginning, set(characters), lambda: {c: int(times[ord(c)]) for c in characters}, normalized.__getitem__
    )
    return _Look("".join(characters), int(times.sum()), remarks)


def _pieces(path: Path) -> Iterator[str]:
    """The text, cut at ends of lines where it has them, so that no letter is parted from its accent."""
    decoder, rest = codecs.getincrementaldecoder("utf-8")(), ""
    with path.open("rb") as file:
        while content := file.read(_PIECE):
            text = rest + decoder.decode(content)
            cut = text.rfind("\n") + 1 or len(text)
            yield text[:cut]
            rest = text[cut:]
    decoder.decode(b"", final=True)
    yield rest
