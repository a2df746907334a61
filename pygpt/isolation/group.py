"""A control group of its own for a submission, where the machine lets one be made: the kernel bounds all its memory.

Socket buffers and temporary files count there, too, and pages that processes share count once.
"""

import contextlib
import os
import signal
import tempfile
import time
from pathlib import Path

_FOUND = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")
# By version: the limit, and where the kernel counts the processes that it ended for it.
_FILES = {1: ("memory.limit_in_bytes", "memory.oom_control"), 2: ("memory.max", "memory.events")}
_ENTER = ["/bin/sh", "-c", 'echo $$ >"$0/cgroup.procs" && exec "$@"']
_LOOKS = 200


class Group:
    """A folder of the kernel's, below the group of this process."""

    def __init__(self, folder: Path, version: int) -> None:
        self.folder, self.version = folder, version

    def command(self, command: list[str]) -> list[str]:
        """The command, begun inside of the group with all that it starts."""
        return [*_ENTER, str(self.folder), *command]

    def overran(self) -> bool:
        """Whether the kernel ended a process because the limit was reached."""
        with contextlib.suppress(OSError):
            counts = dict(line.split() for line in (self.folder / _FILES[self.version][1]).read_text().splitlines())
            return int(counts.get("oom_kill", 0)) > 0
        return False

    def end(self) -> None:
        """Kill whatever is left in the group, and remove it."""
        for _ in range(_LOOKS):
            with contextlib.suppress(OSError):
                for pid in (self.folder / "cgroup.procs").read_text().split():
                    os.kill(int(pid), signal.SIGKILL)
            with contextlib.suppress(OSError):
                self.folder.rmdir()
            if not self.folder.exists():
                return
            time.sleep(0.01)


def made(most: int) -> Group | None:
    """A group that holds at most so many bytes; None where none can be made."""
    for folder, version in _places():
        limit = _FILES[version][0]
        with contextlib.suppress(OSError):
            group = Group(Path(tempfile.mkdtemp(prefix="pygpt-", dir=folder)), version)
            try:
                (group.folder / limit).write_text(str(most))
                return group
            except OSError:  # a group without the controller of memory
                group.folder.rmdir()
    return None


def _places() -> list[tuple[Path, int]]:
    """The groups of memory in which this process is, and of which version they are."""
    own, mounted = _FOUND
    places = []
    with contextlib.suppress(OSError):
        for line in own.read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers == "memory":
                places.append((mounted / "memory" / path.lstrip("/"), 1))
            elif not controllers:
                places.append((mounted / path.lstrip("/"), 2))
    return places
