"""Making a clean copy of a submission: regular files only, bounded, no links, under a plain name."""

import hashlib
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pygpt.isolation.reading.cells import defined
from pygpt.output.messages import Message, say
from pygpt.settings import R_MODELS

SUFFIXES = (".py", ".ipynb")
IN_R = say("This is R: a port is in Python, in a .py or .ipynb file (`grade template` gives one to start from).")
ENTRIES = ("submission", "model", "main")
"""Names that say nothing of whose work it is: the enclosing folder's name is taken."""
_R_FILES = (".r", ".rmd", ".qmd", ".rnw")
_R_CODE = re.compile(rb'<-\s*(?:\w+::)?(?:nn_module|function)\s*\(|"(?:language|name)":\s*"(?:R|ir)"')
_MOST_FILES, _MOST_BYTES = 300, 20 << 20


@dataclass(frozen=True)
class Submission:
    """One student's work."""

    path: Path
    name: str
    """As reports and their files call it: plain text, no slash."""


@dataclass(frozen=True)
class Staged:
    """The copy that is graded."""

    path: Path
    """What is loaded of it: a file, or a package's folder."""
    root: Path
    """The folder that holds all of it, and nothing else."""
    sha256: str


@dataclass(frozen=True)
class UnusableError(Exception):
    """There is nothing to load; `message` says why."""

    message: Message


@contextmanager
def staged(submission: Submission, models: Sequence[str] = tuple(R_MODELS.values())) -> Iterator[Staged]:
    """A copy of a submission to load, alone in its folder.

    Args:
        models: what the file that is loaded of a folder defines one of, the first of these first.

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
        entry = _entry(submission.path, models)
        # A file that stands in its own folder may import its neighbours; one in a class folder stands alone.
        whole = submission.path.is_dir()
        source = submission.path if whole else entry
        target = copied / (_identifier(source.name) if whole else f"submission{entry.suffix}")
        budget = [_MOST_FILES, _MOST_BYTES]
        _copy(source, target, digest, budget)
        loaded = target / entry.relative_to(source)
        if not loaded.exists():
            raise UnusableError(say("cannot be read: {error}", error="a link, or no file at all"))
        yield Staged(loaded, copied, digest.hexdigest())
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def is_r(path: Path) -> bool:
    """Whether a file that defines no model holds R code."""
    return path.suffix.lower() in _R_FILES or (path.is_file() and bool(_R_CODE.search(content(path))))


def content(file: Path) -> bytes:
    """Its bytes, as far as a submission's may go."""
    with file.open("rb") as opened:
        return opened.read(_MOST_BYTES)


def _entry(path: Path, models: Sequence[str]) -> Path:
    """What is loaded: the file itself, the package itself, or of a folder's files the one that defines the models."""
    if not path.is_dir():
        if path.suffix in (*SUFFIXES, ""):
            return path
        raise UnusableError(IN_R if is_r(path) else say("{name} is no .py and no .ipynb file", name=path.name))
    try:
        if _is_package(path):
            return path
        first: list[Path] = []
        for files in _levels(path):
            for model in models:
                if some := [file for file in files if defined(content(file), [model])]:
                    return _only(some)
            first = first or files
    except OSError as error:
        raise UnusableError(say("cannot be read: {error}", error=str(error.strerror))) from error
    if not first:
        in_r = any(file.suffix.lower() in _R_FILES for file in path.iterdir())
        raise UnusableError(IN_R if in_r else say("there is no .py and no .ipynb file in it"))
    return _only(first)


def _is_package(folder: Path) -> bool:
    """Whether a folder is loaded as one: by an `__init__.py` that says where the models are."""
    init = folder / "__init__.py"
    return init.is_file() and re.search(rb"GPT|import", content(init)) is not None


def _levels(folder: Path) -> Iterator[list[Path]]:
    """The files that could be loaded: those of the folder, then those one folder deeper, and so on."""
    level, seen = [folder], 0
    while level:
        inside = sorted(path for one in level for path in one.iterdir() if is_submission(path))
        seen += len(inside)
        if seen > _MOST_FILES or any(path.stat().st_size > _MOST_BYTES for path in inside):
            raise UnusableError(_too_large())
        level = [path for path in inside if path.is_dir()]
        yield [path for path in inside if path.is_file()]


def _only(files: list[Path]) -> Path:
    """The one file that is meant: a notebook is, not its export; of equal files the first."""
    files = [f for f in files if f.suffix == ".ipynb" or f.with_suffix(".ipynb") not in files]
    different = list({content(file): file for file in reversed(files)}.values())
    named = [file for stem in ENTRIES for file in files if file.stem == stem]
    if len(different) > 1 and not named:
        names = ", ".join(file.name for file in files)
        raise UnusableError(
            say(
                "{n} files could be meant ({names}): call yours submission.py",
                n=len(files),
                names=names,
            )
        )
    return (named or different)[0]


def _copy(source: Path, target: Path, digest: "hashlib._Hash", budget: list[int]) -> None:
    try:
        kind = source.lstat()
        if not stat.S_ISDIR(kind.st_mode) and not stat.S_ISREG(kind.st_mode):
            return  # links, devices, pipes: left out
        # Folders count, too: so many bound the depth as well.
        budget[0] -= 1
        budget[1] -= kind.st_size if stat.S_ISREG(kind.st_mode) else 0
        if min(budget) < 0:
            raise UnusableError(_too_large())
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


def _too_large() -> Message:
    return say("too large: more than {n} files or {m} MiB", n=_MOST_FILES, m=_MOST_BYTES >> 20)


def is_submission(path: Path) -> bool:
    """Whether something in a folder may be one, by its name and kind."""
    if path.name.startswith((".", "__")) or path.is_symlink():
        return False
    return path.is_dir() or path.suffix in SUFFIXES


def _identifier(name: str) -> str:
    return name if name.isidentifier() else "submission_folder"
