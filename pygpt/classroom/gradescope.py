"""Gradescope's autograder zip: a setup script that installs this package, a run script that grades one submission."""

import io
import tomllib
import zipfile
from pathlib import Path

import pygpt
from pygpt.errors import PygptError
from pygpt.exercises.opening import files

# Every container holds one submission, so a container without namespaces is still apart from the others; there the
# submission runs as another user, who can read neither the package nor the results.
_SETUP = """#!/usr/bin/env bash
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive UV_PYTHON_INSTALL_DIR=/autograder/python
apt-get update
apt-get install -y bubblewrap python3 python3-venv
python=/usr/bin/python3
$python -m venv /autograder/uv
/autograder/uv/bin/pip install uv
# Ubuntu 22.04, Gradescope's default, has Python 3.10, and beside it a release candidate of 3.11 that torch fails on.
$python -c 'import sys; sys.exit(sys.version_info < (3, 11, 0, "final"))' || python=3.12
/autograder/uv/bin/uv venv --python $python /autograder/venv
/autograder/uv/bin/uv pip install --python /autograder/venv/bin/python --torch-backend cpu \\
  -c /autograder/source/constraints.txt /autograder/source
chmod -R go-rwx "$(/autograder/venv/bin/python -c 'import pygpt, os; print(os.path.dirname(pygpt.__file__))')"
chmod -R go-rwx /autograder/source
"""
_RUN = """#!/usr/bin/env bash
set -u
mkdir -p /autograder/results
chmod 700 /autograder/results
grade() {{ /autograder/venv/bin/pygpt grade run /autograder/submission {options} \\
  --gradescope /autograder/results/results.json "$@"; }}
if /autograder/venv/bin/pygpt grade doctor; then grade; else grade --unsafe; fi
true
"""


def autograder_zip(rubric: Path | None, lang: str, exercise: Path | None = None) -> bytes:
    """The zip.

    Args:
        exercise: the exercise's file, or what is prepared of it; None for the course's own.

    Raises:
        PygptError: this pygpt is not a checkout, whose sources the zip needs.
    """
    root = Path(pygpt.__file__).parent.parent
    if not (root / "pyproject.toml").is_file():
        raise PygptError("the autograder's zip holds pygpt's sources: make it in a checkout of pygpt")
    both = [] if exercise is None else [*files(exercise).values()]
    options = f"--lang {lang}" + (" --rubric /autograder/source/rubric.toml" if rubric else "")
    options += f" --exercise /autograder/source/exercise/{both[0].path.name}" if both else ""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        _add(archive, "setup.sh", _SETUP.encode(), executable=True)
        _add(archive, "run_autograder", _RUN.format(options=options).encode(), executable=True)
        if rubric is not None:
            _add(archive, "rubric.toml", rubric.read_bytes())
        for one in both:
            _add(archive, f"exercise/{one.path.name}", one.folder.read(one.path.name))
        for file in _sources(root):
            _add(archive, str(file.relative_to(root)), file.read_bytes())
    return out.getvalue()


def _sources(root: Path) -> list[Path]:
    """What pip needs to build the package: what a source distribution holds, and the versions it was tested with."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    names = ["pyproject.toml", "constraints.txt", *project["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]]
    paths = [path for name in names for path in (root / name, *sorted((root / name).rglob("*")))]
    return [path for path in paths if path.is_file() and "__pycache__" not in path.parts]


def _add(archive: zipfile.ZipFile, name: str, content: bytes, executable: bool = False) -> None:
    # A fixed date: the same sources give the same bytes.
    info = zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0))
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = (0o100755 if executable else 0o100644) << 16
    archive.writestr(info, content)
