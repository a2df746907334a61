"""The vocabulary: `<PAD>` and the sorted characters of a text; ids as R counts them, rows as Python does.

R ids are 1-based and PAD is 1; an id's row in an embedding is `id - 1`, so PAD is row 0.
"""

import json
import unicodedata
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pygpt.errors import PygptError
from pygpt.files import json_text
from pygpt.output.messages import Message, say

PAD = "<PAD>"
ORDERS = ("icu", "c")
FORMAT = 1

_FORMS = {
    "NFD": ". The vocabulary's text writes letter and accent as two characters ({form}), here they are one (NFC). "
    "Both look the same. To convert: unicodedata.normalize('{form}', text), in R stringi::stri_trans_nfd(text)",
    "NFC": ". The vocabulary's text writes letter and accent as one character ({form}), here they are two (NFD). "
    "Both look the same. To convert: unicodedata.normalize('{form}', text), in R stringi::stri_trans_nfc(text)",
}

# Shell sort's gaps in R (sort.c, after Sedgewick 1986); a text never has more characters than the largest.
_R_GAPS = (4197377, 1050113, 262913, 65921, 16577, 4193, 1073, 281, 77, 23, 8, 1)
_ENCODE_AT_ONCE = 1 << 22


class Vocabulary:
    """`<PAD>` followed by `characters`, in an order that is part of a run and never recomputed."""

    def __init__(self, characters: Sequence[str], order: str = "file") -> None:
        bad = [c for c in characters if len(c) != 1]
        if bad or len(set(characters)) != len(characters) or not characters:
            raise PygptError(
                "a vocabulary needs at least one character, each a single one and each once; "
                "got {n}, of which not single: {bad}",
                n=len(characters), bad=bad[:5],
            )  # fmt: skip
        self.characters = tuple(characters)
        self.order = order
        points = [ord(c) for c in characters]
        self._rows_by_code_point = np.zeros(max(points) + 2, dtype=self.row_type)
        self._rows_by_code_point[points] = np.arange(1, len(points) + 1)

    @classmethod
    def from_text(cls, text: str, order: str = "icu") -> "Vocabulary":
        """`c("<PAD>", sort(unique(strsplit(text, "")[[1]])))` of exercise 2, in R's order `icu` or `c`."""
        return cls(sort_characters(text, order), order)

    def __len__(self) -> int:
        """Rows of the embedding: the characters and PAD."""
        return len(self.characters) + 1

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vocabulary) and self.characters == other.characters

    def __hash__(self) -> int:
        return hash(self.characters)

    def encode(self, text: str, what: Message = say("the text")) -> NDArray[Any]:  # noqa: B008
        """Rows of the characters of `text`, in the smallest integer type that holds every row.

        Args:
            what: what an error calls the text.

        Raises:
            PygptError: a character that the vocabulary does not hold, named with its place in `what`.
        """
        rows, by_point = np.empty(len(text), dtype=self.row_type), self._rows_by_code_point
        for start in range(0, len(text), _ENCODE_AT_ONCE):
            part = text[start : start + _ENCODE_AT_ONCE]
            # The table's last place stands for every code point beyond it: nothing is there.
            here = by_point[np.minimum(code_points(part), len(by_point) - 1)]
            unknown = np.flatnonzero(here == 0)
            if unknown.size:
                raise self._unknown(text, start + int(unknown[0]), what)
            rows[start : start + len(part)] = here
        return rows

    def decode(self, rows: Iterable[int]) -> str:
        """The characters of `rows`; row 0 is `<PAD>`, as R's `Decoder` writes it."""
        return "".join(PAD if row == 0 else self.characters[row - 1] for row in rows)

    def r_ids(self, rows: Iterable[int]) -> list[int]:
        """R's 1-based ids of `rows`."""
        return [int(row) + 1 for row in rows]

    @property
    def row_type(self) -> type[np.signedinteger[Any] | np.unsignedinteger[Any]]:
        """uint8, int16 or int32: the smallest type that holds every row and that torch can index."""
        return np.uint8 if len(self) <= 2**8 else np.int16 if len(self) <= 2**15 else np.int32

    def to_json(self) -> str:
        """The file `vocabulary.json` of a run."""
        content = {"format": FORMAT, "pad": PAD, "order": self.order, "characters": list(self.characters)}
        return json_text(content)

    @classmethod
    def from_file(cls, path: Path) -> "Vocabulary":
        """Read a `vocabulary.json`.

        Raises:
            PygptError: the file cannot be read, is of a newer format, or is not a vocabulary.
        """
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            version, characters = content["format"], content["characters"]
            order = str(content.get("order", "file"))
        except OSError as error:
            raise PygptError("cannot read the vocabulary {path}: {why}", path=path, why=error.strerror) from error
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise PygptError(
                "{path} is not a vocabulary (expected the keys format and characters)", path=path
            ) from error
        if version != FORMAT:
            raise PygptError(
                "{path} has format {version}; this pygpt reads format {known}. Update pygpt.",
                path=path, version=version, known=FORMAT,
            )  # fmt: skip
        if not isinstance(characters, list) or not all(isinstance(c, str) for c in characters):
            raise PygptError("{path} is not a vocabulary: 'characters' must be a list of texts", path=path)
        return cls(characters, order)

    def _unknown(self, text: str, place: int, what: Message) -> PygptError:
        line, column = text.count("\n", 0, place) + 1, place - text.rfind("\n", 0, place)
        character = text[place]
        return PygptError(
            "unknown character {character} (U+{code}) in {what}, at character {place} "
            "(line {line}, column {column}). The vocabulary holds: {known}{hint}",
            character=repr(character), code=f"{ord(character):04X}", what=what, place=place + 1,
            line=line, column=column, known=repr("".join(self.characters)), hint=self._other_form(text, place),
        )  # fmt: skip

    def _other_form(self, text: str, place: int) -> Message:
        """Says so where the character is one of the vocabulary's in Unicode's other form: é, or e and its accent."""
        known = set(self.characters)
        decomposed = unicodedata.normalize("NFD", text[place])
        if decomposed != text[place] and known.issuperset(decomposed):
            return say(_FORMS["NFD"], form="NFD")
        first, last = place, place + 1
        while first > 0 and unicodedata.combining(text[first]):
            first -= 1
        while last < len(text) and unicodedata.combining(text[last]):
            last += 1
        composed = unicodedata.normalize("NFC", text[first:last])
        if composed != text[first:last] and known.issuperset(composed):
            return say(_FORMS["NFC"], form="NFC")
        return say("")


