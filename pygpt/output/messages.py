"""Sentences in English and in the languages of `catalogues/`, with numbers as each language writes them.

A sentence is an English template and its values. A catalogue is a folder of TOML files that hold
`"English" = "translation"`, and a `language.toml` with the language's marks; a new folder is a new language. (Not
gettext: its files must be compiled, and two languages with some hundred sentences need no more than a table.)
"""

import string
import tomllib
import unicodedata
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from pygpt.errors import PygptError

_CATALOGUES = Path(__file__).with_name("catalogues")
_MARKS = "language.toml"
LANGUAGES = ("en", *sorted(folder.name for folder in _CATALOGUES.iterdir() if (folder / _MARKS).is_file()))

# Characters of one value of a sentence: a stranger's text must not fill a page.
_LONGEST = 600


@dataclass(frozen=True)
class Message:
    """A sentence that is not yet in any language."""

    template: str
    values: dict[str, object] = field(default_factory=dict)

    def render(self, lang: str) -> str:
        """The sentence in one of LANGUAGES. Each text among its values is made plain and bounded."""
        return _in_language(self, lang, _LONGEST)

    def __str__(self) -> str:
        return _in_language(self, "en", None)


@dataclass(frozen=True)
class Listed:
    """Several sentences as one value of another, with semicolons between them."""

    messages: list[Message]

    def __str__(self) -> str:
        return "; ".join(map(str, self.messages))


@dataclass(frozen=True)
class Words:
    """A text that its writer gives in one or more languages, such as an exercise's title: a value of sentences."""

    by_language: dict[str, str] = field(default_factory=dict)

    def render(self, lang: str) -> str:
        """The text in a language; where it is not there, in English, else in any."""
        own = self.by_language
        return own.get(lang) or own.get("en") or next(iter(own.values()), "")

    def __str__(self) -> str:
        return self.render("en")

    def __bool__(self) -> bool:
        return bool(self.by_language)


def say(template: str, **values: object) -> Message:
    """A sentence with its values."""
    return Message(template, values)


def tell(lang: str, template: str, **values: object) -> str:
    """A sentence in a language at once."""
    return Message(template, values).render(lang)


def render(error: PygptError, lang: str) -> str:
    """An error in a language, its values in full."""
    return str(error) if lang == "en" else _in_language(error, lang, None)


def number(value: float, spec: str, lang: str) -> str:
    """A number by a format specification, with the language's marks: 1,757.5 is 1.757,5 in Portuguese."""
    written = format(value, spec)
    if lang == "en":
        return written
    marks = _marks(lang)
    return written.translate({ord(","): marks["group"], ord("."): marks["decimal"]})


def html_lang(lang: str) -> str:
    """The language as HTML names it."""
    return lang if lang == "en" else _marks(lang)["html"]


@cache
def catalogue(lang: str, name: str = "*") -> dict[str, str]:
    """Every translation of a language, or those of one file of it; English has none."""
    if lang == "en":
        return {}
    files = sorted(path for path in (_CATALOGUES / lang).glob(f"{name}.toml") if path.name != _MARKS)
    return {english: own for path in files for english, own in _read(path).items()}


def plain(words: str, longest: int | None = _LONGEST) -> str:
    """A stranger's text as one line that does nothing: no control, format or direction characters, bounded."""
    kept = "".join(
        " " if unicodedata.category(c)[0] in "CZ" else c for c in (words if longest is None else words[: 4 * longest])
    )
    kept = " ".join(kept.split())
    return kept if longest is None or len(kept) <= longest else kept[: longest - 1] + "…"


def _in_language(sentence: Message | PygptError, lang: str, longest: int | None) -> str:
    template = catalogue(lang).get(sentence.template, sentence.template)
    if not sentence.values and isinstance(sentence, PygptError):
        return template
    return _Formatter(lang, longest).format(template, **sentence.values)


class _Formatter(string.Formatter):
    def __init__(self, lang: str, longest: int | None) -> None:
        self._lang, self._longest = lang, longest

    def format_field(self, value: object, format_spec: str) -> str:
        if isinstance(value, Message | PygptError):
            return _in_language(value, self._lang, self._longest)
        if isinstance(value, Listed):
            return "; ".join(_in_language(message, self._lang, self._longest) for message in value.messages)
        if isinstance(value, Words):
            value = value.render(self._lang)
        if isinstance(value, bool) or not isinstance(value, int | float):
            # in full, a text keeps its lines
            lines = str(value).split("\n") if self._longest is None else [str(value)]
            return "\n".join(plain(line, self._longest) for line in lines)
        return number(value, format_spec or (".4g" if isinstance(value, float) else "d"), self._lang)


@cache
def _marks(lang: str) -> dict[str, str]:
    return _read(_CATALOGUES / lang / _MARKS)


def _read(path: Path) -> dict[str, str]:
    return {key: str(value) for key, value in tomllib.loads(path.read_text(encoding="utf-8")).items()}
