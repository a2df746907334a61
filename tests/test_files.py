"""Writing files: what a kill left behind is cleared away, what another process is writing is not."""

import os
import subprocess
import sys
from pathlib import Path

from pygpt.files import write_atomically


def test_what_a_killed_writer_left_is_cleared(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    left, lives = tmp_path / f".a [1].json.{ended.pid}.partial", tmp_path / f".a [1].json.{os.getppid()}.partial"
    others = [
        tmp_path / name for name in (".a [1].json.x.partial", ".b.json.1.partial", f".a1.json.{ended.pid}.partial")
    ]
    for file in (left, lives, *others):
        file.write_text("half")
    write_atomically(tmp_path / "a [1].json", "whole")
    assert (tmp_path / "a [1].json").read_text() == "whole"
    assert {p.name for p in tmp_path.iterdir()} == {"a [1].json", lives.name, *(p.name for p in others)}


def test_two_processes_that_write_one_file_do_not_meet(tmp_path: Path, environment: dict[str, str]) -> None:
    code = (
        "import sys, pathlib; from pygpt.files import write_atomically\n"
        "for _ in range(200): write_atomically(pathlib.Path(sys.argv[1]), sys.argv[2] * 20_000)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "x")]
    both = [subprocess.Popen([*command, letter], env=environment) for letter in "ab"]
    assert [process.wait() for process in both] == [0, 0]
    assert set((tmp_path / "x").read_text()) in ({"a"}, {"b"})
    assert [p.name for p in tmp_path.iterdir()] == ["x"]
