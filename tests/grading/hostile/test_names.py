"""Safety: names and links of submissions lead nowhere, and results land where they should."""

import os
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from pygpt.classroom.finding import find
from pygpt.grading.report import from_json
from pygpt.grading.submission import Submission, UnusableError, staged
from tests.grading.helpers import CORRECT, at_load, lost, needs_isolation

Cli = Callable[..., Result]
SMALL = '[parts]\nasked = ["GPT_NoAttn", "Encoder", "Decoder"]\n'
TELLS = """
import os
here = os.path.dirname(__file__)
def read(name):
    try: return open(os.path.join(here, name)).read()
    except OSError: return "no"
raise RuntimeError(f"<b>{sorted(os.listdir(here))} {read('link')} {read('up/secret')} {read('../secret')}</b>")
"""
# Folders that hold nothing to load: they are named in every result, and cost no process.
NAMES = (
    "a..b", "-rf", "--out=x", " ..", "two\nlines", "<img src=x onerror=alert(1)>", "=1+1", "x..%2f..%2f", "x\\..\\y",
    "\u202egpj.exe", "café \U0001f600" * 25, "unnamed",
)  # fmt: skip


@needs_isolation
def test_hostile_names_links_and_neighbours(cli: Cli, tmp_path: Path) -> None:
    students, out, rubric = tmp_path / "class", tmp_path / "out", tmp_path / "rubric.toml"
    rubric.write_text(SMALL)
    (students / "secret").parent.mkdir()
    (students / "secret").write_text("of the teacher")
    for name in NAMES:
        (students / name).mkdir()
    shadow(students / "shadow")
    odd = students / "odd"
    odd.mkdir()
    (odd / "-x ..\n<b>'\";.py").write_text(at_load(TELLS))
    (odd / "link").symlink_to(students / "secret")
    (odd / "up").symlink_to("..")
    (odd / "loop").symlink_to(odd)
    (students / "package").mkdir()
    (students / "package" / "__init__.py").write_text("from .. import submission\n")
    (students / "linked.py").symlink_to(CORRECT)
    os.mkfifo(students / "pipe.py")
    before = everything(tmp_path)
    result = cli("grade", "run", students, "--rubric", rubric, "--out", out, "--seed", 3)
    assert result.exit_code == 1, result.output

    made = everything(tmp_path) - before - {out}
    assert {path.parent for path in made} == {out}
    reports = {path.stem: from_json(path.read_text()) for path in made if path.suffix == ".json"}
    assert len(reports) == len(NAMES) + 4
    # class.csv, class.html, class.xml, and what remembers whose each name is
    assert len(made) == 2 * len(reports) + 4
    assert "linked" not in reports
    assert not [name for name in reports if name.startswith(".") or not name.isprintable()]
    for page in out.glob("*.html"):
        assert not [mark for mark in ("<img", "<b>[", "\u202e") if mark in page.read_text()], page
    ElementTree.parse(out / "class.xml")
    assert "\n=1+1" not in (out / "class.csv").read_text()

    assert (reports["shadow"].state, lost(reports["shadow"])) == ("graded", {})
    assert "relative import" in reports["package"].message
    assert "cannot be read" in reports["pipe"].message
    assert "py'] no no no</b>" in reports["odd"].message, reports["odd"].message
    assert {report.score for name, report in reports.items() if name != "shadow"} == {0}


def shadow(folder: Path) -> None:
    """A correct port among files that would stand before the library, if they could."""
    folder.mkdir()
    (folder / "submission.py").write_text("from parts import *\n")
    (folder / "parts.py").write_text(CORRECT.read_text())
    for name in ("torch", "sitecustomize", "usercustomize", "safetensors", "wire", "json", "pygpt"):
        (folder / f"{name}.py").write_text("raise SystemExit('shadowed')")
    (folder / "link").symlink_to("/etc/passwd")
    (folder / "loop").symlink_to(folder)


def everything(folder: Path) -> set[Path]:
    return set(folder.rglob("*"))


def test_nobody_gets_the_name_of_another(tmp_path: Path) -> None:
    for name in ("ana.py", "ana.ipynb", "ana (2).py", "ANA.py"):
        (tmp_path / name).write_text("")
    names = [submission.name for submission in find((tmp_path,))]
    assert len({name.casefold() for name in names}) == 4
    assert find((tmp_path / "ana.py",))[0].name == "ana"


@pytest.mark.parametrize("path", ["..", "a/..", "a/../a/..", "...py"])
def test_dots_are_no_name(tmp_path: Path, path: str) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "...py").write_text("")
    (submission,) = find((tmp_path / path,), folder_is_one=True)
    assert submission.name == {"..": tmp_path.parent.name, "...py": "unnamed"}.get(path, tmp_path.name)


def test_a_name_is_no_longer_than_a_file_system_allows(tmp_path: Path) -> None:
    (tmp_path / ("\U0001f600" * 63)).mkdir()
    (submission,) = find((tmp_path,))
    (tmp_path / f".{submission.name} (99).json.{2**22}.partial").touch()


@pytest.mark.parametrize("kind", ["deep", "link", "long"])
def test_what_cannot_be_copied_is_the_students_fault(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x"
    path.mkdir()
    (path / "submission.py").write_text("")
    if kind == "link":
        path = tmp_path / "y.py"
        path.symlink_to(CORRECT)
    else:
        folder = os.open(path, os.O_DIRECTORY)
        for _ in range(310 if kind == "deep" else 30):
            name = "d" * (1 if kind == "deep" else 250)
            os.mkdir(name, dir_fd=folder)
            folder, above = os.open(name, os.O_DIRECTORY, dir_fd=folder), folder
            os.close(above)
        os.close(folder)
    with pytest.raises(UnusableError), staged(Submission(path, "x")):
        pass
