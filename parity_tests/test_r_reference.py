"""The R side by itself: its own tests, and that sourcing its files does nothing."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

import pygpt
from pygpt.files import shipped

R_REFERENCE = shipped("r_reference")
TESTS = R_REFERENCE / "tests"
EFFECTS = 'source("helper-sourcing.R"); for (path in commandArgs(TRUE)) writeLines(effects_of_sourcing(path))'


def rscript(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run Rscript in a UTF-8 locale; where there is none the test is skipped."""
    program = shutil.which("Rscript")
    if program is None:
        pytest.skip("Rscript is not on the PATH: install R 4.2 or newer")
    return subprocess.run(
        [program, *map(str, arguments)],
        cwd=cwd,
        env=os.environ | {"LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_the_tests_of_the_r_side_pass(tmp_path: Path) -> None:
    done = rscript(TESTS / "testthat.R", cwd=tmp_path)
    if done.returncode == 2 and "R has no testthat" in done.stderr:
        pytest.skip(f'not installed in R: testthat. Install: install.packages("testthat"). R says: {done.stderr}')
    assert done.returncode == 0, done.stdout + done.stderr
    # a line for each file, with a dot for each expectation
    assert set(re.findall(r"^(\w+): \.+$", done.stdout, re.M)) == {
        path.stem.removeprefix("test-") for path in (TESTS / "testthat").glob("test-*.R")
    }
    assert not list(tmp_path.iterdir())


def test_sourcing_a_file_does_nothing() -> None:
    files = [path for path in R_REFERENCE.rglob("*.R") if TESTS not in path.parents]
    assert len(files) > 30
    done = rscript("-e", EFFECTS, *files, cwd=TESTS / "testthat")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_its_version_is_pygpts() -> None:
    assert f"\nVersion: {pygpt.__version__}\n" in (R_REFERENCE / "DESCRIPTION").read_text("utf-8")
