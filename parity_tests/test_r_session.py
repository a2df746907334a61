"""The bridge to R when R is missing, fails, hangs or dies: always an exception with its reason, then a fresh start."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from pygpt.errors import PygptError
from pygpt.r.errors import RDiedError, RError, RMissingError, RTimeoutError
from pygpt.r.session import RSession

FUNCTIONS = """
outer_function <- function(x) {
  inner_function(x)
}
inner_function <- function(y) {
  stop("não há ", y)
}
"""


@pytest.fixture(scope="module")
def functions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An R file, in a folder with a space and an accent in its name."""
    path = tmp_path_factory.mktemp("às vezes") / "functions.R"
    path.write_text(FUNCTIONS, "utf-8")
    return path


@pytest.fixture(scope="module")
def own(r: RSession, functions: Path) -> Iterator[RSession]:
    """A session that a test may bring down. It needs `r` only to be skipped where that is."""
    with RSession([functions], timeout=60) as session:
        yield session


def gone(pid: int) -> bool:
    """Whether the process ends within ten seconds."""
    for _ in range(100):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.1)
    return False


def test_printed_output_is_kept_and_harms_nothing(r: RSession) -> None:
    code = "cat('ção\\n'); message('to stderr'); warning('careful'); system('echo from a child'); print(pi); 1"
    assert r.evaluate(code) == 1
    for said in ("ção", "to stderr", "careful", "from a child", "3.14"):
        assert said in r.output
    assert r.evaluate("cat(strrep('x', 1e6)); cat('\\xff\\n'); 2") == 2
    assert r.output.count("x") == 1_000_000
    assert r.evaluate("readLines(file('stdin'))").size == 0
    assert r.output == ""


def test_torch_is_not_in_rs_process(r: RSession) -> None:
    modules = r.python_modules()
    assert "rpy2.rinterface" in modules
    assert not [name for name in modules if name.split(".")[0] in ("torch", "pygpt")]
    assert "torch_python" not in Path(f"/proc/{r.pid}/maps").read_text()


def test_an_r_error_arrives_and_the_session_goes_on(r: RSession, functions: Path) -> None:
    r.source(functions)
    r.evaluate("kept <- 41")
    pid = r.pid
    with pytest.raises(RError) as caught:
        r.call("outer_function", "maçãs")
    assert caught.value.message == "não há maçãs"
    assert caught.value.call == "inner_function(x)"
    assert caught.value.traceback == [
        "outer_function(.arg1)",
        "functions.R#3: inner_function(x)",
        'functions.R#6: stop("não há ", y)',
    ]
    assert str(caught.value).splitlines()[0] == "R error in inner_function(x): não há maçãs"
    for code in (
        "1 +",
        "no_such_function()",
        "stop(structure(class = c('a', 'error', 'condition'), list(message = 'b')))",
    ):
        with pytest.raises(RError):
            r.evaluate(code)
    with pytest.raises(RError):
        r.call("not a name", 1)
    with pytest.raises(RError, match=r"recursion|stack"):
        r.evaluate("endless <- function(n) endless(n + 1); endless(1)")
    assert r.evaluate("kept + 1") == 42
    assert r.pid == pid


def test_a_traceback_does_not_print_arrays(r: RSession) -> None:
    with pytest.raises(RError) as caught:
        r.call("solve", a=np.zeros((300, 300)))
    assert caught.value.traceback[0] == "solve(a = a)"
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(("locale", "order"), [("C", "ABabé"), ("C.UTF-8", "aAbBé")])
def test_the_locale_decides_the_order(r: RSession, locale: str, order: str) -> None:
    with RSession(locale=locale) as session:
        assert "".join(session.call("sort", np.array(list("éBbAa")))) == order
        assert session.call("toupper", "é") == "É"


def test_a_locale_that_is_not_installed_is_refused(r: RSession) -> None:
    with RSession(locale="xx_XX.UTF-8") as session, pytest.raises(PygptError, match="xx_XX"):
        session.start()


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("quit()", "exit code 0"),
        ("quit(status = 3)", "exit code 3"),
        ("tools::pskill(Sys.getpid(), 11)", "signal SIGSEGV"),
    ],
)
def test_a_death_of_r_is_an_exception_and_the_next_call_a_fresh_start(own: RSession, code: str, reason: str) -> None:
    own.evaluate("lost <- TRUE")
    before = own.pid
    with pytest.raises(RDiedError, match=reason) as caught:
        own.evaluate(f"cat('last words\\n'); {code}")
    assert "last words" in str(caught.value)
    assert own.pid is None
    assert own.evaluate("c(exists('lost'), exists('outer_function'))").tolist() == [False, True]
    assert own.pid not in (None, before)


