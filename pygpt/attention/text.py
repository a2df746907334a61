"""A text's attention as text: for any width, in a terminal or a pipe, and in ASCII where the output holds no more."""

import textwrap
from collections.abc import Iterator

from pygpt.attention.view import AttentionView, largest

_VISIBLE = {" ": "␣", "\n": "↵", "\t": "⇥"}
_PLAIN = {" ": "_", "\n": "|", "\t": ">"}
_LABEL, _CELL, _PAIR = 5, 4, 9
_LISTED = 10


def visible(character: str, encoding: str | None = None) -> str:
    """One sign for a character: newline, space and tab too; ? for what has no sign.

    Args:
        encoding: what the output can hold; `ascii` writes | for a newline and _ for a space. None holds everything.
    """
    signs = _VISIBLE if encoding is None or _holds(encoding, "".join(_VISIBLE.values())) else _PLAIN
    sign = signs.get(character, character)
    return sign if sign.isprintable() and (encoding is None or _holds(encoding, sign)) else "?"


def all_heads(shown: AttentionView, width: int, encoding: str) -> Iterator[str]:
    """Lines for every layer and head: its weights as a matrix in percent, or a list where `width` is too narrow."""
    signs = [visible(c, encoding) for c in shown.text]
    fits = _LABEL + _CELL * len(signs) <= width
    if fits:
        words = "Rows: query i. Columns: key j. Weights w_ij in percent; . is below 0.5; blank is the future."
    else:
        words = "Each line: query i, then the keys j of its largest weights w_ij, in percent."
    yield _wrapped(f"{words} {_legend(encoding)}", width)
    for layer, head in shown.heads():
        yield f"\nlayer {layer}, head {head}"
        yield from (_matrix if fits else _list)(shown, layer, head, signs, width)


def one_position(shown: AttentionView, position: int, width: int, encoding: str) -> Iterator[str]:
    """Lines of the largest contributions to `position` (from 1), of every layer and head."""
    yield _wrapped(
        f"Position {position}, {visible(shown.text[position - 1], encoding)}: what it takes from each position j. "
        f"weight: w_ij. length: Euclidean norm of w_ij (x_j' U_V) U_O. {_legend(encoding)}",
        width,
    )
    for layer, head in shown.heads():
        found = largest(shown, layer, head, position)
        yield f"\nlayer {layer}, head {head}"
        yield "    j   weight  length"
        for c in found[:_LISTED]:
            bar = "#" * round(c.weight * max(0, min(width - 25, 40)))
            yield f"{c.key:5} {visible(c.character, encoding)} {c.weight:7.4f} {c.length:7.3f}  {bar}".rstrip()
        if len(found) > _LISTED:
            rest = sum(c.weight for c in found[_LISTED:])
            yield f"  and {len(found) - _LISTED} more, together {rest:.4f}"


def _matrix(shown: AttentionView, layer: int, head: int, signs: list[str], _width: int) -> Iterator[str]:
    yield " " * _LABEL + "".join(f"{sign:>{_CELL}}" for sign in signs)
    for i, row in enumerate(shown.weights[layer - 1, head - 1]):
        cells = (f"{100 * w:.0f}" if w >= 0.005 else "." for w in row[: i + 1])
        yield f"{i + 1:3} {signs[i]}" + "".join(f"{cell:>{_CELL}}" for cell in cells)


def _list(shown: AttentionView, layer: int, head: int, signs: list[str], width: int) -> Iterator[str]:
    count = max(1, min(6, (width - _LABEL - 1) // _PAIR))
    for i in range(1, len(signs) + 1):
        pairs = (f"{c.key:3} {signs[c.key - 1]}{100 * c.weight:4.0f}" for c in largest(shown, layer, head, i)[:count])
        yield f"{i:3} {signs[i - 1]}:" + "".join(f"{pair:>{_PAIR}}" for pair in pairs)


def _wrapped(words: str, width: int) -> str:
    return textwrap.fill(words, max(20, width))


def _legend(encoding: str) -> str:
    return f"{visible(' ', encoding)} is a space, {visible(chr(10), encoding)} a newline."


def _holds(encoding: str, sign: str) -> bool:
    try:
        sign.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True
