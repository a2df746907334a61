"""A control group: the kernel bounds all that is begun in it together, and nothing of it is left."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pygpt.isolation import group

MOST = 64 << 20
_GROUP = group.made(MOST)
if _GROUP is not None:
    _GROUP.end()
needs_groups = pytest.mark.skipif(_GROUP is None, reason="this machine lets no control group of memory be made")


@needs_groups
def test_two_processes_that_fit_alone_are_ended_together() -> None:
    """Each takes three quarters of the limit, which no limit for one process would see."""
    made = group.made(MOST)
    assert made is not None
    code = f"import os, time; os.fork(); block = bytearray(os.urandom(1 << 20) * {MOST * 3 // 4 >> 20}); time.sleep(20)"
    process = subprocess.Popen(made.command([sys.executable, "-c", code]), start_new_session=True)
    until = time.monotonic() + 30
    while not made.overran() and time.monotonic() < until:
        time.sleep(0.05)
    assert made.overran()
    made.end()
    process.wait(10)
    assert not made.folder.exists()


@needs_groups
def test_nothing_is_left_of_what_runs_in_it() -> None:
    made = group.made(MOST)
    assert made is not None
    # A session of its own and another parent: it escapes a kill of the process group.
    script = "setsid sleep 60 >/dev/null & echo $!"
    pid = int(subprocess.check_output(made.command(["/bin/sh", "-c", script]), stdin=subprocess.DEVNULL, timeout=90))
    os.kill(pid, 0)
    made.end()
    assert not made.folder.exists()
    until = time.monotonic() + 10
    while Path(f"/proc/{pid}").exists() and "Z" not in Path(f"/proc/{pid}/stat").read_text().split()[2]:
        assert time.monotonic() < until
        time.sleep(0.01)
