"""Files by name, in a folder or in a zip: what an exercise is kept in."""

import hashlib
import json
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pygpt.errors import PygptError

MOST_BYTES = 1 << 28
"""Of one file: what is larger is no part of an exercise."""


@dataclass(frozen=True)
class Folder:
    """A folder, or a zip that is read as one."""

    path: Path

    @property
    def is_zip(self) -> bool:
        """Whether it is a zip."""
        return self.path.is_file()

    def holds(self, name: str) -> bool:
        """Whether there is such a file."""
        if not self.is_zip:
            return (self.path / name).is_file()
        with _opened(self.path) as archive:
            return name in archive.namelist()

    def read(self, name: str) -> bytes:
        """The bytes of a file.

        Raises:
            PygptError: it is not there, cannot be read, or is larger than any that an exercise has.
        """
        path = self.path / name
        try:
            if self.is_zip:
                with _opened(self.path) as archive, archive.open(name) as file:
                    content = file.read(MOST_BYTES + 1)
            else:
                with path.open("rb") as file:
                    content = file.read(MOST_BYTES + 1)
        except OSError as error:
            raise PygptError("cannot read {path}: {why}", path=path, why=error.strerror or str(error)) from error
        except KeyError as error:
            raise PygptError("{path} lacks {name}: it is damaged", path=self.path, name=name) from error
        except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, ValueError) as error:
            raise PygptError("{path} is damaged: {why}", path=self.path, why=str(error)) from error
        if len(content) > MOST_BYTES:
            raise PygptError("{path} is too large to be part of an exercise", path=path)
        return content

    def content(self, name: str, format: int) -> dict[str, Any]:
        """What a JSON file of this format says.

        Raises:
            PygptError: as `read`, it is no such file, or of another format.
        """
        path = self.path / name
        try:
            content: dict[str, Any] = json.loads(self.read(name))
            version = content["format"]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise damaged(path) from error
        if version != format:
            raise PygptError(
                "{path} has format {version}; this pygpt reads format {known}. Prepare the exercise with this pygpt, "
                "or take the pygpt that prepared it.",
                path=path, version=str(version), known=format,
            )  # fmt: skip
        return content

    def checked(self, name: str, sha256: str) -> bytes:
        """The same, where the bytes have this SHA-256.

        Raises:
            PygptError: as `read`, or they have not.
        """
        content = self.read(name)
        if (here := hashlib.sha256(content).hexdigest()) != sha256:
            raise PygptError(
                "{path} is damaged: its SHA-256 is {here}, not {there}", path=self.path / name, here=here, there=sha256
            )
        return content


def damaged(path: Path) -> PygptError:
    """Of a file that `exercise prepare` would not have written."""
    return PygptError("{path} is damaged: it is not what R gives for an exercise", path=path)


def _opened(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile) as error:
        raise PygptError("{path} is neither an exercise's file, nor a folder, nor a zip of one", path=path) from error
