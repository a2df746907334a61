"""A class's list (CSV): who has handed in what, and how many days late; as Excel writes it, too, and in Portuguese."""

import csv
import io
import math
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path, PurePosixPath

from pygpt import encoding
from pygpt.classroom.names import real
from pygpt.errors import PygptError
from pygpt.grading.grade import GradingJob, failed_report
from pygpt.grading.report import GradeReport
from pygpt.grading.submission import Submission
from pygpt.output.messages import plain, tell

_COLUMNS = {
    "submission": ("submission", "entrega", "file", "arquivo", "folder", "pasta"),
    "id": ("id", "matricula", "ra", "registration"),
    "name": ("name", "nome", "student", "aluno", "aluna", "estudante"),
    "days_late": ("days_late", "dias_de_atraso", "dias_atraso", "atraso", "late"),
}
_FIELD = {name: field for field, names in _COLUMNS.items() for name in names}
_SEPARATORS = ";\t,"
_EXCEL_SAYS = re.compile(r"sep=(.)\s*")
_MOST_DAYS = 1000


@dataclass(frozen=True)
class Student:
    """A line of the list."""

    line: int
    name: str
    id: str
    submission: str
    """As the list calls it; "" where nothing was handed in."""
    days_late: float

    def __str__(self) -> str:
        return self.name or self.id or self.submission


@dataclass(frozen=True)
class Row:
    """A line of a class's results: a student's, or a submission's that no student of the list has."""

    report: GradeReport
    student: Student | None = None


def read_roster(path: Path) -> list[Student]:
    """The students of a list, in its order.

    Raises:
        PygptError: unreadable, no text, no column by which submissions could be found, or a line that cannot be true.
    """
    header, rows = _table(path)
    columns = _columns(path, header)
    by = next((field for field in ("submission", "id", "name") if field in columns), None)
    if by is None or not rows:
        raise PygptError(
            "{path} lists no submissions: it needs a line with the columns' names (submission, and as you like name, "
            "id, days_late; or entrega, nome, matricula, dias_de_atraso), and a line for each student. Its first is: "
            "{first}",
            path=path, first=", ".join(header) or "-",
        )  # fmt: skip
    students: list[Student] = []
    for line, row in rows:
        row += [""] * (len(header) - len(row))
        if len(row) > len(header):
            raise PygptError(
                "{path}, line {line}: {n} cells under {columns} columns",
                path=path, line=line, n=len(row), columns=len(header),
            )  # fmt: skip
        cells = {field: row[i].strip() for field, i in columns.items()}
        name, id, days = (cells.get(field, "") for field in ("name", "id", "days_late"))
        student = Student(line, plain(name), plain(id), cells[by], _days(path, line, days))
        _refuse_twins(path, student, students)
        students.append(student)
    return students


def whose(students: Iterable[Student], submissions: Sequence[Submission], path: Path) -> dict[Student, Submission]:
    """Each student's submission; who has handed nothing in is left out. Several may have one submission.

    Raises:
        PygptError: a name that fits several submissions, or one submission that is late for one of its students only.
    """
    submitted: dict[Student, Submission] = {}
    days: dict[str, Student] = {}
    for student in students:
        fitting = _fitting(student.submission, submissions)
        if len(fitting) > 1:
            raise PygptError(
                "{path}, line {line}: {name} could be any of {submissions}: write the folder before it",
                path=path, line=student.line, name=repr(student.submission),
                submissions=", ".join(str(s.path) for s in fitting),
            )  # fmt: skip
        for submission in fitting:
            submitted[student] = submission
            other = days.setdefault(submission.name, student)
            if other.days_late != student.days_late:
                raise PygptError(
                    "{path}, line {line}: days late of {name} are {days:g} here, and {others:g} in line {other}",
                    path=path, line=student.line, name=repr(student.submission), days=student.days_late,
                    others=other.days_late, other=other.line,
                )  # fmt: skip
    return submitted


