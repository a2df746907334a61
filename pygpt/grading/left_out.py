"""What of a submission was not run, and why, as sentences for its report."""

import platform
from collections import defaultdict
from collections.abc import Iterable
from importlib.metadata import version

from pygpt.output.messages import Listed, Message, say

_PYTHON = f"Python {platform.python_version()}"
_HERE = ", ".join([_PYTHON, *(f"{name} {version(name)}" for name in ("torch", "numpy"))])
_SENTENCES = {
    "syntax": say(
        "Left out, since it is not Python as this grader reads it ({here}; newer syntax is unknown to it): {places}.",
        here=_PYTHON,
    ),
    "encoding": say(
        "Left out, since it is not UTF-8: {places}. "
        "Save it as UTF-8, or name its encoding in the first line: {example}",
        example="# -*- coding: cp1252 -*-",
    ),
    "foreign": say("Left out, since these cells are not Python: {places}."),
    "command": say("Left out, since these are commands of the notebook: {places}."),
    "import": say("Left out, since these imports fail here and nothing that is graded needs them: {places}."),
    "missing": say(
        "What is graded needs this, and here it cannot be imported: {places}. "
        "There are {here}, and Python's own modules.",
        here=_HERE,
    ),
    "failed": say("Left out, since it failed: {places}."),
    "unused": say("Not run, since nothing that is graded needs it: {places}."),
    "taken": say("Taken from other files: {places}."),
}
_GUARD = say('What trains, reads or prints belongs below if __name__ == "__main__":')
_SHOWN, _LONGEST = 6, 70


def sentences(notes: Iterable[str], entry: str) -> list[Message]:
    """What the notes say, a sentence for each kind.

    Args:
        entry: the file that was loaded; others are named.
        notes: as the submission's process sends them, the fields of `reading.cells.Note` with tabs between them; those
            that cannot be read are left out.
    """
    by_kind: defaultdict[str, list[Message]] = defaultdict(list)
    in_scripts = False
    for kind, file, cell, first, last, quote, why in sorted(filter(None, map(_read, {*notes})), key=lambda n: n[1:5]):
        in_scripts |= kind == "unused" and not cell
        place = _place(cell, first, last)
        if file != entry:
            place = say("{file}, {place}", file=file, place=place) if first else say("{part}", part=file)
        quote = quote if len(quote) <= _LONGEST else quote[: _LONGEST - 1] + "…"
        words = say("{place}: {quote}", place=place, quote=quote) if quote else place
        by_kind[kind].append(say("{words} ({why})", words=words, why=why) if why else words)
    told = []
    for kind, sentence in _SENTENCES.items():
        places = by_kind[kind]
        if places:
            more = [say("{n} more", n=len(places) - _SHOWN)] if len(places) > _SHOWN else []
            told.append(Message(sentence.template, {**sentence.values, "places": Listed([*places[:_SHOWN], *more])}))
    return [*told, *([_GUARD] if in_scripts else [])]


def _read(note: str) -> tuple[str, str, int, int, int, str, str] | None:
    try:
        kind, file, cell, first, last, quote, why = note.split("\t")
        return (kind, file, int(cell), int(first), int(last), quote, why) if kind in _SENTENCES else None
    except ValueError:
        return None


def _place(cell: int, first: int, last: int) -> Message:
    if cell:
        return say("cell {cell}, line {line}", cell=cell, line=first)
    return say("line {line}", line=first) if first == last else say("lines {first} to {last}", first=first, last=last)
