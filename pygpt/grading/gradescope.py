"""Gradescope's autograder zip: a setup script that installs this package, a run script that grades one submission."""

import io
import zipfile
from pathlib import Path

import pygpt
from pygpt.errors import PygptError

# Every container holds one submission, so a container without namespaces is still apart from the others; there the
# submission runs as another user, who can read neither the package nor the results.
_SETUP = """#!/usr/bin/env bash
set -euo pipefail
apt-get update
apt-get install -y bubblewrap python3 python3-venv
python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "pygpt needs Python 3.11 or newer"; exit 1; }
python3 -m venv /autograder/venv
/autograder/venv/bin/pip install -c /autograder/source/constraints.txt /autograder/source
chmod -R go-rwx "$(/autograder/venv/bin/python -c 'import pygpt, os; print(os.path.dirname(pygpt.__file__))')"
chmod -R go-rwx /autograder/source
"""
_RUN = """#!/usr/bin/env bash
set -u
mkdir -p /autograder/results
chmod 700 /autograder/results
grade() {{ /autograder/venv/bin/pygpt grade /autograder/submission {options} \\
  --gradescope /autograder/results/results.json "$@"; }}
if /autograder/venv/bin/pygpt grade doctor; then grade; else grade --unsafe; fi
true
"""
_WHOLE = ("pyproject.toml", "constraints.txt", "README.md", "LICENSE", "CHANGELOG.md")


def autograder_zip(lang: str, rubric: Path | None) -> bytes:
    """The zip.

    Raises:
        PygptError: this pygpt is not a checkout, whose sources the zip needs.
    """
    root = Path(pygpt.__file__).parent.parent
    if not (root / "pyproject.toml").is_file():
        raise PygptError("--gradescope-zip needs a checkout: the zip holds pygpt's sources")
    options = f"--lang {lang}" + (" --rubric /autograder/source/rubric.toml" if rubric else "")
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        _add(archive, "setup.sh", _SETUP.encode(), executable=True)
        _add(archive, "run_autograder", _RUN.format(options=options).encode(), executable=True)
        if rubric is not None:
            _add(archive, "rubric.toml", rubric.read_bytes())
        files = [root / name for name in _WHOLE if (root / name).is_file()]
        for folder in ("pygpt", "data"):
            files += [p for p in sorted((root / folder).rglob("*")) if p.is_file() and "__pycache__" not in p.parts]
        for file in files:
            _add(archive, str(file.relative_to(root)), file.read_bytes())
    return out.getvalue()


def _add(archive: zipfile.ZipFile, name: str, content: bytes, executable: bool = False) -> None:
    # A fixed date: the same sources give the same bytes.
    info = zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0))
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = (0o100755 if executable else 0o100644) << 16
    archive.writestr(info, content)
