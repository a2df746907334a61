"""What submissions are called: each by a name of its own, in one call and across calls into one folder."""

import contextlib
import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from hypothesis import given
from hypothesis import strategies as st

from pygpt.classroom.finding import find
from pygpt.classroom.names import INDEX, names_of
from pygpt.errors import PygptError
from pygpt.grading.report import from_json
from tests.fuzz import damaged
from tests.grading.helpers import needs_isolation

Cli = Callable[..., Result]
ENTRIES = ("submission", "model", "main")


def file(path: Path, content: str = "x = 1\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def names(*paths: Path, out: Path | None = None) -> list[str]:
    return [submission.name for submission in find(paths, out=out)]


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("suffix", [".py", ".ipynb"])
def test_a_students_folder_is_one_submission_with_its_name(tmp_path: Path, entry: str, suffix: str) -> None:
    student = file(tmp_path / "one" / "student2" / f"{entry}{suffix}").parent
    file(student / "parts.py")
    assert names(student) == ["student2"]
    assert names(student / f"{entry}{suffix}") == ["student2"]
    assert names(student.parent) == ["student2"]  # the class that it is in


def test_packages_are_called_by_their_folder_or_the_one_around_it(tmp_path: Path) -> None:
    for path in ("ana", "bia/submission", "caio/port/model/main"):
        file(tmp_path / path / "__init__.py")
    assert names(tmp_path / "ana", tmp_path / "bia" / "submission") == ["ana", "bia"]
    assert names(tmp_path / "caio" / "port" / "model" / "main") == ["port"]


def test_dots_and_slashes_name_the_folder_they_mean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    student = file(tmp_path / "ana" / "submission.py").parent
    monkeypatch.chdir(student)
    for path in (".", "./", "../ana/", "submission.py", "./submission.py", f"{student}/", "../ana/../ana"):
        assert names(Path(path)) == ["ana"], path


def test_a_submission_that_is_named_twice_is_graded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ana = file(tmp_path / "class" / "ana.py")
    monkeypatch.chdir(tmp_path)
    assert names(ana, Path("class"), Path("class/../class/ana.py"), tmp_path / "class") == ["ana"]


def test_the_results_are_no_submission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file(tmp_path / "ana.py")
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        assert names(Path("."), out=Path("results")) == ["ana"]
    assert (tmp_path / "results" / INDEX).is_file()


def test_files_of_one_name_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    ports = [file(tmp_path / "one" / f"student{i}" / "port.py") for i in (1, 2, 3)]
    assert names(*ports) == ["student1 port", "student2 port", "student3 port"]
    assert names(ports[0]) == ["port"]
    entries = [file(tmp_path / group / "student2" / "submission.py") for group in ("morning", "evening")]
    assert names(*entries) == ["morning student2", "evening student2"]
    both = [file(tmp_path / "s" / f"{entry}.py") for entry in ENTRIES]
    assert len(set(names(*both))) == 3


@pytest.mark.parametrize(
    "layout",
    ["one/{}/submission.py", "one/{}/port.py", "{}/same/main.py", "{}/same/port.py", "{}/same/submission/__init__.py"],
)
def test_a_later_call_takes_no_name_of_an_earlier_one(tmp_path: Path, layout: str) -> None:
    out, given_before = tmp_path / "out", set()
    for student in ("student2", "student3", "student4"):
        path = file(tmp_path / layout.format(student))
        path = path.parent if path.name in ("submission.py", "main.py", "__init__.py") else path
        (name,) = names(path, out=out)
        assert name not in given_before
        given_before.add(name)
        assert names(path, out=out) == [name]  # and keeps its own
        assert names(path, file(tmp_path / "other.py"), out=out) == [name, "other"]


def test_results_can_be_moved_with_the_class(tmp_path: Path) -> None:
    for i in (1, 2):
        names(file(tmp_path / "a" / f"student{i}" / "port.py"), out=tmp_path / "a" / "out")
    (tmp_path / "a").rename(tmp_path / "b")
    moved = [names(tmp_path / "b" / f"student{i}" / "port.py", out=tmp_path / "b" / "out") for i in (2, 1)]
    assert moved == [["student2 port"], ["port"]]


@given(
    st.lists(st.lists(st.sampled_from(["a", "B", "b", "submission", "x (2)", "x", "..a"]), min_size=1, max_size=3),
             min_size=1, max_size=8, unique_by=tuple),
    st.integers(1, 3),
)  # fmt: skip
def test_no_two_share_a_name(folders: list[list[str]], calls: int) -> None:
    """Whatever is graded together or one call after the other; paths that do not exist have names, too."""
    with contextlib.ExitStack() as stack:
        top = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        paths = [top.joinpath(*parts).with_suffix(".py") for parts in folders]
        size = -(-len(paths) // calls)
        together = [name for i in range(0, len(paths), size) for name in names_of(paths[i : i + size], top / "out")]
        assert len({name.casefold() for name in together}) == len(paths)
        assert names_of(paths, top / "out") == together


VALID = json.dumps({"ana": "../class/ana.py", "bia (2)": "../class/bia"}).encode()


@given(damaged(VALID))
def test_any_damage_of_what_was_noted(content: bytes) -> None:

    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / INDEX).write_bytes(content)
        with contextlib.suppress(PygptError):
            (name,) = names_of([Path(folder) / "class" / "ana.py"], Path(folder))
            assert not set(name) & {"/", "\0", "\n"}
            assert not name.startswith(".")


@pytest.mark.parametrize("name", ["../ana", "a/b", ".hidden", "", "x\ny"])
def test_a_noted_name_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / INDEX).write_text(json.dumps({name: "x"}))
    with pytest.raises(PygptError, match="is damaged: remove it"):
        names_of([tmp_path / "x"], tmp_path)


@needs_isolation
def test_the_next_student_takes_no_result_of_the_last(cli: Cli, tmp_path: Path) -> None:
    for student in ("student2", "student3", "doctor"):
        file(tmp_path / "one" / student / "submission.py", f"raise ValueError('of {student}')\n")
        assert cli("grade", "run", tmp_path / "one" / student, "--out", tmp_path / "r").exit_code == 1
    for student in ("student2", "student3", "doctor"):
        assert f"of {student}" in from_json((tmp_path / "r" / f"{student}.json").read_text()).message


@needs_isolation
def test_a_file_called_doctor_is_graded(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file(tmp_path / "doctor", "raise ValueError('patient')\n")
    monkeypatch.chdir(tmp_path)
    result = cli("grade", "run", "doctor")
    assert "patient" in result.output
    assert result.exit_code == 1
