"""The teacher's page of a class, and the table with a list of students."""

import csv
import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from urllib.parse import unquote

import pytest

from pygpt.classroom.class_page import Class, page, remarks
from pygpt.classroom.roster import Row, Student
from pygpt.classroom.similarity import Alike
from pygpt.classroom.table import to_csv
from pygpt.grading.report import GradeReport
from pygpt.output.messages import LANGUAGES
from tests.grading.test_report import CHECK, REPORT

EVIL = 'javascript:alert(1) "><script>x</script>#?é'


def graded(name: str, score: float, *failed: str, **fields: object) -> GradeReport:
    checks = tuple(replace(CHECK, id=id, stage=id.split(".")[0], title=f"title of {id}") for id in failed)
    return replace(REPORT, submission=name, score=score, max_score=100.0, checks=checks, **fields)  # type: ignore[arg-type]


def student(name: str, days: float = 0.0) -> Student:
    return Student(2, name, f"id of {name}", name, days)


class Read(HTMLParser):
    """The tables of a page, by caption: rows of cells' texts; and its links."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self.links: list[str] = []
        self.tags: list[str] = []
        self._caption, self._into = "", [""]
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append(tag)
        assert not [name for name in given if name.startswith("on") or name == "src"]
        if tag == "a":
            self.links.append(str(given["href"]))
        if tag in ("caption", "td", "th"):
            self._into = [""]
        if tag == "tr":
            self.tables[self._caption].append([])

    def handle_data(self, data: str) -> None:
        self._into[0] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "caption":
            self._caption = self._into[0]
            self.tables[self._caption] = []
        elif tag in ("td", "th"):
            self.tables[self._caption][-1].append(self._into[0])


def class_of(lang: str = "en") -> Class:
    rows = [
        Row(graded("ana", 100.0), student("Ana")),
        Row(graded("bia", 79.5, "forward.ffn", "padding.row", days_late=2.0, deducted=20.0), student("Bia", 2.0)),
        Row(
            replace(REPORT, submission="none", state="missing", score=0.0, message="nothing was handed in"),
            student("No"),
        ),
        Row(graded("davi", 80.0, "forward.ffn"), student("Davi")),
        Row(replace(REPORT, submission="eva", state="ungradable", score=0.0, message="SyntaxError"), student("Eva")),
        Row(graded(EVIL, 0.0, "forward.ffn")),
    ]
    rows.append(Row(rows[0].report, student("Her pair")))
    rows = [Row(replace(row.report, lang=lang, max_score=100.0), row.student) for row in rows[:-1]]
    rows.append(Row(rows[0].report, student("Her pair")))
    return Class(rows, [Alike(("ana", EVIL), None), Alike(("bia", "davi"), 0.934)], lang)


def test_what_was_not_graded_comes_first_and_then_every_grade() -> None:
    read = Read(page(class_of()))
    captions = list(read.tables)
    assert captions[0] == "Not graded: to be looked at first"
    assert read.tables[captions[0]][1:] == [
        ["Eva", "eva", "ungradable", "SyntaxError"],
        ["No", "", "missing", "nothing was handed in"],
    ]
    assert read.tables["Every grade"] == [
        ["student", "submission", "not passed", "days late", "points"],
        ["Ana", "ana", "", "0", "100.00"],
        ["Bia", "bia", "forward.ffn, padding.row", "2", "79.50"],
        ["Davi", "davi", "forward.ffn", "0", "80.00"],
        ["", EVIL, "forward.ffn", "0", "0.00"],
        ["Her pair", "ana", "", "0", "100.00"],
    ]


def test_each_submission_is_counted_once_where_it_belongs() -> None:
    html = page(class_of())
    # Ana's counts once, though two have it: (100 + 79.5 + 0 + 80 + 0 + 0) / 6, and (0 + 79.5) / 2
    assert "6 submissions, 4 of them graded. Mean 43.25, median 39.75 of 100 points" in html
    read = Read(html)
    (ranges,) = (rows for caption, rows in read.tables.items() if caption.startswith("Points"))
    assert [row[:2] for row in ranges[1:] if row[1] != "0"] == [
        ["0 to 10", "1"], ["70 to 80", "1"], ["80 to 90", "1"], ["90 to 100", "1"]
    ]  # fmt: skip
    (failed,) = (rows for caption, rows in read.tables.items() if caption.startswith("What most often"))
    assert [row[:2] for row in failed[1:]] == [
        ["Forward: title of forward.ffn", "3"], ["Padding row: title of padding.row", "1"]
    ]  # fmt: skip
    # a bar only draws the number beside it
    assert re.findall(r'aria-hidden="true"><span style="width: ([\d.]+)%"', html)[-2:] == ["100.0", "33.3"]


def test_what_is_alike_is_named_with_care_and_only_here() -> None:
    html = page(class_of())
    assert Read(html).tables["Alike"] == [
        ["submissions", "shared"],
        [f"ana, {EVIL}", "the same files"],
        ["bia, davi", "93%"],
    ]
    assert "judges nobody" in html
    assert remarks(class_of()) == [
        f"Not in the list of students: {EVIL}.", f"the same files: ana, {EVIL}", "93% of the code alike: bia, davi"
    ]  # fmt: skip


def test_many_pairs_are_all_on_the_page_and_some_in_the_terminal() -> None:
    of = replace(class_of(), alike=[Alike(("ana", "bia"), 0.9)] * 25)
    assert remarks(of)[-2:] == [
        "90% of the code alike: ana, bia",
        "and 15 more that are alike: class.html (--out) names all",
    ]
    assert len(Read(page(of)).tables["Alike"]) == 1 + 25


@pytest.mark.parametrize("lang", LANGUAGES)
def test_links_lead_to_the_pages_beside_it_and_nothing_runs(lang: str) -> None:
    html = page(class_of(lang))
    assert "default-src 'none'; style-src 'unsafe-inline'\"" in html
    read = Read(html)
    assert not {"script", "img", "iframe", "link"} & {*read.tags}
    names = {"ana", "bia", "davi", "eva", EVIL}
    assert {unquote(link) for link in read.links} == {f"./{name}.html" for name in names}
    assert all(re.fullmatch(r"\./[\w%.~-]+\.html", link) for link in read.links)
    assert html.count("<caption>") == html.count("<table") == 5


def test_without_a_list_there_are_no_students_and_no_strangers() -> None:
    of = Class([Row(graded("ana", 1.0)), Row(graded("bia", 2.0))], [], "pt")
    read = Read(page(of))
    assert read.tables["Todas as notas"] == [
        ["entrega", "não passou", "pontos"], ["ana", "", "1,00"], ["bia", "", "2,00"]
    ]  # fmt: skip
    assert remarks(of) == []


def test_a_part_and_what_was_not_protected_are_said() -> None:
    of = Class([Row(graded(name, 1.0, only=("forward.ffn",), unsafe="not protected")) for name in "ab"], [], "en")
    assert "Only these checks were run and counted: forward.ffn" in page(of)
    assert '<p class="warning">not protected</p>' in page(of)
    assert [row["state"] for row in csv.DictReader(io.StringIO(to_csv(of.rows)))] == ["graded_in_part"] * 2


def test_no_points_at_all_are_no_error() -> None:
    nothing = [Row(replace(graded(name, 0.0), max_score=0.0)) for name in "ab"]
    assert "0 to 0" in page(Class(nothing, [], "en"))
    ungraded = [Row(replace(row.report, state="grader_error")) for row in nothing]
    assert "grader error" in page(Class(ungraded, [], "en"))


def test_the_table_has_a_line_a_student_and_no_formula() -> None:
    of = class_of()
    rows = [*of.rows, Row(of.rows[0].report, Student(9, "=cmd()", "+1", "x", 0.0))]
    read = list(csv.DictReader(io.StringIO(to_csv(rows))))
    assert [(row["name"], row["score"], row["days_late"], row["points_off"]) for row in read[:3]] == [
        ("Ana", "100.0", "0.0", "0.0"), ("Bia", "79.5", "2.0", "20.0"), ("No", "0.0", "0.0", "0.0")
    ]  # fmt: skip
    assert (read[2]["state"], read[5]["name"], read[6]["name"]) == ("missing", "", "Her pair")
    assert (read[7]["name"], read[7]["id"]) == ("'=cmd()", "'+1")
