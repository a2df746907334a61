"""`ladder`: the attention notebook's rungs beside the numbers it prints."""

import shutil
import textwrap
from itertools import zip_longest
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from torch import Tensor

    from pygpt.attention.notebook import Printed


@click.command(epilog="Example: ladder; with a pager: ladder | less")
def ladder() -> None:
    """Climb the course's attention notebook rung by rung, beside its numbers.

    Every number that the notebook prints is computed again, with its seed (123), and shown with its shape, from
    dot products to nn.MultiheadAttention as the GPT uses it.

    Exit code 0: all agree to their four decimals; 1: some do not.
    """
    from pygpt.attention.notebook import agrees, climb, read_notebook

    notebook = read_notebook()
    shown: dict[str, bool] = {}
    for number, (rung, computed) in enumerate(climb(notebook), start=1):
        click.echo(f"{number}. {rung.title}\n{_wrapped(rung.difference)}\n")
        for name, value in computed.items():
            if name in shown:
                continue
            printed = notebook.printed.get(name)
            good = printed is None or agrees(printed, computed)
            if printed:
                shown[name] = good
            click.echo(click.style(_wrapped(_head(name, value, printed, good)), fg=None if good else "red"))
            click.echo(_numbers(value, printed) + "\n")
    masks = [name for name in shown if notebook.printed[name].dropout_of]
    agreeing, total = sum(shown.values()), len(notebook.printed)
    words = (
        f"{agreeing} of {total} results agree with the notebook: {len(masks)} dropout masks as a property "
        "(each value 0 or doubled), the others to their four decimals."
    )
    click.echo(textwrap.fill(words, _width()))
    raise click.exceptions.Exit(int(agreeing < total))


def _head(name: str, value: "Tensor", printed: "Printed | None", good: bool) -> str:
    shape = "one number" if value.dim() == 0 else "shape " + " x ".join(map(str, value.shape))
    if printed is None:
        return f"{name}: {shape}; not in the notebook"
    cells = f"cell{'s' * (len(printed.cells) > 1)} {', '.join(map(str, printed.cells))}"
    seed = "" if printed.seed is None else f", seed {printed.seed}"
    verdict = "agrees" if good else "DIFFERS"
    if good and printed.dropout_of:
        verdict = "its property holds (the mask depends on the build)"
    return f"{name}: {shape}; {printed.code} in {cells}{seed}: {verdict}"


def _numbers(value: "Tensor", printed: "Printed | None") -> str:
    """The two side by side where the terminal is wide enough, else one above the other."""
    whole = not value.is_floating_point()
    here = _lines(value, whole)
    if printed is None:
        return "\n".join(f"      {line}" for line in here)
    there = _lines(printed.values, whole)
    left = max(map(len, ["here", *here]))
    if 6 + left + 4 + max(map(len, there)) > _width():
        return "\n".join(f"      {line}" for line in ["here", *here, "notebook", *there])
    pairs = zip_longest(["here", *here], ["notebook", *there], fillvalue="")
    return "\n".join(f"      {a.ljust(left)}    {b}".rstrip() for a, b in pairs)


def _lines(value: "Tensor", whole: bool) -> list[str]:
    rows = value.reshape(-1, value.shape[-1] if value.dim() else 1).tolist()
    cells = [[str(int(v)) if whole else f"{v:.4f}" for v in row] for row in rows]
    width = max(len(cell) for row in cells for cell in row)
    return [" ".join(cell.rjust(width) for cell in row) for row in cells]


def _wrapped(words: str) -> str:
    return textwrap.indent(textwrap.fill(words, _width() - 3), "   ")


def _width() -> int:
    # Not narrower than one result in words; a pipe has no width.
    return max(40, shutil.get_terminal_size((120, 24)).columns)
