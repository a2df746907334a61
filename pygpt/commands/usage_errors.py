"""click's own messages ("No such option '--x'.") in the current language.

click takes them from gettext's compiled files alone; here they are recognised by their templates, which the catalogue
`click.toml` holds.
"""

import re
from functools import cache
from typing import IO, Any

import click

from pygpt.output.messages import catalogue
from pygpt.settings import OTHER_NAMES


class UsageError(click.UsageError):
    """A usage error whose message is already in a language."""

    def __init__(self, error: click.UsageError, lang: str) -> None:
        super().__init__(in_language(error.format_message(), lang), error.ctx)
        self._lang = lang

    def show(self, file: IO[Any] | None = None) -> None:
        own, err = catalogue(self._lang), file is None
        if self.ctx is not None:
            with self.ctx.scope(cleanup=False):
                click.echo(self.ctx.get_usage(), file=file, err=err)
            hint = own["Try '{command} {option}' for help."]
            click.echo(hint.format(command=self.ctx.command_path, option="--help") + "\n", file=file, err=err)
        click.echo(f"{own['Error']}: {self.message}", file=file, err=err)


def with_our_name(error: click.UsageError) -> click.UsageError:
    """An error that tells our name of an option, where the unknown one is another name of it (`--learning-rate`)."""
    if not isinstance(error, click.NoSuchOption) or error.ctx is None:
        return error
    given = error.option_name.lstrip("-").replace("-", "_").lower()
    own = {other.lower(): f"--{name.replace('_', '-')}" for other, name in OTHER_NAMES.items()}.get(given)
    if own is None or not any(own in parameter.opts for parameter in error.ctx.command.params):
        return error
    message = f"No such option {error.option_name!r}. Did you mean {own!r}?"
    return click.NoSuchOption(error.option_name, message, ctx=error.ctx)


def in_language(message: str, lang: str) -> str:
    """A message of click, or a part of one, translated as far as its template is known."""
    for pattern, translation in _patterns(lang):
        match = pattern.fullmatch(message)
        if match:
            return translation.format(*(in_language(part, lang) for part in match.groups()))
    return message


@cache
def _patterns(lang: str) -> list[tuple[re.Pattern[str], str]]:
    """Templates as patterns; the more a template says itself, the earlier it is tried."""
    fields, pairs = re.compile(r"\{(\w+)\}"), []
    for english, own in catalogue(lang, "click").items():
        names = fields.findall(english)
        places = fields.sub(lambda m, names=names: f"{{{names.index(m[1])}}}", own)  # type: ignore[misc]
        pairs.append((re.compile("(.+)".join(map(re.escape, fields.split(english)[::2])), re.DOTALL), places))
    return sorted(pairs, key=lambda pair: -len(pair[0].pattern))
