"""Starting a submission's process apart from everything, and ending it with all that it started.

With bubblewrap (Linux): namespaces of its own for processes, mounts, network, IPC and host name; Python, its packages
and the submission read-only, a bounded temporary folder, an empty environment, another user. Everywhere: rlimits for
each process, and the memory of all processes together, which the grader watches while it waits.
"""

import contextlib
import json
import os
import random
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pygpt.errors import PygptError
from pygpt.output.messages import Message, say

INSTALL = "apt-get install bubblewrap"
_HERE = Path(__file__).parent
_NEEDED = ("torch", "safetensors", "numpy")
_TOKEN = "PYGPT_GRADER_PROCESS"
# One thread; and `torch.compile` gives back what it is given: there is no compiler, and nothing to gain.
_FRUGAL = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "TORCHDYNAMO_DISABLE": "1",
    "TORCH_COMPILE_DISABLE": "1",
}
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


def isolation_missing() -> Message | None:
    """Why this machine cannot isolate a submission; None where it can."""
    if sys.platform != "linux":
        return say("isolation needs Linux with bubblewrap; this is {system}", system=sys.platform)
    bwrap = shutil.which("bwrap")
    if bwrap is None:
        return say("bubblewrap is not installed: {command}", command=INSTALL)
    if "--size" not in subprocess.run([bwrap, "--help"], capture_output=True, text=True, check=False).stdout:
        return say("bubblewrap 0.7 or newer is needed: this one cannot bound the temporary files")
    tried = subprocess.run(
        [bwrap, *_namespaces(), "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", *_temporary(1), "true"],
        capture_output=True,
        text=True,
        check=False,
    )
    if tried.returncode == 0:
        return None
    return say("bubblewrap cannot make namespaces here: {why}", why=tried.stderr.strip()[:300])


class Process:
    """A running submission: its socket, and `kill`, which leaves nothing of it behind."""

    def __init__(self, submission: Path, limits: Limits, unsafe: bool) -> None:
        """Start it.

        Args:
            submission: a staged copy (a file or a package folder), alone in its folder.
            unsafe: run without namespaces.

        Raises:
            PygptError: it cannot be started.
        """
        self.channel, theirs = socket.socketpair()
        self.token = secrets.token_hex(16)
        command = _plain(submission, limits) if unsafe else _isolated(submission, limits)
        command[-1] = json.dumps({**json.loads(command[-1]), "fd": theirs.fileno()})
        try:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env={_TOKEN: self.token, "LC_ALL": "C.UTF-8", **_FRUGAL},
                start_new_session=True,
                cwd="/",
            )
        except OSError as error:
            self.channel.close()
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


def memory() -> int:
    """Resident bytes of all that runs for the submission: every process, and every one that they started."""
    return sum(_resident().values()) * os.sysconf("SC_PAGE_SIZE")


def stop_all() -> None:
    """Kill all that runs for the submission; the sockets are left, for who reads there to be told."""
    _kill(_resident())


def _resident() -> dict[int, int]:
    """Pages of all that runs for the submission, by process."""
    below, pages = _processes()
    pids = [process.process.pid for process in _running]
    pids += [pid for process in _running if process.unsafe for pid in _marked(process.token)]
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


