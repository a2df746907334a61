"""Reports: every form from the same data, numbers as numbers, and nothing in them that a stranger's text could run."""

import csv
import io
import json
import os
import subprocess
import tempfile
import tomllib
import zipfile
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from click.testing import Result

from pygpt.classroom import services
from pygpt.classroom.roster import Row
from pygpt.classroom.table import defused, to_csv
from pygpt.grading.report import CheckReport, GradeReport, ItemReport, LadderRow
from pygpt.grading.reports.html import page
from pygpt.grading.reports.text import of_class, one
from pygpt.grading.rubric import read_rubric
from pygpt.isolation import bubblewrap, sandbox
from pygpt.output.messages import LANGUAGES, plain, say
from tests.grading.helpers import CORRECT, grade_file, grade_sources, mutated, needs_isolation

Cli = Callable[..., Result]
EVIL = "\x1b[31m=cmd()<script>alert(1)</script>\u202e\n\x07"


def test_plain_text_does_nothing() -> None:
    words = plain(EVIL)
    assert not set(words) & set("\x1b\x07\n\u202e")
    assert len(plain("x" * 10_000)) == 600
    assert say("the submission raised {error}", error=EVIL).render("en").startswith("the submission raised [31m=cmd()")


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@x", "\t=1", " =1", "\r=1"])
def test_formulas_are_defused(cell: str) -> None:
    assert defused(cell).startswith("'")
    assert defused("fine") == "fine"


@pytest.mark.parametrize("separator", [";", ",", "\t", "|", "\n"])
@pytest.mark.parametrize("cell", ["=1+1", "  -2", '"=1"', "＝1", "@x"])
def test_formulas_are_defused_after_whatever_parts_the_cells(cell: str, separator: str) -> None:
    for part in defused(f"x{separator}{cell}{separator}y").split(separator):
        assert part == "x" or part == "y" or part.startswith("'")
    assert defused("a - b; c = 3, d") == "a - b; c = 3, d"


def evil_report(**fields: Any) -> GradeReport:
    words = plain(EVIL)
    item = ItemReport(words, False, words, words)
    check = CheckReport("forward.ffn", "forward", words, "failed", 0.0, 8.0, words, words, words, words, (item,))
    row = LadderRow(words, (1,), None, 1.0, (), None, 1.0, False, True, words)
    report = GradeReport(
        1, "0", words, "0", "graded", words, 1.5, 9.0, 1, "0", "en", None, "r", 1.0, (check,), {words: (row,)}
    )
    return replace(report, **fields)


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        assert not [name for name, _ in attrs if name.startswith("on") or name in ("src", "href")]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_no_report_carries_an_injection(lang: str) -> None:
    report = evil_report(lang=lang, unsafe=plain(EVIL))
    html = page(report)
    assert "default-src 'none'; style-src 'unsafe-inline'\"" in html  # and no pictures
    parser = Tags()
    parser.feed(html)
    assert not {"script", "img", "a", "iframe", "link"} & set(parser.seen)
    assert "&lt;script&gt;" in html
    rows = list(csv.reader(io.StringIO(to_csv([Row(report)]))))
    assert len(rows) == 2
    assert not [cell for cell in rows[1] if cell.startswith(("=", "+", "-", "@"))]
    ElementTree.fromstring(services.junit([report]))
    for line in (*one(report), *of_class([report], "pt")):
        assert line.isprintable()


@needs_isolation
def test_a_real_injection_through_names_and_messages() -> None:
    encoder, parameter = "def Encoder(File_chars, Vocabulary):\n", "        self.drop0 ="
    changed = mutated(
        CORRECT.read_text(),
        (encoder, f"{encoder}    raise ValueError({EVIL!r})\n"),
        (parameter, f"        self.register_parameter('=x<script>', nn.Parameter(torch.ones(1)))\n{parameter}"),
    )
    report = grade_sources({"=evil <b>": changed})["=evil <b>"]
    assert "<script>" in report.to_json()
    assert "\x1b" not in report.to_json()
    assert "\\u001b" not in report.to_json()
    assert "<script>" not in page(report)
    assert "<b>evil" not in page(report)
    assert "'=evil" in to_csv([Row(report)])


