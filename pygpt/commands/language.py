"""The language of a command: `--lang`, else PYGPT_LANG, else English; help texts and errors in it."""

import copy
import inspect
import itertools
import os
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from pygpt.commands.choice import Choice
from pygpt.output.messages import LANGUAGES, catalogue

Decorated = TypeVar("Decorated", bound=Callable[..., Any])
VARIABLE = "PYGPT_LANG"
_KEY = "pygpt.lang"


def lang_option(command: Decorated) -> Decorated:
    """Add `--lang`, which arrives as `lang`, one of LANGUAGES."""
    return click.option("--lang", **_LANG)(command)


def current() -> str:
    """The language of the command that runs now."""
    return language_of(click.get_current_context(silent=True))


def language_of(context: click.Context | None) -> str:
    """The language of a command, from its context."""
    return "en" if context is None else str(context.meta.get(_KEY, "en"))


def translated(words: str) -> str:
    """A help text, paragraph by paragraph, in the current language."""
    own = catalogue(current())
    return "\n\n".join(own.get(" ".join(p.split()), p) for p in inspect.cleandoc(words).split("\n\n"))


_LANG: dict[str, Any] = {
    "type": Choice(LANGUAGES),
    "default": current,
    "show_default": "en",
    "help": "Language of what is printed and written; PYGPT_LANG sets it for every command.",
}


class Command(click.Command):
    """A command whose help is in the current language."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        _settle(ctx, args)
        self._refuse_repeated(ctx, args)
        return super().parse_args(ctx, args)

    def _refuse_repeated(self, ctx: click.Context, args: list[str]) -> None:
        """An option that holds one value cannot be given twice: click would drop the first without a word."""
        if ctx.resilient_parsing:
            return
        *_, given = self.make_parser(ctx).parse_args(args=list(args))
        for name, times in Counter(p.opts[0] for p in given if _holds_one(p)).items():
            if times > 1:
                raise click.UsageError(f"{name} is given {times} times: give it once", ctx)

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        return [_spoken(parameter) for parameter in super().get_params(ctx)]

    def get_short_help_str(self, limit: int = 45) -> str:
        paragraph = translated(inspect.cleandoc(self.help or "").split("\n\n")[0])
        return " ".join(paragraph.split()).split(". ")[0].rstrip(".")

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        pieces = " ".join(self.collect_usage_pieces(ctx))
        formatter.write_usage(ctx.command_path, pieces, translated("Usage:") + " ")

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text(translated(self.help or ""))

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        options = [p for p in self.get_params(ctx) if isinstance(p, click.Option)]
        records = [record for option in options if (record := option.get_help_record(ctx)) is not None]
        with formatter.section(translated("Options")):
            formatter.write_dl([(names, _marks(words)) for names, words in records])

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if self.epilog:
            formatter.write_paragraph()
            with formatter.indentation():
                formatter.write_text(translated(self.epilog))


class Group(Command, click.Group):
    """A group of commands whose help is in the current language."""

    command_class = Command
    group_class = type

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # For the help of the group itself, and before any command's name; `_settle` has read it.
        self.params.append(click.Option(["--lang"], expose_value=False, **_LANG))

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        Command.format_options(self, ctx, formatter)
        commands = [(name, command) for name in self.list_commands(ctx) if (command := self.get_command(ctx, name))]
        room = formatter.width - 6 - max(len(name) for name, _ in commands)
        with formatter.section(translated("Commands")):
            formatter.write_dl([(name, command.get_short_help_str(room)) for name, command in commands])


def _settle(ctx: click.Context, args: Sequence[str]) -> None:
    """Find the language before anything is parsed: errors and `--help` need it, wherever `--lang` stands."""
    asked = [arg.removeprefix("--lang=") for arg in args if arg.startswith("--lang=")]
    asked += [after for arg, after in itertools.pairwise(args) if arg == "--lang"]
    named = asked[-1] if asked else ctx.meta.get(_KEY) or os.environ.get(VARIABLE) or "en"
    if named not in LANGUAGES and not asked:
        raise click.UsageError(f"{VARIABLE}={named} is no language of pygpt: take one of {', '.join(LANGUAGES)}")
    ctx.meta[_KEY] = named if named in LANGUAGES else "en"


def _holds_one(parameter: click.Parameter) -> bool:
    return isinstance(parameter, click.Option) and not (parameter.multiple or parameter.count or parameter.is_eager)


def _spoken(parameter: click.Parameter) -> click.Parameter:
    if not isinstance(parameter, click.Option) or parameter.help is None or current() == "en":
        return parameter
    own = copy.copy(parameter)
    own.help = translated(parameter.help)
    return own


def _marks(words: str) -> str:
    """click's own marks of an option: [default: …], [required]."""
    for mark in ("default: ", "required"):
        words = words.replace(f"[{mark}", f"[{translated(mark.strip(': '))}" + (": " if mark.endswith(": ") else ""))
        words = words.replace(f"; {mark}", f"; {translated(mark.strip(': '))}" + (": " if mark.endswith(": ") else ""))
    return words
