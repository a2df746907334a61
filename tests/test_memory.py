"""A 100 MB text trains within 2.5 GB."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest

LIMIT = 2.5e9


@pytest.mark.slow
@pytest.mark.parametrize("letter", ["a", "ã"], ids=["ASCII", "two bytes a letter"])
def test_a_hundred_megabytes(letter: str, tmp_path: Path, environment: dict[str, str]) -> None:
    line = f"{letter} large text, line after line, {letter}nd nothing else;\n"
    text = tmp_path / "large.txt"
    text.write_text(line * (100_000_000 // len(line.encode())), encoding="utf-8")
    command = [sys.executable, "-m", "pygpt.commands", "train", "--corpus", str(text), "--share", "1"]
    subprocess.run(
        [*command, "--max-steps", "3", "--n-embd", "16", "--out", str(tmp_path / "run")], env=environment, check=True
    )
    # kilobytes; the largest of the children, and no other child of this test is larger
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 < LIMIT
