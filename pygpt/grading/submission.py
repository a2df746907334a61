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
_MOST_FILES, _MOST_BYTES = 300, 20 << 20
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
        # Another user may have to read it.
        folder.chmod(0o755)
        copied = folder / "s"
        copied.mkdir()
        digest = hashlib.sha256()
        entry = _entry(submission.path)
        # A file that stands in its own folder may import its neighbours; one in a class folder stands alone.
        whole = submission.path.is_dir()
        source = submission.path if whole else entry
        target = copied / (_identifier(source.name) if whole else f"submission{entry.suffix}")
        budget = [_MOST_FILES, _MOST_BYTES]
        _copy(source, target, digest, budget)
        yield (target if entry == source else target / entry.name), digest.hexdigest()
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
    except OSError as error:
        raise UnusableError(say("cannot be read: {error}", error=str(error.strerror))) from error
    if stat.S_ISDIR(kind.st_mode):
        target.mkdir(mode=0o755)
        for child in sorted(source.iterdir()):
            if child.name != "__pycache__" and not child.name.startswith("."):
                _copy(child, target / child.name, digest, budget)
        return
    if not stat.S_ISREG(kind.st_mode):
        return  # links, devices, pipes: left out
    budget[0] -= 1
    budget[1] -= kind.st_size
    if min(budget) < 0:
        raise UnusableError(say("too large: more than {n} files or {m} MiB", n=_MOST_FILES, m=_MOST_BYTES >> 20))
    try:
        descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW)
        with os.fdopen(descriptor, "rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise UnusableError(say("cannot be read: {error}", error=str(error.strerror))) from error
    digest.update(f"{target.name}\0{len(data)}\0".encode("utf-8", "replace") + data)
    target.write_bytes(data)
    target.chmod(0o644)


def _is_submission(path: Path) -> bool:
    if path.name.startswith((".", "__")) or path.is_symlink():
        return False
    return path.is_dir() or path.suffix in SUFFIXES


def _named(paths: list[Path]) -> list[Submission]:
    used: dict[str, int] = {}
    found = []
    for path in paths:
        stem = path.resolve().name if path.is_dir() else path.stem
        name = plain(stem, 80).replace("/", "_").lstrip(".") or "unnamed"
        used[name] = used.get(name, 0) + 1
        found.append(Submission(path, name if used[name] == 1 else f"{name} ({used[name]})"))
    return found


def _identifier(name: str) -> str:
    return name if name.isidentifier() else "submission_folder"
