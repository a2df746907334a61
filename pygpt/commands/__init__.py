"""The commands. Each file holds one; what is slow to import is imported inside of the command that needs it."""

import errno
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import click

from pygpt.commands.attention import attention
from pygpt.commands.exercise import exercise
from pygpt.commands.generate import generate
from pygpt.commands.grade import grade
from pygpt.commands.info import info
from pygpt.commands.ladder import ladder
from pygpt.commands.language import Group, current, language_of, translated
from pygpt.commands.parity import parity
from pygpt.commands.terminal import escape_what_cannot_be_shown
from pygpt.commands.train import train
from pygpt.commands.usage_errors import UsageError, with_our_name
from pygpt.commands.validate import validate
from pygpt.errors import PygptError
from pygpt.output.messages import render
from pygpt.version import __version__
from pygpt.waiting import sleep_where_others_compute


class _UserError(click.ClickException):
    exit_code = 2

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self._label = translated("Error")

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(f"{self._label}: {self.message}", file=file, err=file is None)


class _Commands(Group):
    def main(self, *args: Any, **kwargs: Any) -> Any:
        escape_what_cannot_be_shown()
        sleep_where_others_compute()
        return super().main(*args, **kwargs)

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        with _usage_errors_in_the_language():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> object:
        try:
            with _usage_errors_in_the_language():
                result = super().invoke(ctx)
            # now, while an error can still be told: Python's own flush at the end only complains
            sys.stdout.flush()
            return result
        except PygptError as error:
            raise _UserError(render(error, current())) from error
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise _UserError(translated("cannot write the output: no space left")) from error
            raise


@contextmanager
def _usage_errors_in_the_language() -> Iterator[None]:
    try:
        yield
    except click.UsageError as raised:
        error = with_our_name(raised)
        lang = language_of(error.ctx)
        if lang == "en" or isinstance(error, UsageError):
            raise error from raised.__cause__
        raise UsageError(error, lang) from raised


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Example: train --corpus sample --epochs 1 --out runs/first, then generate --run runs/first",
)
@click.version_option(__version__, message="pygpt %(version)s")
def main() -> None:
    """The Python twin of the course's small GPT in R: same seed, same bits.

    Train and generate without R, and hold results against R's.
    """


for _command in (train, generate, info, attention, ladder, parity, validate, grade, exercise):
    main.add_command(_command)
