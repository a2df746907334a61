"""Finding submissions, and making a clean copy of one: regular files only, bounded, no links, under a plain name."""

import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pygpt.errors import PygptError
from pygpt.grading.names import ENTRIES, names_of, real
from pygpt.output.messages import Message, say

SUFFIXES = (".py", ".ipynb")
_MOST_FILES, _MOST_BYTES = 300, 20 << 20


@dataclass(frozen=True)
class Submission:
    """One student's work."""

    path: Path
    name: str
    """As reports and their files call it: plain text, no slash."""


@dataclass(frozen=True)
class UnusableError(Exception):
    """There is nothing to load; `message` says why."""

    message: Message


def find(paths: Iterable[Path], folder_is_one: bool = False, out: Path | None = None) -> list[Submission]:
    """The submissions that the arguments name, each once; a folder that is not one student's is a class.

    Args:
        folder_is_one: every folder is one submission, as services hand it over.
        out: the folder of results, where names are noted: see `names_of`.

    Raises:
        PygptError: a path that does not exist, or a class with nothing in it.
    """
    submissions: dict[Path, Path] = {}
    for path in paths:
        if not os.path.exists(path):  # pathlib's raises an error where a name is too long
            raise PygptError("there is no submission {path}", path=path)
        entries = [path]
        if path.is_dir() and not folder_is_one and not _is_one(path):
            entries = [entry for entry in _entries(path) if out is None or real(entry) != out.resolve()]
            if not entries:
                raise PygptError("{path} holds no submission: no .py, no .ipynb, no folder", path=path)
        for entry in entries:
            submissions.setdefault(real(entry), entry)
    names = names_of(list(submissions.values()), out)
    return [Submission(path, name) for path, name in zip(submissions.values(), names, strict=True)]


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
    for stem in ENTRIES:
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


def _is_one(folder: Path) -> bool:
    """Whether a folder is one student's: a package, or with a file of a name that is asked for."""
    return (folder / "__init__.py").exists() or any((folder / f"{n}{s}").is_file() for n in ENTRIES for s in SUFFIXES)


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if _is_submission(path))
    except OSError as error:
        raise PygptError("cannot read {path}: {why}", path=folder, why=error.strerror) from error


def _is_submission(path: Path) -> bool:
    if path.name.startswith((".", "__")) or path.is_symlink():
        return False
    return path.is_dir() or path.suffix in SUFFIXES


def _identifier(name: str) -> str:
    return name if name.isidentifier() else "submission_folder"
