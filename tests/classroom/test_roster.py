"""A class's list: as Excel writes it in Brazil and elsewhere, refused by line where it cannot be true."""

import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pygpt.classroom.finding import find
from pygpt.classroom.roster import read_roster, rows_of, whose
from pygpt.errors import PygptError
from pygpt.grading.grade import GradingJob
from pygpt.grading.rubric import read_rubric
from pygpt.grading.submission import Submission
from tests.grading.test_report import REPORT

ENGLISH = "name,id,submission,days_late\nAna Souza,17,ana.py,0\nJoão D’Ávila,18,bia,1.5\n"
BRAZIL = "Matrícula;Nome;Turma;Entrega;Dias de atraso\r\n17;Ana Souza;A;ana.py;\r\n18;João D’Ávila;A;bia;1,5\r\n"


def read(tmp_path: Path, content: str | bytes) -> list[tuple[str, str, str, float]]:
    path = tmp_path / "list.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return [(s.id, s.name, s.submission, s.days_late) for s in read_roster(path)]


@pytest.mark.parametrize(
    "content",
    [
        ENGLISH.encode(),
        b"\n" + ENGLISH.encode(),
        ENGLISH.replace(",", "\t").encode("utf-16"),  # Excel's "Unicode text"
        BRAZIL.encode("mac_roman"),
        BRAZIL.encode("cp1252"),
        BRAZIL.encode("utf-8-sig"),
        ("sep=;\r\n" + BRAZIL).encode("cp1252"),
        BRAZIL.replace("\r\n", ";;\r\n").encode() + b";;;;;;\r\n",  # empty columns and lines
        BRAZIL.replace("\r\n", "\r").encode("cp1252"),  # Excel's for the Macintosh
        BRAZIL.replace("João D’Ávila", '" João  D’Ávila "').encode(),
        "ra;aluno;pasta;atraso\n17;Ana Souza;ana.py;0\n18;João D’Ávila;bia;1.5".encode(),
    ],
)
def test_lists_as_they_are_written(tmp_path: Path, content: bytes) -> None:
    assert read(tmp_path, content) == [("17", "Ana Souza", "ana.py", 0.0), ("18", "João D’Ávila", "bia", 1.5)]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "lists no submissions: it needs a line with the columns' names"),
        ("name,submission\n", "lists no submissions"),
        ("grade,class\n1,2\n", "Its first is: grade, class"),
        ("name,submission,days_late\nAna,ana.py,0\nBia,bia.py,two\n", "line 3: 'two' is not a number of days"),
        ("name,submission,days_late\nAna,ana.py,-1\n", "line 2: '-1' is not a number of days, from 0"),
        ("name,submission,days_late\nAna,ana.py,nan\n", "line 2: 'nan' is not a number of days"),
        ("name,submission,days_late\nAna,ana.py,1e9\n", "line 2: '1e9' is not a number of days"),
        ("name,submission,days_lat\nAna,ana.py,1\n", "unknown column 'days_lat'. Did you mean 'days_late'?"),
        ("nome;entregas\nAna;ana.py\n", "unknown column 'entregas'. Did you mean 'entrega'?"),
        ("name,submission\nAna,ana.py\n\nBia,bia.py,3\n", "line 4: 3 cells under 2 columns"),
        ("name,id,submission\nAna,1,ana.py\nBia,1,bia.py\n", "line 3: '1' is in line 2, too"),
        ("name,submission\nAna,ana.py\nAna,ana.py\n", "line 3: 'Ana' is in line 2, too"),
        ("name,id,submission,note\nAna,1,ana.py,\n,,,x\n", "line 3: nothing says whose line it is"),
        ("name,file,submission\nAna,a,b\n", "has the columns file, submission, which say the same"),
        ('name,submission\nAna,"ana.py\nBia,bia.py\n', "no CSV"),
        (b"PK\x03\x04 and so on", "is no text: save the list as CSV"),
    ],
)
def test_what_cannot_be_true_is_refused_by_line(tmp_path: Path, content: str | bytes, words: str) -> None:
    with pytest.raises(PygptError) as refused:
        read(tmp_path, content)
    assert str(refused.value).startswith(str(tmp_path / "list.csv"))
    assert words in str(refused.value)


