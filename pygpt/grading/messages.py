"""Sentences for students: a template in English and its values, rendered in English or Portuguese.

What a submission says (names, error messages) comes in as values and is made plain text here, once.
"""

import unicodedata
from dataclasses import dataclass, field

LANGUAGES = ("en", "pt")
_LONGEST = 600


@dataclass(frozen=True)
class Message:
    """A sentence that is not yet in any language."""

    template: str
    values: dict[str, object] = field(default_factory=dict)

    def render(self, lang: str) -> str:
        """The sentence in `en` or `pt`; a template without translation stays English."""
        from pygpt.grading.messages_pt import PORTUGUESE

        template = PORTUGUESE.get(self.template, self.template) if lang == "pt" else self.template
        return template.format(**{k: _shown(v, lang) for k, v in self.values.items()})


def say(template: str, **values: object) -> Message:
    """A sentence with its values."""
    return Message(template, values)


def plain(words: str, longest: int = _LONGEST) -> str:
    """A stranger's text as one line that does nothing: no control, format or direction characters, bounded."""
    kept = "".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in words[: 4 * longest])
    kept = " ".join(kept.split())
    return kept if len(kept) <= longest else kept[: longest - 1] + "…"


def _shown(value: object, lang: str) -> str:
    if isinstance(value, Message):
        return value.render(lang)
    if isinstance(value, float):
        return f"{value:.4g}"
    return plain(str(value))
