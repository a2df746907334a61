"""HTML pages: one file each, no script, nothing loaded from elsewhere, every text escaped."""

import base64
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pygpt.output.messages import html_lang, number, tell


def page(template: str, lang: str, **values: Any) -> str:
    """A page from `templates/`, where `_("…", x=…)` says a sentence and `n(value, ".4f")` a number in `lang`."""

    def sentence(words: str, **v: object) -> str:
        return tell(lang, words, **v)

    def digits(value: float, spec: str) -> str:
        return number(value, spec, lang)

    return _environment().get_template(template).render(lang=html_lang(lang), _=sentence, n=digits, **values)


def picture(content: bytes) -> Markup:
    """The address of a PNG that lies in the page itself."""
    return Markup("data:image/png;base64,") + base64.b64encode(content).decode("ascii")


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("pygpt.output"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
