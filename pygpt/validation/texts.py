"""What tells the generated texts apart, in numbers: known words, length of words, lines that name a speaker."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

# Letters of any alphabet with apostrophes inside: prevail'd is one word. Case is ignored.
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
# One to four words and a colon, each with a capital: "First Citizen:", "KING RICHARD III:", "SIMÃO:".
_SPEAKER = re.compile(r"[^\W\d_](?:[^\W\d_]|['’-])*(?: [^\W\d_](?:[^\W\d_]|['’-])*){0,3}:")


@dataclass(frozen=True)
class TextFacts:
    """Counts of one text, without the prompt.

    Attributes:
        words: how many words.
        known: how many of them occur in the corpus.
        letters: characters in all words together.
        lines: lines that are not blank (the published texts have lost their blank ones).
        speakers: lines that look like a speaker's name.
    """

    words: int
    known: int
    letters: int
    lines: int
    speakers: int

    @property
    def known_share(self) -> float:
        """Share of the words that occur in the corpus, 0 to 1."""
        return self.known / self.words if self.words else 0.0

    @property
    def word_length(self) -> float:
        """Mean length of a word in characters."""
        return self.letters / self.words if self.words else 0.0

    @property
    def speaker_share(self) -> float:
        """Share of the lines that look like a speaker's name, 0 to 1."""
        return self.speakers / self.lines if self.lines else 0.0


def words(text: str) -> list[str]:
    """The words of a text in lower case, in their order."""
    return _WORD.findall(text.lower())


def is_speaker(line: str) -> bool:
    """Whether a line looks like a speaker's name: capitalised words, four at most, and a colon."""
    name = line.strip()
    return _SPEAKER.fullmatch(name) is not None and all(word[0].isupper() for word in name.split())


def measure(text: str, known: Iterable[str]) -> TextFacts:
    """Count a text; `known` are the corpus's words."""
    its_words, vocabulary = words(text), frozenset(known)
    lines = [line for line in text.split("\n") if line.strip()]
    return TextFacts(
        words=len(its_words),
        known=sum(word in vocabulary for word in its_words),
        letters=sum(map(len, its_words)),
        lines=len(lines),
        speakers=sum(map(is_speaker, lines)),
    )