def _isolated(submission: Path, limits: Limits) -> list[str]:
    bwrap = shutil.which("bwrap")
    if bwrap is None:
        raise PygptError("bubblewrap is not installed: {command}", command=INSTALL)
    stdlib, python = Path(sysconfig.get_path("stdlib")), f"python{sys.version_info.major}.{sys.version_info.minor}"
    executable = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    library = f"/python/lib/{python}"
    command = [bwrap, *_namespaces(), "--clearenv", "--cap-drop", "ALL"]
    if os.geteuid() == 0:
        # Root maps to root in a namespace of users; a real other user is made inside, and then no right is left.
        command += ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    for made in ("/python", "/python/bin", "/python/lib", "/site", "/grader"):
        command += ["--perms", "0755", "--dir", made]
    command += ["--ro-bind", str(executable), f"/python/bin/{python}", "--ro-bind", str(stdlib), library]
    command += _covered(stdlib / "site-packages", f"{library}/site-packages")
    shared = Path(sysconfig.get_config_var("LIBDIR") or "/nowhere") / (sysconfig.get_config_var("INSTSONAME") or "none")
    command += ["--ro-bind-try", str(shared), f"/python/lib/{shared.name}"]
    for system in map(Path, ("/usr/lib", "/usr/lib64", "/lib", "/lib64")):
        if system.is_symlink():
            command += ["--symlink", str(system.readlink()), str(system)]
        elif system.exists():
            command += ["--ro-bind", str(system), str(system)]
    for language in ("/usr/lib/R", "/usr/lib64/R"):
        command += _covered(Path(language), language)
    site = []
    for number, folder in enumerate(_site_folders()):
        site.append(f"/site/{number}")
        command += ["--ro-bind", str(folder), site[-1]]
        # Where pygpt is installed beside torch, it must not be there for the submission: it holds the answers.
        command += _covered(folder / "pygpt", f"{site[-1]}/pygpt")
    for file in ("child.py", "wire.py", "seccomp.py"):
        command += ["--ro-bind", str(_HERE / file), f"/grader/{file}"]
    # With its neighbours, which it may import; a copy that stands alone has none.
    command += ["--ro-bind", str(submission.parent), "/submission"]
    # A shared mapping of /dev/zero would be memory that no process holds.
    command += ["--dev", "/dev", "--dev-bind", "/dev/null", "/dev/zero", "--remount-ro", "/dev", "--proc", "/proc"]
    command += [*_temporary(limits.disk_mib), "--chdir", "/tmp"]
    for name, value in _environment("/tmp", "/python/lib").items():
        command += ["--setenv", name, value]
    command += ["--remount-ro", "/", f"/python/bin/{python}", "-I", "-S", "/grader/child.py"]
    uid = _other_user() if os.geteuid() == 0 else None
    return [*command, _setup(f"/submission/{submission.name}", site, limits, uid)]


def _plain(submission: Path, limits: Limits) -> list[str]:
    site = [str(folder) for folder in _site_folders()]
    other = os.geteuid() == 0 and not stays_root() and _open_to_others(submission)
    setup = _setup(str(submission), site, limits, _other_user() if other else None)
    return [sys.executable, "-I", "-S", str(_HERE / "child.py"), setup]


def stays_root() -> bool:
    """Whether an unsafe submission runs as root: where the grader does, and no other user may read what it needs."""
    return os.geteuid() == 0 and not all(map(_open_to_others, [*_site_folders(), Path(sys.executable)]))


def _open_to_others(path: Path) -> bool:
    path = path.resolve()
    needed = 0o005 if path.is_dir() else 0o004
    return path.stat().st_mode & needed == needed and all(f.stat().st_mode & 0o001 for f in path.parents)


def _other_user() -> int:
    return random.SystemRandom().randrange(61_200, 65_500)


def _setup(submission: str, site: list[str], limits: Limits, uid: int | None) -> str:
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
    return json.dumps({"submission": submission, "site": site, "limits": rlimits, "uid": uid})


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


def _namespaces() -> list[str]:
    user = [] if os.geteuid() == 0 else ["--unshare-user", "--uid", "65534", "--gid", "65534"]
    kinds = ["pid", "net", "ipc", "uts"]
    kept = ["--die-with-parent", "--new-session", "--hostname", "grader"]
    return [*user, *(f"--unshare-{kind}" for kind in kinds), "--unshare-cgroup-try", *kept]


def _temporary(mib: int) -> list[str]:
    return ["--perms", "1777", "--size", str(mib << 20), "--tmpfs", "/tmp"]


def _site_folders() -> list[Path]:
    import importlib.util

    folders = []
    for name in _NEEDED:
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        folder = Path(spec.origin).parent.parent
        if folder not in folders:
            folders.append(folder)
    return folders


def _covered(folder: Path, inside: str) -> list[str]:
    return ["--tmpfs", inside] if folder.is_dir() else []


def _environment(home: str, libraries: str) -> dict[str, str]:
    return {"HOME": home, "TMPDIR": home, "LC_ALL": "C.UTF-8", "LD_LIBRARY_PATH": libraries, **_FRUGAL}


def _marked(token: str) -> list[int]:
    """What left the process group, too: its environment still holds the token, unless it took care to lose it."""
    marked = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if token.encode() in (folder / "environ").read_bytes():
                marked.append(int(folder.name))
    return marked
