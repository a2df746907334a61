"""Writing files so that a crash, a kill or a full disk never leaves half of one; where the data's files are."""

import contextlib
import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from pygpt.errors import PygptError


def write_atomically(path: Path, content: bytes | str) -> None:
    """Write `content` to a temporary name beside `path`, flush it to disk, and rename it.

    Raises:
        PygptError: the file cannot be written (no space, no permission); what `path` held is kept.
    """
    with replacing(path) as file:
        file.write(content.encode("utf-8") if isinstance(content, str) else content)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file to write to under a temporary name, which takes the place of `path` when all went well.

    Raises:
        PygptError: as `write_atomically`.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _clear_partial(path)
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise PygptError("cannot write {path}: {why}", path=path, why=error.strerror or error) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def _clear_partial(path: Path) -> None:
    """Remove what writers of `path` left that were killed: no process here has their number any more."""
    start, end = f".{path.name}.", ".partial"
    for name in os.listdir(path.parent):
        writer = name[len(start) : -len(end)] if name.startswith(start) and name.endswith(end) else ""
        if writer.isdecimal() and not _runs(int(writer)):
            path.with_name(name).unlink(missing_ok=True)


def _runs(pid: int) -> bool:
    if os.name == "nt":  # there is no harmless signal: what was left stays
        return True
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return True


def shipped(path: str) -> Path:
    """A file that comes with pygpt, by its path in the checkout; where pygpt is installed it lies in the package."""
    here = Path(__file__).parent
    installed = here / "shipped" / path
    return installed if installed.exists() else here.parent / path


def json_text(content: object, indent: int | None = 1) -> str:
    """JSON for a file or a program; a number that is not finite is null, since JSON has none.

    Args:
        indent: spaces a level; None is one line, for what holds thousands of numbers.
    """
    return json.dumps(_finite(content), ensure_ascii=False, indent=indent, allow_nan=False) + "\n"


def _finite(value: object) -> object:
    if isinstance(value, dict):
        return {key: _finite(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