@pytest.mark.parametrize("code", ["repeat {}", "Sys.sleep(1e6)", "system('sleep 1000 & echo child $!; wait')"])
def test_an_endless_loop_is_stopped_with_its_children(own: RSession, code: str) -> None:
    own.start()
    before, own.timeout = own.pid, 1
    with pytest.raises(RTimeoutError, match="longer than 1 s"):
        own.evaluate(code)
    own.timeout = 60
    children = [int(line.removeprefix("child ")) for line in own.output.splitlines()]
    assert all(gone(pid) for pid in [before, *children] if pid)
    assert own.call("exists", "outer_function") is True
    assert own.pid != before


def test_ctrl_c_leaves_a_session_that_works(own: RSession) -> None:
    own.start()
    # A test run in the background of a shell is deaf to Ctrl-C.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt):
            own.evaluate("Sys.sleep(30); 'late'")
    finally:
        signal.signal(signal.SIGINT, before)
    assert own.evaluate("'new'") == "new"


def test_files_that_cannot_be_sourced(r: RSession, tmp_path: Path) -> None:
    with pytest.raises(PygptError, match="no R file"):
        RSession([tmp_path / "absent.R"])
    wrong, dying = tmp_path / "wrong.R", tmp_path / "dying.R"
    wrong.write_text("stop('not today')\n")
    dying.write_text("quit(status = 7)\n")
    with RSession([wrong]) as session:
        for _ in range(2):
            with pytest.raises(RError, match="not today"):
                session.evaluate("1")
        wrong.write_text("a <- 5\n")
        assert session.evaluate("a") == 5
        with pytest.raises(RDiedError, match="exit code 7"):
            session.source(dying)
        assert session.evaluate("a") == 5


def test_nothing_is_left_behind(r: RSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with RSession() as session:
        folder = session.evaluate("file.create(tempfile()); tempdir()")
        assert Path(folder).is_relative_to(tmp_path)
        pid = session.pid
    assert pid is not None
    assert gone(pid)
    assert not list(tmp_path.iterdir())
    assert session.evaluate("1") == 1  # closed sessions start anew
    session.close()


@pytest.mark.parametrize("code", ["1", pytest.param("repeat {}", marks=pytest.mark.slow)])
def test_r_does_not_outlive_a_killed_parent(r: RSession, code: str, tmp_path: Path) -> None:
    script = f"""
import os, threading, signal
from pygpt.r.session import RSession
session = RSession(timeout=2)
session.start()
print(session.pid, flush=True)
threading.Timer(1, os.kill, (os.getpid(), signal.SIGKILL)).start()
session.evaluate({code!r})
threading.Event().wait()
"""
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    parent = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=100
    )
    assert parent.returncode == -signal.SIGKILL
    assert gone(int(parent.stdout))
    assert code != "1" or not list(tmp_path.glob("pygpt-r-*"))


@pytest.mark.usefixtures("without_r")
def test_r_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RMissingError, match=r"R is not installed: .* on the PATH.*apt-get install r-base-core"):
        RSession().evaluate("1")
    monkeypatch.setenv("R_HOME", "/nowhere")
    with pytest.raises(RMissingError, match="in R_HOME, /nowhere"):
        RSession().evaluate("1")


@pytest.mark.parametrize("why", ["No module named 'rpy2'", "undefined symbol: R_getVar"])
@pytest.mark.usefixtures("r")
def test_rpy2_is_not_installed_or_does_not_fit(break_rpy2: Callable[[str], None], why: str) -> None:
    break_rpy2(f"ImportError({why!r})")
    with pytest.raises(RMissingError, match=why) as caught:
        RSession().evaluate("1")
    assert "pip install" in str(caught.value)


@pytest.mark.usefixtures("without_r")
def test_a_test_that_needs_r_is_skipped_with_the_install_line() -> None:
    test = f"{Path(__file__).with_name('test_r_values.py')}::test_na_and_nan"
    command = [sys.executable, "-m", "pytest", "-rs", "-p", "no:cacheprovider", test]
    told = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert "1 skipped" in told.stdout
    assert "apt-get install r-base-core" in told.stdout
    assert told.returncode == 0