def rows_of(
    reports: Sequence[GradeReport],
    students: Iterable[Student],
    submitted: Mapping[Student, Submission],
    job: GradingJob,
) -> list[Row]:
    """The list's students, with 0 where nothing was handed in, then the submissions of none of them."""
    of = {report.submission: report for report in reports}
    rows = []
    for student in students:
        if student in submitted:
            rows.append(Row(of[submitted[student].name], student))
        else:
            nobody = failed_report(Submission(Path(), plain(str(student), 80)), replace(job, seed=reports[0].seed))
            why = tell(job.lang, "nothing was handed in")
            rows.append(Row(replace(nobody, state="missing", message=why, unsafe=None), student))
    listed = {submission.name for submission in submitted.values()}
    return [*rows, *(Row(report) for report in reports if report.submission not in listed)]


def _table(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise PygptError("cannot read {path}: {why}", path=path, why=error.strerror) from error
    if encoding.container(content):
        raise PygptError("{path} is no text: save the list as CSV", path=path)
    lines = encoding.table_text(content).splitlines(keepends=True)
    said = _EXCEL_SAYS.fullmatch(lines[0]) if lines else None
    names = next((line for line in lines if line.strip()), "")
    separator = said[1] if said else max(_SEPARATORS, key=names.count)
    reader = csv.reader(io.StringIO("".join(lines[bool(said) :]), newline=""), delimiter=separator, strict=True)
    rows = []
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                while not row[-1].strip():  # Excel writes empty cells to its widest line's end
                    row.pop()
                rows.append((reader.line_num + bool(said), row))
    except csv.Error as error:
        line = reader.line_num + bool(said)
        raise PygptError("{path}, line {line}: no CSV: {why}", path=path, line=line, why=str(error)) from error
    return (rows[0][1], rows[1:]) if rows else ([], [])


def _columns(path: Path, header: list[str]) -> dict[str, int]:
    """Where each field stands. Other columns may be there, but none that is one of these misspelt."""
    columns: dict[str, int] = {}
    for i, cell in enumerate(header):
        plain = unicodedata.normalize("NFKD", cell).encode("ascii", "ignore").decode()
        name = "_".join(re.findall(r"\w+", plain.casefold()))
        near = get_close_matches(name, _FIELD, 1, 0.8)
        if name not in _FIELD and near:
            raise PygptError(
                "{path}: unknown column {name}. Did you mean {meant}?", path=path, name=repr(cell), meant=repr(near[0])
            )
        field = _FIELD.get(name)
        if field in columns:
            raise PygptError(
                "{path} has the columns {columns}, which say the same: keep one",
                path=path, columns=f"{header[columns[field]]}, {cell}",
            )  # fmt: skip
        if field:
            columns[field] = i
    return columns


def _days(path: Path, line: int, cell: str) -> float:
    try:
        days = float(cell.replace(",", ".").replace("_", "?") or 0)
    except ValueError:
        days = math.nan
    if not 0 <= days < _MOST_DAYS:
        raise PygptError(
            "{path}, line {line}: {cell} is not a number of days, from 0 to below {most}",
            path=path, line=line, cell=repr(cell), most=_MOST_DAYS,
        )  # fmt: skip
    return days


def _refuse_twins(path: Path, student: Student, others: list[Student]) -> None:
    if not str(student):
        raise PygptError("{path}, line {line}: nothing says whose line it is", path=path, line=student.line)
    who = (student.id, "", "") if student.id else ("", student.name, student.submission)
    for other in others:
        if who == ((other.id, "", "") if other.id else ("", other.name, other.submission)):
            raise PygptError(
                "{path}, line {line}: {student} is in line {other}, too",
                path=path, line=student.line, student=repr(student.id or student.name), other=other.line,
            )  # fmt: skip


def _fitting(written: str, submissions: Sequence[Submission]) -> list[Submission]:
    """The submissions that a list calls so: by name, file or folder, with folders before it, or by a file in it."""
    path = PurePosixPath(unicodedata.normalize("NFC", written).casefold().replace("\\", "/"))
    for place in (path, *path.parents) if written else ():
        if place.parts and (fitting := [s for s in submissions if place.parts in _called(s, len(place.parts))]):
            return fitting
    return []


def _called(submission: Submission, length: int) -> list[tuple[str, ...]]:
    """What a submission can be called, in so many parts of its path."""
    place = real(submission.path)
    paths = [place.parts, submission.name.split("/")]
    if not place.is_dir():
        paths.append(place.with_suffix("").parts)
    return [tuple(unicodedata.normalize("NFC", part).casefold() for part in parts[-length:]) for parts in paths]
