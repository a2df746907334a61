"""`--help` of every command: an example, and nothing slow imported."""

import re
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest

from pygpt.commands import main


def every_command(command: click.Command, *path: str) -> Iterator[tuple[str, ...]]:
    """Its words, and those of all commands below it."""
    yield path
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from every_command(below, *path, name)


@pytest.mark.parametrize("command", [*every_command(main)], ids=" ".join)
def test_help_needs_nothing_heavy(command: tuple[str, ...], environment: dict[str, str]) -> None:
    code = (
        "import sys\nfrom pygpt.commands import main\n"
        f"try: main({[*command, '--help']!r})\n"
        "except SystemExit as end: assert end.code == 0\n"
        "heavy = {'torch', 'numpy', 'matplotlib', 'rich', 'pooch', 'safetensors'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert re.search("Examples?: ", done.stdout) or command == ("parity",)
