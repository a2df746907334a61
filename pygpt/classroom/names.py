"""What submissions are called: each by a name of its own, and by the same at every call into one folder of results."""

import json
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from pygpt.errors import PygptError
from pygpt.files import write_atomically
from pygpt.grading.submission import ENTRIES
from pygpt.output.messages import plain

INDEX = ".submissions"
"""In a folder of results: which submission each name belongs to (JSON)."""
OF_ALL = "class"
"""In a folder of results: the page, the table and the JUnit file of all submissions."""
_LONGEST = 200


def names_of(paths: Sequence[Path], out: Path | None) -> list[str]:
    """A name for each of different paths: plain text, fit for a file, no two alike, whatever their capitals.

    Args:
        out: the folder of results. Names that it has given keep their paths, and the new ones are noted there.

    Raises:
        PygptError: what was noted in `out` cannot be read or written.
    """
    known = {} if out is None else _read(out / INDEX)
    named = {place: name for name, place in known.items()}
    places = [_place(path, out) for path in paths]
    new = {place: _wishes(path) for place, path in zip(places, paths, strict=True) if place not in named}
    taken = {OF_ALL, *(name.casefold() for name in known)}
    for rank in (0, 1):
        wished = Counter(wishes[rank].casefold() for place, wishes in new.items() if place not in named)
        for place, wishes in new.items():
            name = wishes[rank]
            if place not in named and wished[name.casefold()] == 1 and name.casefold() not in taken:
                named[place] = name
                taken.add(name.casefold())
    for place, (first, _) in new.items():
        if place not in named:
            named[place] = _numbered(first, taken)
            taken.add(named[place].casefold())
    if out is not None and new:
        noted = known | {named[place]: place for place in new}
        write_atomically(out / INDEX, json.dumps(noted, indent=1) + "\n")
    return [named[place] for place in places]


def real(path: Path) -> Path:
    """Where a submission lies: without `.`, `..` and links in its folders; a file that is a link stays one."""
    return path.resolve() if path.is_dir() else path.parent.resolve() / path.name


def _place(path: Path, out: Path | None) -> str:
    """The path as it is noted: from the results on, so that both can be moved together."""
    place = str(real(path))
    try:
        return place if out is None else os.path.relpath(place, out.resolve())
    except ValueError:  # another drive
        return place


def _wishes(path: Path) -> tuple[str, str]:
    """The name that is wished for, and the one with the folder before it, where several wish for the same."""
    place = real(path)
    parts = [place.name if path.is_dir() else path.stem, *(folder.name for folder in place.parents)]
    telling = [part for part in parts if part.casefold() not in ENTRIES] or parts
    own = _cleaned(telling[0])
    return own, _cleaned(" ".join(reversed(telling[:2])))


def _cleaned(name: str) -> str:
    # In bytes, too: the results' names are longer, and file systems allow 255.
    short = plain(name, 80).encode()[:_LONGEST].decode("utf-8", "ignore")
    return short.replace("/", "_").lstrip(". ").rstrip() or "unnamed"


def _numbered(first: str, taken: set[str]) -> str:
    name, count = first, 1
    # Whoever calls a file "ana (2)" must not be given another's results; some file systems know no capitals.
    while name.casefold() in taken:
        count += 1
        name = f"{first} ({count})"
    return name


def _read(path: Path) -> dict[str, str]:
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise PygptError("cannot read {path}: {why}", path=path, why=error.strerror) from error
    except (ValueError, RecursionError):
        known = None
    if isinstance(known, dict) and all(isinstance(v, str) and _is_name(k) for k, v in known.items()):
        return known
    raise PygptError("{path} is damaged: remove it, and the submissions are named anew", path=path)


def _is_name(name: str) -> bool:
    """Whether a name could have been given here: no other may become a file's."""
    return bool(name) and name == plain(name) and not name.startswith((".", " ")) and "/" not in name
