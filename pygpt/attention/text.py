"""A text's attention as text: for any width, in a terminal or a pipe, and in ASCII where the output holds no more."""

import textwrap
from collections.abc import Iterator

from pygpt.attention.view import AttentionView
from pygpt.output.messages import Message, number, say, tell
from pygpt.output.tables import lines

_VISIBLE = {" ": "␣", "\n": "↵", "\t": "⇥"}
_PLAIN = {" ": "_", "\n": "|", "\t": ">"}
_LABEL, _CELL, _PAIR = 5, 4, 9
_LISTED, _LONGEST_BAR = 10, 40
# What a line of `one_position` holds beside its bar: position, character, weight and length.
_NUMBERS = 28


def visible(character: str, encoding: str | None = None) -> str:
    """One sign for a character: newline, space and tab too; ? for what has no sign.

    Args:
        encoding: what the output can hold; `ascii` writes | for a newline and _ for a space. None holds everything.
    """
    signs = _VISIBLE if encoding is None or _holds(encoding, "".join(_VISIBLE.values())) else _PLAIN
    sign = signs.get(character, character)
    return sign if sign.isprintable() and (encoding is None or _holds(encoding, sign)) else "?"


def all_heads(view: AttentionView, width: int, encoding: str, lang: str) -> Iterator[str]:
    """Lines for every layer and head: its weights as a matrix in percent, or a list where `width` is too narrow.

    Args:
        width: columns to fill, 20 or more.
        encoding: what the output can hold.
        lang: one of `messages.LANGUAGES`.
    """
    signs = [visible(c, encoding) for c in view.text]
    fits = _LABEL + _CELL * len(signs) <= width
    how_to_read = say(
        "Rows: query i. Columns: key j. Weights w_ij in percent; . is below 0.5; blank is the future. {signs}"
        if fits
        else "Each line: query i, then the keys j of its largest weights w_ij, in percent. {signs}",
        signs=_legend(encoding),
    )
    yield textwrap.fill(how_to_read.render(lang), width)
    for layer, head in view.heads():
        yield _title(layer, head, lang)
        yield from (_matrix if fits else _list)(view, layer, head, signs, width)


def one_position(view: AttentionView, position: int, width: int, encoding: str, lang: str) -> Iterator[str]:
    """Lines of the largest contributions to `position` (from 1), of every layer and head; `width` as in `all_heads`.

    Raises:
        PygptError: the text has no such position.
    """
    how_to_read = tell(
        lang,
        "Position {position}, {character}: what it takes from each position j. weight: w_ij. "
        "length: Euclidean norm of w_ij (x_j' U_V) U_O. {signs}",
        position=position,
        character=visible(view.text[position - 1], encoding),
        signs=_legend(encoding),
    )
    yield textwrap.fill(how_to_read, width)
    longest_bar = max(0, min(width - _NUMBERS, _LONGEST_BAR))
    header = ("j", "", tell(lang, "weight"), tell(lang, "length"), "")
    for layer, head in view.heads():
        contributions = view.largest(layer, head, position)
        yield _title(layer, head, lang)
        rows = [
            (
                str(c.key),
                visible(c.character, encoding),
                number(c.weight, ".4f", lang),
                number(c.length, ".3f", lang),
                "#" * round(c.weight * longest_bar),
            )
            for c in contributions[:_LISTED]
        ]
        yield from lines(header, rows, left=(1, 4))
        if rest := contributions[_LISTED:]:
            together = sum(c.weight for c in rest)
            yield "  " + tell(lang, "and {count} more, together {weight:.4f}", count=len(rest), weight=together)


def _title(layer: int, head: int, lang: str) -> str:
    return "\n" + tell(lang, "layer {layer}, head {head}", layer=layer, head=head)


def _matrix(view: AttentionView, layer: int, head: int, signs: list[str], _width: int) -> Iterator[str]:
    yield " " * _LABEL + "".join(f"{sign:>{_CELL}}" for sign in signs)
    for i, row in enumerate(view.weights[layer - 1, head - 1]):
        cells = ("." if w < 0.005 else f"{100 * w:.0f}" for w in row[: i + 1])
        yield f"{i + 1:3} {signs[i]}" + "".join(f"{cell:>{_CELL}}" for cell in cells)


def _list(view: AttentionView, layer: int, head: int, signs: list[str], width: int) -> Iterator[str]:
    count = max(1, min(6, (width - _LABEL - 1) // _PAIR))
    for i in range(1, len(signs) + 1):
        pairs = (f"{c.key:3} {signs[c.key - 1]}{100 * c.weight:4.0f}" for c in view.largest(layer, head, i)[:count])
        yield f"{i:3} {signs[i - 1]}:" + "".join(f"{pair:>{_PAIR}}" for pair in pairs)


def _legend(encoding: str) -> Message:
    return say(
        "{space} is a space, {newline} a newline.", space=visible(" ", encoding), newline=visible("\n", encoding)
    )


def _holds(encoding: str, sign: str) -> bool:
    try:
        sign.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True
