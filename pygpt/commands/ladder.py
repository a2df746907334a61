"""`ladder`: the attention notebook's quantities, rung by rung, beside the numbers it prints."""

import click

from pygpt.commands.language import Command, lang_option
from pygpt.commands.terminal import width


@click.command(cls=Command, epilog="Example: ladder; with a pager: ladder | less")
@lang_option
def ladder(lang: str) -> None:
    """Climb the course's attention notebook rung by rung, beside its numbers.

    A ladder has quantities in the order of computation, each beside its expected value. Here these are all the
    numbers that the notebook prints, from dot products to nn.MultiheadAttention as the GPT uses it. They are computed
    again with its seed (123).

    Exit code 0: all agree to their four decimals; 1: some do not.
    """
    from pygpt.attention.ladder import Ladder
    from pygpt.attention.notebook import read_notebook

    climbed = Ladder.of(read_notebook())
    for piece, agrees in climbed.lines(width(), lang):
        click.echo(piece if agrees else click.style(piece, fg="red"))
    raise click.exceptions.Exit(int(climbed.agreeing < climbed.expected))
