"""`attention`: what a trained GPT attends to in a text."""

import locale
import sys
from pathlib import Path

import click

from pygpt.commands.language import Command, lang_option
from pygpt.commands.options import trained, trained_options
from pygpt.commands.prompt import course_prompt
from pygpt.commands.terminal import width


@click.command(
    cls=Command,
    epilog='Example: attention --run runs/gpt --text "MARCIUS: " --position 9; or the same with --out attention.png',
)
@trained_options
@click.option(
    "--text",
    help="Text to look at; the model sees its last block only. [default: 'MARCIUS: ', if the run's text has its "
    "characters]",
)
@click.option("--position", type=int, help="Only the largest contributions to this position; the first is 1.")
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path),
    help="Write a picture there (.png or .svg) in place of the text view.",
)  # fmt: skip
@click.option("--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), help="Write the numbers there.")
@click.option(
    "--csv", "csv_file", type=click.Path(dir_okay=False, path_type=Path),
    help="Write the numbers there, a line for each layer, head, query and key, large weights first.",
)  # fmt: skip
@lang_option
def attention(
    folder: Path | None,
    weights_file: Path | None,
    vocabulary: str | None,
    n_head: int | None,
    text: str | None,
    position: int | None,
    out: Path | None,
    json_file: Path | None,
    csv_file: Path | None,
    lang: str,
) -> None:
    """Show the attention weights of each layer and head of a trained GPT for a text.

    A weight w_ij, from 0 to 1, is what position i (query) gives to position j (key); the weights of a position sum
    to 1. Without --out they are printed as text.
    """
    from pygpt.attention.figure import bars, heat_maps
    from pygpt.attention.text import all_heads, one_position
    from pygpt.attention.view import to_csv, to_json
    from pygpt.files import write_atomically
    from pygpt.output.messages import tell
    from pygpt.output.saving import check_kind, save

    if out:
        check_kind(out)
    run = trained(folder, weights_file, vocabulary, n_head)
    source = folder or weights_file
    assert source is not None
    text = course_prompt(run.vocabulary, "--text") if text is None else text
    attended = run.attention(text)
    if position is not None:
        attended.check_position(position)
    if attended.left_out:
        cut = tell(
            lang,
            "The text has {length} characters, the model sees {block_size} (block_size): the last {block_size} are "
            "taken, and position 1 is character {first}.",
            length=len(text),
            block_size=run.model_settings.block_size,
            first=attended.left_out + 1,
        )
        click.echo(cut, err=True)
    if json_file:
        write_atomically(json_file, to_json(attended, str(source), position))
    if csv_file:
        write_atomically(csv_file, to_csv(attended, position))
    if out:
        name = source.resolve().name
        if position is None:
            figure, title = heat_maps(attended, lang), tell(lang, "Attention of {run}", run=name)
        else:
            figure = bars(attended, position, lang)
            title = tell(lang, "Attention of {run} at position {position}", run=name, position=position)
        figure.suptitle(title, parse_math=False)
        save(figure, out)
        click.echo(tell(lang, "wrote {path}", path=out))
        return
    columns, encoding = width(least=20), _output_encoding()
    if position is None:
        lines = all_heads(attended, columns, encoding, lang)
    else:
        lines = one_position(attended, position, columns, encoding, lang)
    for line in lines:
        click.echo(line)


def _output_encoding() -> str:
    # Under LC_ALL=C Python writes UTF-8 all the same, but the terminal may not know it.
    if locale.setlocale(locale.LC_CTYPE) in ("C", "POSIX"):
        return "ascii"
    return sys.stdout.encoding or "ascii"