def sort_characters(text: str, order: str) -> list[str]:
    """The characters of `text`, each once, as R's `sort()` orders them.

    `c`: by code point (R with LC_COLLATE=C). `icu`: by ICU's root collation (R in any other locale without
    a tailoring of its own, Portuguese and English among them): white space, punctuation, symbols, currency, digits,
    then letters by alphabet, within one letter first by accent (none, acute, grave, circumflex, tilde, ...),
    then lower case before upper. Characters that ICU holds equal fall as R's Shell sort leaves them.
    A script outside of `icu_root_order.txt` comes last, by code point (not what R does).
    """
    if order not in ORDERS:
        raise PygptError("unknown order {order}: icu or c", order=repr(order))
    by_appearance = list(dict.fromkeys(text))
    if order == "c":
        return sorted(by_appearance)
    ranks = _icu_ranks()
    return _r_shell_sort([(ranks.get(ord(c), len(ranks) + ord(c)), c) for c in by_appearance])


def _r_shell_sort(keyed: list[tuple[int, str]]) -> list[str]:
    for gap in (g for g in _R_GAPS if g <= len(keyed)):
        for i in range(gap, len(keyed)):
            moving, j = keyed[i], i
            while j >= gap and keyed[j - gap][0] > moving[0]:
                keyed[j] = keyed[j - gap]
                j -= gap
            keyed[j] = moving
    return [character for _, character in keyed]


@cache
def _icu_ranks() -> dict[int, int]:
    lines = (Path(__file__).parent / "icu_root_order.txt").read_text(encoding="ascii").splitlines()
    ranked = (line for line in lines if not line.startswith("#"))
    return {int(point, 16): rank for rank, line in enumerate(ranked) for point in line.split()}


def code_points(text: str) -> NDArray[np.uint32]:
    """The code point of each character."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
