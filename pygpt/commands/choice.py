"""An option that takes one of some words, and asks whether a misspelt one was meant to be one of them."""

from typing import Any

import click

from pygpt.output.spelling import did_you_mean


class Choice(click.Choice[str]):
    """`click.Choice` whose error says what was probably meant."""

    def get_invalid_choice_message(self, value: Any, ctx: click.Context | None) -> str:
        return super().get_invalid_choice_message(value, ctx) + str(did_you_mean(str(value), map(str, self.choices)))
