"""Reports: every form from the same data, numbers as numbers, and nothing in them that a stranger's text could run."""

import ast
import csv
import io
import json
import os
import subprocess
import tempfile
import tomllib
import zipfile
from collections.abc import Callable
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from click.testing import Result
from pygpt.grading.messages import plain, say
from pygpt.grading.messages_pt import PORTUGUESE, SAME

import pygpt
from pygpt.grading.isolation import sandbox
from pygpt.grading.reports import services
from pygpt.grading.reports.html import page
from pygpt.grading.reports.table import defused, to_csv
from pygpt.grading.reports.text import of_class, one
from tests.grading.helpers import CORRECT, grade_files, grade_sources, mutated, needs_isolation

Cli = Callable[..., Result]
PACKAGE = Path(pygpt.__file__).parent
EVIL = "\x1b[31m=cmd()<script>alert(1)</script>\u202e\n\x07"


@cache
def templates() -> list[str]:
    found = []
    for path in sorted((PACKAGE / "grading").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "say":
                found.append(ast.literal_eval(node.args[0]))
    return found


def test_every_sentence_has_its_portuguese() -> None:
    assert [t for t in templates() if t not in PORTUGUESE and t not in SAME] == []
    assert [t for t in (*PORTUGUESE, *SAME) if t not in templates()] == []


@pytest.mark.parametrize("template", sorted(PORTUGUESE))
def test_a_translation_has_the_same_values(template: str) -> None:
    values = {n.split("}")[0]: "x" for n in template.replace("{{", "").split("{")[1:]}
    assert say(template, **values).render("pt") == PORTUGUESE[template].format(**values)


def test_plain_text_does_nothing() -> None:
    shown = plain(EVIL)
    assert not set(shown) & set("\x1b\x07\n\u202e")
    assert len(plain("x" * 10_000)) == 600
    assert say("the submission raised {error}", error=EVIL).render("en").startswith("the submission raised [31m=cmd()")


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@x", "\t=1", " =1", "\r=1"])
def test_formulas_are_defused(cell: str) -> None:
    assert defused(cell).startswith("'")
    assert defused("fine") == "fine"


def evil_report() -> dict[str, Any]:
    words = plain(EVIL)
    item = {"name": words, "passed": False, "expected": words, "actual": words}
    check = {
        "id": "forward.ffn", "stage": "forward", "title": words, "status": "failed", "score": 0.0, "max_score": 8.0,
        "rationale": words, "expected": words, "actual": words, "hint": words, "items": [item],
    }  # fmt: skip
    row = {
        "quantity": words, "shape": [1], "difference": None, "limit": 1.0, "where": [], "expected": None,
        "actual": 1.0, "agrees": False, "first_divergence": True, "verdict": words,
    }  # fmt: skip
    return {
        "format": 1, "pygpt": "0", "submission": words, "sha256": "0", "state": "graded", "message": words,
        "score": 1.5,
        "max_score": 9.0, "seed": 1, "rubric_sha256": "0", "lang": "en", "unsafe": None, "padding_row": "r",
        "seconds": 1.0, "checks": [check], "ladders": {"GPT": [row]},
    }  # fmt: skip


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        assert not [name for name, _ in attrs if name.startswith("on") or name in ("src", "href")]


def test_no_report_carries_an_injection() -> None:
    report = evil_report()
    html = page(report)
    parser = Tags()
    parser.feed(html)
    assert not {"script", "img", "a", "iframe", "link"} & set(parser.seen)
    assert "&lt;script&gt;" in html
    rows = list(csv.reader(io.StringIO(to_csv([report]))))
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
    assert "<script>" in json.dumps(report)
    assert "\\u001b" not in json.dumps(report)
    assert "<script>" not in page(report)
    assert "<b>evil" not in page(report)
    assert "'=evil" in to_csv([report])


@needs_isolation
def test_services_get_what_they_document() -> None:
    report = grade_files(("correct",))["correct"]
    results = json.loads(services.gradescope(report))
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


def test_what_cannot_be_graded_is_said_in_every_form() -> None:
    report = evil_report() | {"state": "ungradable", "checks": [], "ladders": {}, "score": 0.0}
    assert json.loads(services.prairielearn(report))["gradable"] is False
    assert json.loads(services.prairielearn(report))["format_errors"]
    assert json.loads(services.gradescope(report))["score"] == 0
    assert 'errors="1"' in services.junit([report])
    assert "ungradable" in to_csv([report])


def test_junit_counts_the_cases_that_it_holds() -> None:
    for report in (evil_report(), evil_report() | {"state": "grader_error"}, evil_report() | {"checks": []}):
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
        result = cli("grade", tmp_path / "student", service, tmp_path / "results" / "results.json")
        # PrairieLearn reads the file only after exit code 0.
        assert result.exit_code == 0, result.output
        told = json.loads((tmp_path / "results" / "results.json").read_text())
        assert told["score"] == 0
        assert words in (told.get("output") or told["format_errors"][0])


def test_a_huge_report_fits_prairielearn() -> None:
    report = evil_report()
    report.checks = report.checks * 400
    for check in report.checks:
        check.items = [{"name": "n", "passed": False, "expected": "e" * 300, "actual": "a" * 300}] * 10
    assert len(services.prairielearn(report).encode()) <= 1_000_000


def test_the_gradescope_zip_installs_this_package(cli: Cli, tmp_path: Path) -> None:
    result = cli("grade", "--gradescope-zip", tmp_path / "autograder.zip", "--lang", "pt")
    assert result.exit_code == 0, result.output
    with zipfile.ZipFile(tmp_path / "autograder.zip") as archive:
        names = set(archive.namelist())
        assert {
            "setup.sh",
            "run_autograder",
            "pyproject.toml",
            "pygpt/grading/isolation/child.py",
            "data/sample.txt",
        } <= names
        for script in ("setup.sh", "run_autograder"):
            assert archive.getinfo(script).external_attr >> 16 & 0o111
            (tmp_path / script).write_bytes(archive.read(script))
            assert subprocess.run(["bash", "-n", tmp_path / script], check=False).returncode == 0
        assert b"--lang pt" in archive.read("run_autograder")
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
    monkeypatch.setattr("pygpt.grading.isolation.sandbox.shutil.which", lambda _: str(old))
    monkeypatch.setattr("sys.platform", "linux")
    assert "0.7 or newer" in str(sandbox.isolation_missing())