@needs_isolation
def test_services_get_what_they_document() -> None:
    report = grade_file("correct")
    results = json.loads(services.gradescope(report, read_rubric()))
    assert results["score"] == sum(test["score"] for test in results["tests"]) == 100
    top = {"score", "execution_time", "output", "output_format", "test_output_format", "test_name_format", "visibility"}
    assert results.keys() <= top | {"stdout_visibility", "extra_data", "tests", "leaderboard"}
    assert {"visible"} == {results["visibility"], *(test["visibility"] for test in results["tests"])}
    for number, test in enumerate(results["tests"], start=1):
        assert test["number"] == str(number)
        assert isinstance(test["score"], float)
        assert isinstance(test["max_score"], float)
        assert test["status"] == "passed"
    learned = json.loads(services.prairielearn(report))
    assert learned["score"] == 1
    assert learned["gradable"] is True
    assert sum(test["max_points"] for test in learned["tests"]) == 100
    suite = ElementTree.fromstring(services.junit([report])).find("testsuite")
    assert suite is not None
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == (str(len(report.checks)), "0", "0")


@pytest.mark.parametrize(("lang", "words"), [("en", ("failed", "1.5 / 9")), ("pt", ("errada", "1,5 / 9"))])
def test_the_page_says_in_words_what_it_says_in_colours(lang: str, words: tuple[str, str]) -> None:
    html = page(evil_report(lang=lang))
    status, points = words
    assert f'data-label="{"result" if lang == "en" else "resultado"}">{status}</td>' in html
    assert points in html
    assert html.count("<caption>") == html.count("<table>") == 2
    assert f'<html lang="{"en" if lang == "en" else "pt-BR"}">' in html


def test_a_status_is_a_word_in_the_terminal() -> None:
    lines = one(evil_report(submission="ana", message=""))
    assert lines[0] == "ana: graded, 1.5 / 9"
    assert any(line.startswith("  failed: ") and line.endswith("0 / 8") for line in lines)
    assert not any("\x1b" in line for line in lines)


def test_what_cannot_be_graded_is_said_in_every_form() -> None:
    report = evil_report(state="ungradable", checks=(), ladders={}, score=0.0)
    assert json.loads(services.prairielearn(report))["gradable"] is False
    assert json.loads(services.prairielearn(report))["format_errors"]
    assert json.loads(services.gradescope(report, read_rubric()))["score"] == 0
    assert 'errors="1"' in services.junit([report])
    assert "ungradable" in to_csv([Row(report)])


def test_junit_counts_the_cases_that_it_holds() -> None:
    for report in (evil_report(), evil_report(state="grader_error"), evil_report(checks=())):
        (suite,) = ElementTree.fromstring(services.junit([report]))
        counts = (len(suite), len(suite.findall("*/failure")), len(suite.findall("*/error")))
        assert tuple(int(suite.get(name, "")) for name in ("tests", "failures", "errors")) == counts


@needs_isolation
@pytest.mark.parametrize(
    ("name", "source", "words"),
    [("my_port.py", "class GPT(:\n", "SyntaxError"), ("README.md", "hi\n", "no .py and no .ipynb file")],
)
def test_a_service_is_told_of_what_cannot_be_graded(
    cli: Cli, tmp_path: Path, name: str, source: str, words: str
) -> None:
    (tmp_path / "student").mkdir()
    (tmp_path / "student" / name).write_text(source)
    for service in ("--gradescope", "--prairielearn"):
        result = cli("grade", "run", tmp_path / "student", service, tmp_path / "results" / "results.json")
        # PrairieLearn reads the file only after exit code 0.
        assert result.exit_code == 0, result.output
        told = json.loads((tmp_path / "results" / "results.json").read_text())
        assert told["score"] == 0
        assert words in (told.get("output") or told["format_errors"][0])


def test_a_huge_report_fits_prairielearn() -> None:
    (check,) = evil_report().checks
    items = (ItemReport("n", False, "e" * 300, "a" * 300),) * 10
    report = evil_report(checks=(replace(check, items=items),) * 400)
    assert len(services.prairielearn(report).encode()) <= 1_000_000


