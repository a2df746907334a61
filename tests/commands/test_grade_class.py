"""`grade run` of a class with its list and of some checks alone, and `grade check`, as the command line has them."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import Result

from tests.grading.helpers import CORRECT, mutated, needs_isolation

Cli = Callable[..., Result]
RUBRIC = (
    '[parts]\nasked = ["GPT_NoAttn", "Encoder", "Decoder"]\n[total]\npoints = 10\n[late]\npercent = 10\n'
    "[gates]\nvocabulary = 5\n"
)
pytestmark = needs_isolation


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    students = tmp_path / "class"
    students.mkdir()
    source = CORRECT.read_text()
    (students / "ana.py").write_text(source)
    (students / "bia.py").write_text(mutated(source, ("i + 1 for", "i for")))
    (students / "class.py").write_text("def GPT(:\n")
    (tmp_path / "rubric.toml").write_text(RUBRIC)
    (tmp_path / "list.csv").write_bytes(
        "nome;entrega;dias de atraso\r\nAna;ana.py;\r\nConceição;bia;2\r\nNinguém;nada.py;0\r\n".encode("cp1252")
    )
    return tmp_path


def test_a_class_with_its_list(cli: Cli, folder: Path) -> None:
    out = folder / "out"
    command = [
        "grade",
        "run",
        folder / "class",
        "--rubric",
        folder / "rubric.toml",
        "--out",
        out,
        "--seed",
        3,
        "--lang",
        "pt",
    ]
    result = cli(*command, "--roster", folder / "list.csv")
    assert result.exit_code == 1, result.output  # class.py cannot be graded
    assert "Fora da lista de alunos: class class." in result.output  # its results are not the class's
    assert "% do código em comum: ana, bia" in result.output
    with (out / "class.csv").open(encoding="utf-8") as table:
        rows = {row["name"]: row for row in csv.DictReader(table)}
    assert [row["score"] for row in rows.values()] == ["10.0", "3.0", "0.0", "0.0"]
    assert (rows["Conceição"]["points_off"], rows["Ninguém"]["state"]) == ("2.0", "missing")
    assert "No máximo 5 pontos ao todo" in rows["Conceição"]["message"]
    page, own = (out / "class.html").read_text(encoding="utf-8"), (out / "bia.html").read_text(encoding="utf-8")
    assert 'href="./bia.html"' in page
    assert "dias de atraso: 2, que tiram 2 pontos" in own
    assert "ana" not in own  # what is alike stands in no student's page
    assert not (out / "Ninguém.json").exists()
    suites = ElementTree.parse(out / "class.xml").findall("testsuite")
    assert [suite.get("name") for suite in suites] == ["ana", "bia", "class class"]
    # the days are counted anew, and nothing is graded again
    graded = json.loads((out / "bia.json").read_text())
    (folder / "list.csv").write_text("nome,entrega\nAna,ana\nConceição,bia\n")
    assert cli(*command, "--roster", folder / "list.csv").exit_code == 1
    again = json.loads((out / "bia.json").read_text())
    assert (again.pop("score"), graded.pop("score"), graded.pop("days_late"), graded.pop("deducted")) == (
        5.0,
        3.0,
        2.0,
        2.0,
    )
    assert again == graded
    assert "dias de atraso" not in (out / "bia.html").read_text(encoding="utf-8")


def test_some_checks_alone_are_said_to_be_and_never_taken_for_the_whole(cli: Cli, folder: Path) -> None:
    bia, out = folder / "class" / "bia.py", folder / "out"
    command = ["grade", "run", bia, "--rubric", folder / "rubric.toml", "--seed", 3, "--out", out]
    part = cli(*command, "--only", "vocabulary.encode", "--only", "loads")
    assert part.exit_code == 0, part.output
    assert part.output.startswith("bia: graded in part, ")
    assert "Only these checks were run and counted: loads.parts, vocabulary.encode" in part.output
    report = json.loads((out / "bia.json").read_text())
    assert report["only"] == [check["id"] for check in report["checks"]] == ["loads.parts", "vocabulary.encode"]
    assert report["max_score"] == pytest.approx(sum(check["max_score"] for check in report["checks"]), abs=1e-4)
    for options in ([], ["--only", "loads"]):
        refused = cli(*command, *options)
        assert refused.exit_code == 2
        assert "bia.json is a grade by loads.parts, vocabulary.encode: grade by others into another" in refused.stderr
    assert json.loads((out / "bia.json").read_text()) == report
    assert (
        cli(*command, "--only", "loads", "--only", "vocabulary.encode").output == part.output
    )  # what is there is taken


@pytest.mark.parametrize(
    ("only", "words"),
    [("causalty", "Did you mean 'causality'?"), ("generation", "does not ask for what generation is about")],
)
def test_what_is_not_asked_for_is_refused_before_anything_runs(cli: Cli, folder: Path, only: str, words: str) -> None:
    result = cli(
        "grade", "run", folder / "class", "--rubric", folder / "rubric.toml", "--only", only, "--out", folder / "o"
    )
    assert result.exit_code == 2
    assert words in result.stderr
    assert not (folder / "o").exists()


def test_a_list_that_cannot_be_true_is_refused_before_anything_runs(cli: Cli, folder: Path) -> None:
    for content, words in (
        ("name,submission,days_late\na,ana,x\n", "line 2: 'x' is not"),
        ("a\n", "lists no submissions"),
    ):
        (folder / "list.csv").write_text(content)
        result = cli("grade", "run", folder / "class", "--roster", folder / "list.csv", "--out", folder / "o")
        assert result.exit_code == 2
        assert words in result.stderr
        assert not (folder / "o").exists()
    assert "cannot read" in cli("grade", "run", folder / "class", "--roster", folder / "nothing.csv").stderr


def test_students_check_their_own_port(cli: Cli, folder: Path) -> None:
    rubric = ["--rubric", folder / "rubric.toml"]
    right = cli("grade", "check", folder / "class" / "ana.py", *rubric)
    assert right.exit_code == 0, right.output
    assert "not yet" not in right.output
    wrong = cli("grade", "check", folder / "class" / "bia.py", *rubric, "--lang", "pt")
    assert wrong.exit_code == 1
    assert "Corrija primeiro: Encoder dá os ids do R" in wrong.output
    assert "No máximo" not in wrong.output  # points are nobody's matter here
    assert cli("grade", "check", folder / "class" / "class.py", *rubric).exit_code == 1
    assert cli("grade", "check", folder / "nothing.py").exit_code == 2
    # what is hidden is neither told nor shown by a check that is not
    (folder / "rubric.toml").write_text(RUBRIC + '[visibility]\n"vocabulary.encode" = "hidden"\n')
    hidden = cli("grade", "check", folder / "class" / "bia.py", *rubric)
    assert "Encoder gives" not in hidden.output
