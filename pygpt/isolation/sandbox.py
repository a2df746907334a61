"""Starting a submission's process apart from everything (`bubblewrap`), and ending it with all that it started.

Everywhere: rlimits for each process, and a bound on the memory of all together: the kernel's where a control group can
be made (`group`), else the grader's, which watches while it waits.
"""

import contextlib
import json
import os
import random
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pygpt.errors import PygptError
from pygpt.isolation import bubblewrap, group

_TOKEN = "PYGPT_GRADER_PROCESS"
_SECONDS_TO_END = 2.0
_running: "set[Process]" = set()
"""Of this grader: it examines one submission at a time, so these are all of one."""


@dataclass(frozen=True)
class Limits:
    """What a submission may use. Seconds of wall clock; bytes; `processes` counts threads, too."""

    check_seconds: float = 60.0
    load_seconds: float = 60.0
    total_seconds: float = 300.0
    cpu_seconds: int = 300
    memory_mib: int = 4096
    disk_mib: int = 64
    answer_mib: int = 64
    processes: int = 64
    files: int = 256
    restarts: int = 4


class Process:
    """A running submission: its socket, and `kill`, which leaves nothing of it behind."""

    def __init__(self, submission: Path, root: Path, limits: Limits, unsafe: bool) -> None:
        """Start it.

        Args:
            submission: what is loaded of a staged copy: a file, or a package's folder.
            root: the folder that holds the whole copy, and nothing else.
            unsafe: run without namespaces.

        Raises:
            PygptError: it cannot be started.
        """
        self.channel, theirs = socket.socketpair()
        self.token = secrets.token_hex(16)
        command, setup = (_plain if unsafe else _apart)(submission, root, limits)
        command.append(json.dumps(setup | {"fd": theirs.fileno()}))
        self.group = group.made(limits.memory_mib << 20)
        try:
            self.process = subprocess.Popen(
                command if self.group is None else self.group.command(command),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env={_TOKEN: self.token, "LC_ALL": "C.UTF-8", **bubblewrap.FRUGAL},
                start_new_session=True,
                cwd="/",
            )
        except OSError as error:
            self.channel.close()
            if self.group is not None:
                self.group.end()
            raise PygptError("the submission's process cannot be started: {why}", why=str(error)) from error
        finally:
            theirs.close()
        self.unsafe = unsafe
        _running.add(self)

    def kill(self) -> None:
        """End it and everything it started (with namespaces, the kernel does so when bubblewrap dies)."""
        _running.discard(self)
        self.channel.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        _kill(_marked(self.token) if self.unsafe else ())
        if self.group is not None:
            self.group.end()

    def overran(self) -> bool:
        """Whether the kernel ended something of it for want of memory."""
        return self.group is not None and self.group.overran()


def memory() -> int:
    """Resident bytes of all that the grader must watch: every process, and every one that they started."""
    return sum(_resident().values()) * os.sysconf("SC_PAGE_SIZE")


def stop_all() -> None:
    """Kill all that is watched, and let the kernel take its memory back, which would be counted again.

    The sockets are left, for who reads there to be told.
    """
    killed, until = _resident(), time.monotonic() + _SECONDS_TO_END
    _kill(killed)
    while any(pages for pid, pages in _processes()[1].items() if pid in killed) and time.monotonic() < until:
        time.sleep(0.02)


def _resident() -> dict[int, int]:
    """Pages of all that runs for the submission and that no control group bounds, by process."""
    below, pages = _processes()
    watched = [process for process in _running if process.group is None]
    pids = [process.process.pid for process in watched]
    pids += [pid for process in watched if process.unsafe for pid in _marked(process.token)]
    resident: dict[int, int] = {}
    while pids:
        pid = pids.pop()
        if pid not in resident:
            resident[pid] = pages.get(pid, 0)
            pids += below.get(pid, [])
    return resident


def _kill(pids: Iterable[int]) -> None:
    for pid in pids:
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)


def _processes() -> tuple[dict[int, list[int]], dict[int, int]]:
    """What every process of this machine has started and not lost, and its resident pages."""
    below: dict[int, list[int]] = {}
    pages: dict[int, int] = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        # A process may end while it is read; its name, in parentheses, may hold anything.
        with contextlib.suppress(OSError, IndexError, ValueError):
            fields = file.read_text(errors="replace").rpartition(")")[2].split()
            pid = int(file.parent.name)
            below.setdefault(int(fields[1]), []).append(pid)
            pages[pid] = int(fields[21])
    return below, pages


def _apart(submission: Path, root: Path, limits: Limits) -> tuple[list[str], dict[str, Any]]:
    command, site = bubblewrap.isolated(root, limits.disk_mib)
    uid = _other_user() if os.geteuid() == 0 else None
    inside = Path("/submission")
    return command, _setup(inside / submission.relative_to(root), inside, site, limits, uid)


def _plain(submission: Path, root: Path, limits: Limits) -> tuple[list[str], dict[str, Any]]:
    site = [str(folder) for folder in bubblewrap.site_folders()]
    other = os.geteuid() == 0 and not stays_root() and _open_to_others(submission)
    setup = _setup(submission, root, site, limits, _other_user() if other else None)
    return [sys.executable, "-I", "-S", str(bubblewrap.HERE / "child.py")], setup


def stays_root() -> bool:
    """Whether an unsafe submission runs as root: where the grader does, and no other user may read what it needs."""
    return os.geteuid() == 0 and not all(map(_open_to_others, [*bubblewrap.site_folders(), Path(sys.executable)]))


def _open_to_others(path: Path) -> bool:
    path = path.resolve()
    needed = 0o005 if path.is_dir() else 0o004
    return path.stat().st_mode & needed == needed and all(f.stat().st_mode & 0o001 for f in path.parents)


def _other_user() -> int:
    return random.SystemRandom().randrange(61_200, 65_500)


def _setup(submission: Path, root: Path, site: list[str], limits: Limits, uid: int | None) -> dict[str, Any]:
    # A made-up user has nothing else running. Of a real one, what runs already counts too: over the whole machine
    # without a namespace of users, and before Linux 5.14 with one.
    running = 0 if uid is not None else _tasks_of_this_user()
    processes = {} if running is None else {"processes": limits.processes + running}
    rlimits = {
        "memory": limits.memory_mib << 20,
        "cpu": limits.cpu_seconds,
        "file": limits.disk_mib << 20,
        "files": limits.files,
        **processes,
    }
    places = {"submission": str(submission), "root": str(root), "site": site}
    return places | {"limits": rlimits, "uid": uid}


def _tasks_of_this_user() -> int | None:
    """Processes and threads that the kernel counts for this user; None where there is no /proc to count in."""
    total, mine = 0, str(os.getuid())
    for file in Path("/proc").glob("[0-9]*/status"):
        # A process may end while it is read.
        with contextlib.suppress(OSError, KeyError, ValueError):
            status = dict(line.split(":", 1) for line in file.read_text(errors="replace").splitlines())
            if status["Uid"].split()[0] == mine:
                total += int(status["Threads"])
    return total or None


def _marked(token: str) -> list[int]:
    """What left the process group, too: its environment still holds the token, unless it took care to lose it."""
    marked = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if token.encode() in (folder / "environ").read_bytes():
                marked.append(int(folder.name))
    return marked