def test_the_gradescope_zip_installs_this_package(cli: Cli, tmp_path: Path) -> None:
    result = cli("grade", "gradescope-zip", tmp_path / "autograder.zip", "--lang", "pt")
    assert result.exit_code == 0, result.output
    with zipfile.ZipFile(tmp_path / "autograder.zip") as archive:
        names = set(archive.namelist())
        assert {
            "setup.sh",
            "run_autograder",
            "pyproject.toml",
            "pygpt/isolation/child.py",
            "data/sample.txt",
        } <= names
        for script in ("setup.sh", "run_autograder"):
            assert archive.getinfo(script).external_attr >> 16 & 0o111
            (tmp_path / script).write_bytes(archive.read(script))
            assert subprocess.run(["bash", "-n", tmp_path / script], check=False).returncode == 0
        assert b"pygpt grade run /autograder/submission --lang pt" in archive.read("run_autograder")
        build = tomllib.loads(archive.read("pyproject.toml").decode())["tool"]["hatch"]["build"]["targets"]["wheel"]
        for needed in build["force-include"]:
            assert [name for name in names if name.startswith(f"{needed}/")], f"the wheel needs {needed}"
        assert not [name for name in names if "__pycache__" in name or name.startswith("tests")]
    assert os.stat(tmp_path / "autograder.zip").st_size < 5 << 20


def test_a_file_that_others_may_read_runs_as_another_user() -> None:
    with tempfile.TemporaryDirectory() as made:
        folder, file = Path(made), Path(made) / "submission.py"
        file.write_text("")
        for mode_of_folder, mode_of_file, opened in (
            (0o755, 0o644, True),
            (0o755, 0o640, False),
            (0o700, 0o644, False),
        ):
            folder.chmod(mode_of_folder)
            file.chmod(mode_of_file)
            assert sandbox._open_to_others(file) is opened


def test_an_old_bubblewrap_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = tmp_path / "bwrap"
    old.write_text("#!/bin/sh\necho '--perms OCTAL  Set permissions of next argument'\n")
    old.chmod(0o755)
    monkeypatch.setattr("pygpt.isolation.bubblewrap.shutil.which", lambda _: str(old))
    monkeypatch.setattr("sys.platform", "linux")
    assert "0.7 or newer" in str(bubblewrap.isolation_missing())


@needs_isolation
def test_one_exception_is_told_once_and_where_to_start() -> None:
    broken = mutated(CORRECT.read_text(), ("        k = x.shape[1]\n", "        raise KeyError('no such head')\n"))
    report = grade_sources({"broken": broken})["broken"]
    assert sum("no such head" in item.actual for check in report.checks for item in check.items) > 10
    for text in ("\n".join(one(report, 300)), page(report)):
        assert text.count("no such head") == 2  # where to start, and where it first comes
        assert "start here: Forward: Embedding: token plus position" in text


@needs_isolation
@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ("self.ln_f(self.scale3(h))[:, -1]", "of the last position alone?"),
        ("self.ln_f(self.scale3(h)).transpose(0, 1)", "batch_first?"),
        ("self.ln_f(self.scale3(h)).flatten(0, 1)", "that is for the loss to do"),
        ("self.ln_f(self.scale3(h)).mT", "positions and vocabulary have changed places"),
        ("self.ln_f(self.scale3(h)) * torch.nan", "a row that is wholly masked gives NaN"),
    ],
)
def test_an_answer_that_is_not_allowed_is_told_its_likely_cause(changed: str, words: str) -> None:
    gpt, rest = CORRECT.read_text().split("class GPT_NoAttn")
    report = grade_sources({"odd": f"{mutated(gpt, ('self.ln_f(self.scale3(h))', changed))}class GPT_NoAttn{rest}"})[
        "odd"
    ]
    assert words in "\n".join(one(report, 300)).split("start here: ")[1].split("\n")[0]
    # What is right of the other model keeps its points.
    assert report.score > 40
