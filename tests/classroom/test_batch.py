"""A class: notebooks and packages in it, going on, repeating a grade, with and without isolation."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import Result

from pygpt.classroom.batch import grade_all, sole_use
from pygpt.errors import PygptError
from pygpt.grading.grade import GradingJob
from pygpt.grading.report import from_json
from pygpt.grading.rubric import read_rubric
from pygpt.grading.submission import Submission
from pygpt.isolation.sandbox import _processes
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
    assert first.ladders["GPT_NoAttn"][0].expected != other.ladders["GPT_NoAttn"][0].expected


def test_without_isolation_it_refuses(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pygpt.isolation.bubblewrap.shutil.which", lambda _: None)
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


def test_a_folder_of_results_takes_one_grading_at_a_time(cli: Cli, tmp_path: Path) -> None:
    command = ["grade", "run", tmp_path / "nothing.py", "--unsafe", "--out", tmp_path]
    with sole_use(tmp_path):
        result = cli(*command)
        assert result.exit_code == 2
        assert f"{tmp_path} is in use: process {os.getpid()} is grading into it" in result.stderr
        assert "está em uso" in cli(*command, "--lang", "pt").stderr
    assert not list(tmp_path.iterdir())
    assert "there is no submission" in cli(*command).stderr
    (tmp_path / "file").write_text("")
    with pytest.raises(PygptError, match="cannot write"), sole_use(tmp_path / "file"):
        pass


def test_a_killed_grading_leaves_its_folder_free(tmp_path: Path, environment: dict[str, str]) -> None:
    code = "import os, pathlib, sys; from pygpt.classroom.batch import sole_use\n"
    code += "with sole_use(pathlib.Path(sys.argv[1])): os.kill(os.getpid(), 9)"
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)], env=environment, check=False).returncode == -9
    with sole_use(tmp_path):
        assert (tmp_path / ".grading").read_text() == str(os.getpid())


@pytest.mark.parametrize(
    "options", [["--jobs", "2"], ["--jobs", "1"], pytest.param(["--jobs", "2", "--unsafe"], id="unsafe")]
)
@needs_isolation
def test_a_killed_grading_leaves_nothing_running(
    tmp_path: Path, environment: dict[str, str], options: list[str]
) -> None:
    folder = tmp_path / "class"
    folder.mkdir()
    for name in ("a", "b"):
        (folder / f"{name}.py").write_text("import time\ntime.sleep(50)\n")
    command = [sys.executable, "-m", "pygpt", "grade", "run", str(folder), "--out", str(tmp_path / "out"), *options]
    grader = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL, cwd=Path(__file__).parents[2])
    try:
        until, wanted = time.monotonic() + 60, 2 if options[1] == "1" else 4
        while len(left := below(grader.pid)) < wanted and time.monotonic() < until:
            time.sleep(0.1)
        assert len(left) >= wanted
        time.sleep(2)  # the submissions are loaded, and sleep
        left |= below(grader.pid)
    finally:
        grader.send_signal(signal.SIGKILL)
        grader.wait()
    until = time.monotonic() + 10
    while (alive := {pid for pid in left if runs(pid)}) and time.monotonic() < until:
        time.sleep(0.1)
    assert not alive


def below(pid: int) -> set[int]:
    """All processes that a process has started, and that those have."""
    of, _ = _processes()
    direct = of.get(pid, [])
    return {*direct, *(lower for child in direct for lower in below(child))}


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
