"""The commands. Each file holds one; what is slow to import is imported inside of the command that needs it."""

import click

import pygpt
from pygpt.commands.generate import generate
from pygpt.commands.info import info
from pygpt.commands.parity import parity
from pygpt.commands.train import train
from pygpt.errors import PygptError


class _UserError(click.ClickException):
    exit_code = 2


class _Commands(click.Group):
    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except PygptError as error:
            raise _UserError(str(error)) from error


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Example: train --corpus sample --epochs 1 --out runs/first, then generate --run runs/first",
)
@click.version_option(pygpt.__version__, message="pygpt %(version)s")
def main() -> None:
    """The Python twin of the course's small GPT in R: same seed, same bits.

    Train and generate without R, and hold results against R's.
    """


for _command in (train, generate, info, parity):
    main.add_command(_command)
