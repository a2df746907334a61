"""Safety: what a submission sees and can harm from inside of its isolation."""

import contextlib
import json
import os
import socket
import time
from pathlib import Path
from typing import Any

from pygpt.grading.report import GradeReport
from pygpt.grading.submission import Submission, staged
from tests.grading.helpers import CORRECT, at_load, grade_sources, needs_isolation, small_rubric

pytestmark = needs_isolation

# What a submission can see and do from inside, told through its error message: `done` should stay empty, and `odd`
# names what failed for another reason than the isolation.
WITNESS = """
import ctypes, errno, fcntl, glob, json, mmap, os, socket, subprocess, sys
known = {"work", "home", "root", "etc", "sys", "opt", "var", "mnt"}
named = [n for n in os.environ if n.startswith(("PYGPT", "PYTEST", "PATH", "USER"))]
seen = {"done": [], "odd": [], "uid": os.getuid(), "root": sorted(known & set(os.listdir("/"))), "environ": named}
pids = [p for p in os.listdir("/proc") if p.isdigit()]
seen["processes"] = len(pids)
seen["modules"] = [m for m in sys.modules if m.startswith("pygpt")]
walked = [folder for top in ("/grader", "/submission", "/tmp") for folder in os.walk(top)]
seen["files"] = sorted(name for _, _, names in walked for name in names)
opened = [f"/proc/self/fd/{n}" for n in os.listdir("/proc/self/fd")]
seen["fds"] = sorted(os.readlink(f).split(":")[0] for f in opened if os.path.lexists(f))
def attempt(name, act):
    try: act()
    except (OSError, ImportError): return
    except BaseException as error: seen["odd"].append(f"{name} {error!r}")
    else: seen["done"].append(name)
attempt("network", lambda: socket.create_connection(("1.1.1.1", 53), 1))
attempt("loopback", lambda: socket.create_connection(("127.0.0.1", PORT), 1))
attempt("pygpt", lambda: __import__("pygpt.models"))
attempt("fixtures", lambda: open(FIXTURE).read())
attempt("canary", lambda: open(CANARY, "w").write("x"))
attempt("parent_memory", lambda: open(f"/proc/{os.getppid()}/mem", "rb").read(1))
attempt("first_memory", lambda: open("/proc/1/mem", "rb").read(1))
attempt("R", lambda: subprocess.run(["R", "--version"]))
attempt("shell", lambda: subprocess.run(["/bin/sh", "-c", "true"]))
attempt("becomes_root", lambda: os.setuid(0))
def called(name, *arguments):
    if getattr(ctypes.CDLL(None), name)(*arguments) == -1: raise OSError(name)
attempt("uncounted memory", lambda: os.memfd_create("x"))
attempt("shared memory", lambda: called("shmget", 0, 1 << 20, 0o1600))
attempt("own namespaces", lambda: called("unshare", 0x10020000))
attempt("cloned namespaces", lambda: called("syscall", 56, 0x10000011, 0, 0, 0, 0))
attempt("mount", lambda: called("mount", b"none", b"/tmp", b"tmpfs", 0, None))
attempt("socket", lambda: socket.socket(socket.AF_UNIX))
attempt("pair of sockets", socket.socketpair)
for family in (socket.AF_INET6, socket.AF_NETLINK, socket.AF_PACKET, socket.AF_VSOCK):
    attempt(f"socket {family}", lambda: socket.socket(family, socket.SOCK_DGRAM))
attempt("traces", lambda: called("ptrace", 0, 0, 0, 0))
buffer = ctypes.create_string_buffer(8)
class Part(ctypes.Structure): _fields_ = [("at", ctypes.c_void_p), ("size", ctypes.c_size_t)]
part = Part(ctypes.addressof(buffer), 8)
for name in ("process_vm_readv", "process_vm_writev"):
    attempt(name, lambda: called(name, os.getpid(), ctypes.byref(part), 1, ctypes.byref(part), 1, 0))
attempt("personality", lambda: called("personality", -1))
attempt("queue", lambda: called("mq_open", b"/x", os.O_CREAT | os.O_RDWR, 0o600, None))
if os.uname().machine == "x86_64":
    for number, name in ((154, "modify_ldt"), (249, "request_key"), (250, "keyctl"), (303, "name_to_handle_at")):
        attempt(name, lambda: called("syscall", number, 0, b"/", 0, 0, 0))
attempt("notifications", lambda: called("inotify_init1", 0))
attempt("shared memory of no file", lambda: mmap.mmap(-1, 1 << 16))
def locked(how):
    with open("/usr/lib/os-release" if os.path.exists("/usr/lib/os-release") else __file__) as file: how(file)
attempt("whole lock", lambda: locked(lambda file: fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)))
attempt("lock", lambda: locked(lambda file: fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB)))
attempt("open lock", lambda: locked(lambda file: fcntl.fcntl(file, 37, bytes(32))))
for place in ("/usr/lib/x", "/python/x", "/site/0/x", "/grader/x", "/submission/x", "/dev/x", "/dev/shm/x", "/x",
              "/grader/child.py", __file__, "/proc/sys/kernel/hostname", "/proc/sysrq-trigger"):
    attempt("writes " + place, lambda: open(place, "a").close())
for place in OTHERS:
    starts = ["", os.path.dirname(__file__) + "/.." * 9]
    starts += [f"/proc/{p}/{link}" for p in (*pids, "self") for link in ("root", "cwd" + "/.." * 9)]
    for start in starts:
        attempt("reads " + start, lambda: open(start + place).read(1))
        attempt("lists " + start, lambda: os.listdir(os.path.dirname(start + place)))
def fill():
    written, block = 0, bytes(1 << 20)
    try:
        for number in range(30):
            file = os.open(f"/tmp/MARK-{number}", os.O_WRONLY | os.O_CREAT)
            for _ in range(10): written += os.write(file, block)
            os.close(file)
    except OSError as error: return [written >> 20, errno.errorcode[error.errno]]
seen["filled"] = fill()
raise RuntimeError(json.dumps(seen))
"""


