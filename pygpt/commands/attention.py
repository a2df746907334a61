"""`attention`: what a trained GPT attends to in a text."""

import locale
import shutil
import sys
from pathlib import Path

import click


@click.command(
    epilog='Example: attention --run runs/gpt --text "MARCIUS: " --position 9; or the same with --out attention.png'
)
@click.option("--run", "folder", required=True, type=click.Path(path_type=Path), help="Folder of the run.")
@click.option("--text", default="MARCIUS: ", show_default=True, help="Text to look at; its last block is shown.")
@click.option("--position", type=int, help="Show the largest contributions to this position only; the first is 1.")
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path),
    help="Write a picture there (.png or .svg) in place of the text view.",
)  # fmt: skip
@click.option("--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), help="Write the numbers there.")
@click.option(
    "--csv", "csv_file", type=click.Path(dir_okay=False, path_type=Path),
    help="Write the numbers there, a line for each layer, head, query and key, large weights first.",
)  # fmt: skip
def attention(
    folder: Path, text: str, position: int | None, out: Path | None, json_file: Path | None, csv_file: Path | None
) -> None:
    """Show the attention weights of each layer and head of a trained GPT for a text.

    A weight w_ij, from 0 to 1, is what position i (query) gives to position j (key); the weights of a position sum
    to 1. Without --out they are shown as text.
    """
    from pygpt import checkpoints
    from pygpt.attention import figure as attention_figure
    from pygpt.attention import text as attention_text
    from pygpt.attention import view as attention_view
    from pygpt.files import write_atomically

    if out:
        attention_figure.check_kind(out)
    run = checkpoints.open_run(folder)
    shown = attention_view.view(checkpoints.load_model(run), run.vocabulary, text)
    if position is not None:
        attention_view.check_position(shown, position)
    if shown.left_out:
        click.echo(
            f"The text has {len(text)} characters, the model sees {run.model.block_size} (block_size): the last "
            f"{len(shown.text)} are shown, and position 1 is character {shown.left_out + 1}.",
            err=True,
        )
    if json_file:
        write_atomically(json_file, attention_view.to_json(shown, str(folder), position))
    if csv_file:
        write_atomically(csv_file, attention_view.to_csv(shown, position))
    if out:
        title = f"Attention of {folder.resolve().name}" + ("" if position is None else f" at position {position}")
        attention_figure.draw(shown, out, title, position)
        click.echo(f"wrote {out}")
        return
    width, encoding = shutil.get_terminal_size((120, 24)).columns, _output_encoding()
    if position is None:
        lines = attention_text.all_heads(shown, width, encoding)
    else:
        lines = attention_text.one_position(shown, position, width, encoding)
    for line in lines:
        click.echo(line)


def _output_encoding() -> str:
    # Under LC_ALL=C Python writes UTF-8 all the same, but the terminal may not know it.
    if locale.setlocale(locale.LC_CTYPE) in ("C", "POSIX"):
        return "ascii"
    return sys.stdout.encoding or "ascii"
