"""Safety: a grader that does not run as root isolates and bounds submissions, too."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pygpt.grading.report import from_json
from tests.grading.helpers import CORRECT, at_load, lost, needs_isolation

pytestmark = [
    needs_isolation,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user; this is not root"),
]

_UID = 60_999  # nobody's
_AS_OTHER = """
import os, sys
os.setgroups([]), os.setresgid(*[{uid}] * 3), os.setresuid(*[{uid}] * 3)
os.umask(0o077)
from pygpt.commands import main
main()
"""
BOMB = """
import json, os, threading, time
threads, processes = 0, 0
try:
    for _ in range(300):
        threading.Thread(target=time.sleep, args=(20,), daemon=True).start()
        threads += 1
except RuntimeError: pass
try:
    for _ in range(300):
        if os.fork() == 0: time.sleep(20); os._exit(0)
        processes += 1
except OSError: pass
raise RuntimeError(json.dumps([os.getuid(), threads, processes]))
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not pytest's own, which no other user may enter."""
    with tempfile.TemporaryDirectory() as made:
        for name in ("class", "out"):
            (Path(made) / name).mkdir()
        for path in (Path(made), Path(made) / "out"):
            path.chmod(0o777)
        yield Path(made)


def test_a_grader_that_is_not_root(folder: Path) -> None:
    shutil.copy(CORRECT, folder / "class")
    (folder / "class" / "bomb.py").write_text(at_load(BOMB))
    (folder / "rubric.toml").write_text('[parts]\nasked = ["GPT_NoAttn", "Encoder", "Decoder"]\n')
    for path in folder.rglob("*"):
        path.chmod(0o777)
    out = folder / "out"
    done = as_another_user(
        "grade", "run", folder / "class", "--rubric", folder / "rubric.toml", "--out", out, "--seed", 2
    )
    if not (out / "class.csv").exists():
        pytest.skip(f"another user cannot grade here: {done.stderr.strip()[-300:]}")
    assert done.returncode == 1, done.stderr
    correct, bomb = (from_json((out / f"{name}.json").read_text()) for name in ("correct", "bomb"))
    assert (correct.state, lost(correct), correct.unsafe) == ("graded", {}, None)
    words = bomb.message
    uid, threads, processes = json.loads(words[words.index("[") : words.index("]") + 1])
    assert uid == 65534
    # 64, and as many as this user runs already: the grader itself.
    assert 30 < threads < 150
    assert processes == 0


def as_another_user(*arguments: object) -> subprocess.CompletedProcess[str]:
    """The command line under another user's id, in a view of the machine where it may read Python and the package."""
    command = ["bwrap", "--dev-bind", "/", "/", "--cap-add", "ALL", "--die-with-parent"]
    command += opened(Path(sys.base_prefix), Path(sys.prefix), Path(__file__).parents[3])
    command += [sys.executable, "-c", _AS_OTHER.format(uid=_UID), *map(str, arguments)]
    environment = {"PATH": os.environ["PATH"], "HOME": "/nowhere", "USER": "nobody", "LC_ALL": "C.UTF-8"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)


def opened(*needed: Path) -> list[str]:
    """Put in place of each folder that others may not enter one that holds nothing but what is needed."""
    closed = {above for path in needed for above in path.parents if not above.stat().st_mode & 0o001}
    outermost = [path for path in closed if not closed & set(path.parents)]
    options = [option for path in outermost for option in ("--perms", "0755", "--tmpfs", str(path))]
    for path in needed:
        if not closed & set(path.parents):
            continue
        for above in reversed(path.parents):
            # bubblewrap would make it for itself alone
            if set(outermost) & set(above.parents):
                options += ["--perms", "0755", "--dir", str(above)]
        options += ["--dev-bind", str(path), str(path)]
    return options
