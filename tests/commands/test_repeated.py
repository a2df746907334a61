"""An option that holds one value is refused where it is given twice: click alone drops the first without a word."""

from collections.abc import Callable, Iterator

import click
import pytest
from click.testing import Result

from pygpt.commands import main
from pygpt.commands.language import Command


def options_of_one_value(
    command: click.Command, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], list[str]]]:
    """The path of the command of each option, and the option with a value where it takes one."""
    for parameter in command.params if isinstance(command, Command) else ():
        if isinstance(parameter, click.Option) and not (parameter.multiple or parameter.count or parameter.is_eager):
            value = [] if parameter.is_flag else [_a_value(parameter)]
            yield path, [parameter.opts[0], *value]
    for name, child in getattr(command, "commands", {}).items():
        yield from options_of_one_value(child, (*path, name))


def _a_value(option: click.Option) -> str:
    return str(option.type.choices[0]) if isinstance(option.type, click.Choice) else "1"


ALL = list(options_of_one_value(main))


def test_there_are_options_to_try() -> None:
    assert len(ALL) > 50
    assert (("validate", "recorded"), ["--json", "1"]) in ALL


@pytest.mark.parametrize(("path", "option"), ALL, ids=lambda part: " ".join(part))
def test_an_option_given_twice_is_refused(cli: Callable[..., Result], path: tuple[str, ...], option: list[str]) -> None:
    done = cli(*path, *option, *option)
    assert done.exit_code == 2
    assert f"{option[0]} is given 2 times" in done.stderr


def test_an_option_that_holds_several_may_be_given_twice(cli: Callable[..., Result]) -> None:
    done = cli("validate", "recorded", "--figure", "a.pdf", "--figure", "b.pdf")
    assert "a.pdf must end in .png or .svg" in done.stderr