def test_who_has_the_same_name_is_told_apart_by_the_submission(tmp_path: Path) -> None:
    assert len(read(tmp_path, "name,submission\nAna,a.py\nAna,b.py\n")) == 2


@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda s: f"name;submission\n{s}\n".encode()))
def test_any_file_is_read_or_refused(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "list.csv"
        path.write_bytes(content)
        try:
            students = read_roster(path)
        except PygptError:
            return
        assert all(str(student) for student in students)


@pytest.fixture
def submissions(tmp_path: Path) -> list[Submission]:
    for name in ("ana.py", "bia/model.py", "São Luís.ipynb", "one/port.py", "two/port.py"):
        path = tmp_path / "class" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x = 1\n")
    return find([tmp_path / "class", *sorted((tmp_path / "class").glob("*/port.py"))])


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("ana.py", "ana.py"), ("ana", "ana.py"), ("ANA.PY", "ana.py"), ("class/ana.py", "ana.py"),
        ("./ana.py", "ana.py"),
        ("class\\ana.py", "ana.py"), ("bia", "bia"), ("bia/", "bia"), ("bia/model.py", "bia"),
        ("Sa\u0303o Lui\u0301s", "São Luís.ipynb"), ("two/port.py", "two/port.py"), ("one port", "one/port.py"),
        ("nobody", None), ("", None), (".", None), ("..", None), ("/", None), ("x/ana.py", None),
    ],
)  # fmt: skip
def test_a_submission_is_found_by_file_folder_or_name(
    tmp_path: Path, submissions: list[Submission], written: str, path: str | None
) -> None:
    (tmp_path / "list.csv").write_text(f"name;submission\nx;{written}\n")
    students = read_roster(tmp_path / "list.csv")
    found = whose(students, submissions, tmp_path / "list.csv")
    assert [submission.path for submission in found.values()] == ([tmp_path / "class" / path] if path else [])


def test_what_could_be_several_or_is_late_for_one_only_is_refused_by_line(
    tmp_path: Path, submissions: list[Submission]
) -> None:
    path = tmp_path / "list.csv"
    path.write_text("name,submission\nx,port.py\n")
    with pytest.raises(PygptError, match=r"line 2: 'port.py' could be any of .*one.port.py, .*two.port.py: write"):
        whose(read_roster(path), submissions, path)
    path.write_text("name,submission,late\nx,ana,1\ny,ana,2\n")
    with pytest.raises(PygptError, match="line 3: days late of 'ana' are 2 here, and 1 in line 2"):
        whose(read_roster(path), submissions, path)


def test_by_id_or_by_name_where_no_column_says_the_submission(tmp_path: Path, submissions: list[Submission]) -> None:
    path = tmp_path / "list.csv"
    for content in ("id,name\nana,Ana\nbia,Bia\n", "name\nana\nbia\n"):
        path.write_text(content)
        assert [s.name for s in whose(read_roster(path), submissions, path).values()] == ["ana", "bia"]


def test_a_line_for_each_student_then_the_strangers(tmp_path: Path, submissions: list[Submission]) -> None:
    path = tmp_path / "list.csv"
    path.write_text("name,submission\nAna,ana\nHer pair,ana\nNobody,nothing.py\nBia,bia\n")
    students = read_roster(path)
    reports = [replace(REPORT, submission=submission.name) for submission in submissions]
    rows = rows_of(reports, students, whose(students, submissions, path), GradingJob(read_rubric()))
    told = [(str(row.student or "-"), row.report.submission, row.report.state, row.report.score) for row in rows]
    assert told == [
        ("Ana", "ana", "graded", 4.0),
        ("Her pair", "ana", "graded", 4.0),
        ("Nobody", "Nobody", "missing", 0.0),
        ("Bia", "bia", "graded", 4.0),
        *(("-", s.name, "graded", 4.0) for s in submissions if s.name not in ("ana", "bia")),
    ]
