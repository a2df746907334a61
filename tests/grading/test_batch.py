"""A class: notebooks and packages in it, going on, repeating a grade, with and without isolation."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import Result

from pygpt.grading.batch import grade_all
from pygpt.grading.grade import GradingJob
from pygpt.grading.report import from_json
from pygpt.grading.rubric import read_rubric
from pygpt.grading.submission import Submission
from tests.grading.helpers import CORRECT, lost, needs_isolation

Cli = Callable[..., Result]
SMALL = '[parts]\nasked = ["GPT_NoAttn", "Encoder", "Decoder"]\n'


def notebook(path: Path) -> Path:
    cells = [
        "%matplotlib inline\nimport torch\n!pip install nothing",
        CORRECT.read_text(),
        "model = GPT(8, 8, 1, 9, 2)\nraise RuntimeError('training must not run')\nprint(model)",
        "open('/nowhere/Shakespeare.txt')",
    ]
    content = {"cells": [{"cell_type": "code", "source": c.splitlines(keepends=True)} for c in cells], "nbformat": 4}
    path.write_text(json.dumps(content))
    return path


@needs_isolation
def test_notebooks_packages_and_a_class_that_goes_on(cli: Cli, tmp_path: Path) -> None:
    students, out, rubric = tmp_path / "class", tmp_path / "out", tmp_path / "rubric.toml"
    rubric.write_text(SMALL)
    (students / "package").mkdir(parents=True)
    (students / "package" / "__init__.py").write_text("from .parts import GPT_NoAttn, Encoder, Decoder\n")
    shutil.copy(CORRECT, students / "package" / "parts.py")
    notebook(students / "book.ipynb")
    (students / "broken.py").write_text("def GPT(:")
    command = ["grade", "run", students, "--rubric", rubric, "--out", out, "--seed", 5, "--jobs", 2]
    result = cli(*command, "--lang", "pt")
    assert result.exit_code == 1, result.output
    assert "não avaliável" in result.output
    files = {name: out / f"{name}.json" for name in ("package", "book", "broken")}
    reports = {name: from_json(file.read_text()) for name, file in files.items()}
    assert lost(reports["package"]) == lost(reports["book"]) == {}
    assert reports["package"].max_score == reports["broken"].max_score < 100
    assert (reports["broken"].state, reports["broken"].score) == ("ungradable", 0)
    assert {"class.csv", "class.xml", "book.html"} <= {p.name for p in out.iterdir()}
    # a second call takes what is there, and grades what is not or has changed
    before = {name: file.stat().st_mtime_ns for name, file in files.items()}
    files["book"].unlink()
    assert cli(*command, "--lang", "pt").exit_code == 1
    after = {name: file.stat().st_mtime_ns for name, file in files.items()}
    assert [name for name in files if before[name] != after[name]] == ["book"]
    assert from_json(files["book"].read_text()).score == reports["book"].score


@needs_isolation
def test_a_grade_can_be_run_again(tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_text(SMALL)
    rubric, submission = read_rubric(tmp_path / "r.toml"), Submission(CORRECT, "correct")
    first, again, other = (
        replace(grade_all([submission], GradingJob(rubric, seed))[0], seconds=0.0) for seed in (1, 1, 2)
    )
    for report in (first, again, other):
        assert lost(report) == {}
    assert first == again
    assert first.checks[3].expected != other.checks[3].expected


def test_without_isolation_it_refuses(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pygpt.grading.isolation.sandbox.shutil.which", lambda _: None)
    result = cli("grade", "run", CORRECT)
    assert result.exit_code == 2
    assert "bubblewrap is not installed: apt-get install bubblewrap" in result.stderr
    doctor = cli("grade", "doctor")
    assert doctor.exit_code == 1
    assert "apt-get install bubblewrap" in doctor.output


def test_unsafe_is_stamped_on_the_report(tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_text(SMALL)
    rubric = read_rubric(tmp_path / "r.toml")
    (report,) = grade_all([Submission(CORRECT, "correct")], GradingJob(rubric, 1, unsafe=True))
    assert report.score == report.max_score, lost(report)
    assert report.unsafe is not None
    assert "--unsafe" in report.unsafe
