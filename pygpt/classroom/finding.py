"""Finding submissions: one file, one student's folder, or a class."""

import os
from collections.abc import Iterable
from pathlib import Path

from pygpt.classroom.names import names_of, real
from pygpt.errors import PygptError
from pygpt.grading.submission import ENTRIES, SUFFIXES, Submission, content, is_submission
from pygpt.isolation.reading.cells import imported


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


def _is_one(folder: Path) -> bool:
    """Whether a folder is one student's: a package, with a file of a name that is asked for, or of files that belong
    together, since each imports another, is imported by it, or is a notebook's export.
    """
    if (folder / "__init__.py").exists() or any((folder / f"{n}{s}").is_file() for n in ENTRIES for s in SUFFIXES):
        return True
    files = [path for path in _entries(folder) if path.is_file()]
    try:
        imports = {file: imported(content(file)) for file in files}
    except OSError:  # whose it is will be told where it is copied
        return False
    joined, new = set(files[:1]), set(files[:1])
    while new:
        new = {
            file
            for file in set(files) - joined
            for other in joined
            if file.stem == other.stem or file.stem in imports[other] or other.stem in imports[file]
        }
        joined |= new
    return 1 < len(files) == len(joined)


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if is_submission(path))
    except OSError as error:
        raise PygptError("cannot read {path}: {why}", path=folder, why=error.strerror) from error