def told(report: GradeReport) -> dict[str, Any]:
    """What a submission said in its error message."""
    assert report.state == "ungradable"
    words = report.message
    assert "}" in words, words
    return dict(json.loads(words[words.index("{") : words.rindex("}") + 1]))


def test_what_a_submission_sees_and_does(tmp_path: Path) -> None:
    canary, other, mark = tmp_path / "canary", tmp_path / "other.py", f"pygpt-witness-{os.getpid()}"
    canary.write_text("untouched")
    other.write_text("x = 'of another student'")
    # As while a class is graded: the other one's file, and the copy of it that is being graded.
    with staged(Submission(other, "other")) as other_staged, socket.create_server(("127.0.0.1", 0)) as server:
        copy = other_staged.path
        assert copy.read_text() == other.read_text()
        source = WITNESS.replace("PORT", str(server.getsockname()[1])).replace("CANARY", repr(str(canary)))
        source = source.replace("FIXTURE", repr(str(CORRECT))).replace("OTHERS", repr([str(other), str(copy)]))
        seen = told(grade_sources({"witness": at_load(source.replace("MARK", mark))})["witness"])
    assert seen["done"] == seen["odd"] == []
    assert seen["uid"] not in (0, os.getuid())
    assert seen["root"] == seen["environ"] == seen["modules"] == []
    assert seen["processes"] <= 3
    ours = (
        "child", "any_module", "parameters", "seccomp", "wire", "__init__", "cells", "needed", "program", "submission",
    )  # fmt: skip
    assert seen["files"] == sorted(f"{name}.py" for name in ours)
    assert seen["fds"] == [*["/dev/null"] * 3, "socket"]
    # The limit is on all files together; one file alone may be as large.
    assert seen["filled"][0] <= 64
    assert seen["filled"][1] == "ENOSPC"
    assert not list(Path("/tmp").glob(f"{mark}*"))
    assert canary.read_text() == "untouched"
    assert other.read_text() == "x = 'of another student'"


def test_a_daemon_ends_with_its_grading() -> None:
    name = f"left-{os.getpid()}"
    source = f"""
import ctypes, os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        ctypes.CDLL(None).prctl(15, {name!r}.encode())  # PR_SET_NAME
        time.sleep(90)
    os._exit(0)
time.sleep(1)
raise RuntimeError("there is a daemon: " + str([p for p in os.listdir("/proc") if p.isdigit()
    and open(f"/proc/{{p}}/comm").read().strip() == {name!r}]))
"""
    report = grade_sources({"daemon": at_load(source)}, small_rubric())["daemon"]
    assert "there is a daemon: ['" in report.message, report.message
    until = time.monotonic() + 5  # the kernel ends a namespace's processes soon, not at once
    while time.monotonic() < until and name in running():
        time.sleep(0.05)
    assert name not in running()


def running() -> set[str]:
    names = set()
    for file in Path("/proc").glob("[0-9]*/comm"):
        with contextlib.suppress(OSError):
            names.add(file.read_text().strip())
    return names
