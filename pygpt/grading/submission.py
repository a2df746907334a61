"""Finding submissions, and making a clean copy of one: regular files only, bounded, no links, under a plain name."""

import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pygpt.errors import PygptError
from pygpt.grading.messages import Message, plain, say

SUFFIXES = (".py", ".ipynb")
_MOST_FILES, _MOST_BYTES, _LONGEST_NAME = 300, 20 << 20, 200
_ENTRY = ("submission", "model", "main")


@dataclass(frozen=True)
class Submission:
    """One student's work."""

    path: Path
    name: str
    """As shown and as its report is called: plain text, no slash."""


@dataclass(frozen=True)
class UnusableError(Exception):
    """There is nothing to load; `message` says why."""

    message: Message


def find(paths: tuple[Path, ...], folder_is_one: bool = False) -> list[Submission]:
    """The submissions that the arguments name; a folder without `__init__.py` is a class.

    Args:
        folder_is_one: such a folder is one submission all the same, as services hand it over.

    Raises:
        PygptError: a path that does not exist, or a class with nothing in it.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir() and not (path / "__init__.py").exists() and not folder_is_one:
            entries = sorted(p for p in path.iterdir() if _is_submission(p))
            if not entries:
                raise PygptError(f"{path} holds no submission: no .py, no .ipynb, no folder")
            found += entries
        elif path.exists():
            found.append(path)
        else:
            raise PygptError(f"there is no submission {path}")
    return _named(found)


@contextmanager
def staged(submission: Submission) -> Iterator[tuple[Path, str]]:
    """A copy of a submission to load, alone in its folder, and the SHA-256 of what was copied.

    Raises:
        UnusableError: nothing to load, or too large.
    """
    folder = Path(tempfile.mkdtemp(prefix="pygpt-grade-"))
    try:
        copied = folder / "s"
        copied.mkdir()
        # Another user may have to read it, whatever the umask.
        for made in (folder, copied):
            made.chmod(0o755)
        digest = hashlib.sha256()
        entry = _entry(submission.path)
        # A file that stands in its own folder may import its neighbours; one in a class folder stands alone.
        whole = submission.path.is_dir()
        source = submission.path if whole else entry
        target = copied / (_identifier(source.name) if whole else f"submission{entry.suffix}")
        budget = [_MOST_FILES, _MOST_BYTES]
        _copy(source, target, digest, budget)
        loaded = target if entry == source else target / entry.name
        if not loaded.exists():
            raise UnusableError(say("cannot be read: {error}", error="a link, or no file at all"))
        yield loaded, digest.hexdigest()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _entry(path: Path) -> Path:
    """What is loaded: the file itself, the package itself, or the one file in a folder."""
    if not path.is_dir():
        return path
    if (path / "__init__.py").is_file():
        return path
    files = sorted(p for p in path.iterdir() if p.suffix in SUFFIXES and p.is_file() and not p.is_symlink())
    if len(files) == 1:
        return files[0]
    if not files:
        raise UnusableError(say("there is no .py and no .ipynb file in it"))
    by_stem = {p.stem: p for p in reversed(files)}
    for stem in _ENTRY:
        if stem in by_stem:
            return by_stem[stem]
    raise UnusableError(
        say(
            "{n} files could be meant: call yours submission.py, or make the folder a package (__init__.py)",
            n=len(files),
        )
    )


def _copy(source: Path, target: Path, digest: "hashlib._Hash", budget: list[int]) -> None:
    try:
        kind = source.lstat()
        if not stat.S_ISDIR(kind.st_mode) and not stat.S_ISREG(kind.st_mode):
            return  # links, devices, pipes: left out
        # Folders count, too: so many bound the depth as well.
        budget[0] -= 1
        budget[1] -= kind.st_size if stat.S_ISREG(kind.st_mode) else 0
        if min(budget) < 0:
            raise UnusableError(say("too large: more than {n} files or {m} MiB", n=_MOST_FILES, m=_MOST_BYTES >> 20))
        if stat.S_ISDIR(kind.st_mode):
            target.mkdir()
            target.chmod(0o755)
            children = sorted(source.iterdir())
        else:
            _copy_file(source, target, digest)
            children = []
    except OSError as error:
        raise UnusableError(say("cannot be read: {error}", error=str(error.strerror))) from error
    for child in children:
        if child.name != "__pycache__" and not child.name.startswith("."):
            _copy(child, target / child.name, digest, budget)


def _copy_file(source: Path, target: Path, digest: "hashlib._Hash") -> None:
    descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW)
    with os.fdopen(descriptor, "rb") as file:
        data = file.read(_MOST_BYTES + 1)
    digest.update(f"{target.name}\0{len(data)}\0".encode("utf-8", "replace") + data)
    target.write_bytes(data)
    target.chmod(0o644)


def _is_submission(path: Path) -> bool:
    if path.name.startswith((".", "__")) or path.is_symlink():
        return False
    return path.is_dir() or path.suffix in SUFFIXES


def _named(paths: list[Path]) -> list[Submission]:
    taken: set[str] = set()
    found = []
    for path in paths:
        stem = path.resolve().name if path.is_dir() else path.stem
        # In bytes, too: the results' names are longer, and file systems allow 255.
        short = plain(stem, 80).encode()[:_LONGEST_NAME].decode("utf-8", "ignore")
        name = first = short.replace("/", "_").lstrip(". ") or "unnamed"
        count = 1
        # Whoever calls a file "ana (2)" must not be given another's results; some file systems know no capitals.
        while name.casefold() in taken:
            count += 1
            name = f"{first} ({count})"
        taken.add(name.casefold())
        found.append(Submission(path, name))
    return found


def _identifier(name: str) -> str:
    return name if name.isidentifier() else "submission_folder"
