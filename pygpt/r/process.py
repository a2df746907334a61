"""Processes of R: the one that holds a session, spoken to by frames, and an R script that runs to its end.

A session's process is for Linux and macOS: it needs process groups and sockets that a child inherits.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pygpt.output.messages import Message, say
from pygpt.r import values, wire
from pygpt.r.errors import INSTALL_R, RDiedError, RMissingError, RTimeoutError

_WORKER = Path(__file__).with_name("worker.py")
_SECONDS_TO_END = 5.0


def find_r() -> Path:
    """The R program: that of R_HOME where it is set, else the one on the PATH.

    Raises:
        RMissingError: there is none.
    """
    home = os.environ.get("R_HOME")
    program = shutil.which("R", path=str(Path(home, "bin")) if home else None)
    if program is None:
        where = (
            say("R is not installed: there is no program R in R_HOME, {home} (R 4.2 or newer is needed)", home=home)
            if home
            else say("R is not installed: there is no program R on the PATH (R 4.2 or newer is needed)")
        )
        raise RMissingError(where, INSTALL_R)
    return Path(program)


def run_script(
    script: Path, *arguments: str, environment: Mapping[str, str] | None = None, limit: float | None = None
) -> str:
    """Run an R script to its end. What R says on stderr goes to this process's own, as it comes.

    Args:
        environment: variables for the script, beside this process's own.
        limit: seconds it may take; None for no limit.

    Returns:
        What it printed on stdout.

    Raises:
        RMissingError: R is missing, or has no Rscript beside it.
        RDiedError: the script could not be started, or ended with an error.
        RTimeoutError: it took longer than `limit`.
    """
    r = find_r()
    rscript = shutil.which("Rscript", path=str(r.parent))
    if rscript is None:
        raise RMissingError(say("there is no program Rscript beside {r}", r=r), INSTALL_R)
    try:
        done = subprocess.run(
            [rscript, str(script), *arguments],
            stdout=subprocess.PIPE,
            env={**os.environ, **(environment or {})},
            timeout=limit,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise RTimeoutError(
            "R took longer than {limit:g} s in {what} and was stopped", limit=limit, what=script.name
        ) from error
    except OSError as error:
        raise RDiedError("{program} cannot be started: {why}", program=rscript, why=error.strerror) from error
    if done.returncode:
        how = _ending(done.returncode)
        raise RDiedError("R ended in {what}: {how}; what it said stands above", what=script.name, how=how)
    return done.stdout.decode("utf-8", "replace")


class RProcess:
    """One worker process, its connection, and what it prints."""

    def __init__(self, locale: str) -> None:
        find_r()
        # R's temporary files go there too, so that nothing stays behind when R is killed.
        self._folder = tempfile.TemporaryDirectory(prefix="pygpt-r-", ignore_cleanup_errors=True)
        self._printed = Path(self._folder.name, "printed")
        self._connection, theirs = socket.socketpair()
        # Appending, so that the file can be emptied before each call.
        with theirs, self._printed.open("ab") as printed:
            self.process = subprocess.Popen(
                [sys.executable, "-P", str(_WORKER), str(theirs.fileno()), self._folder.name],
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=subprocess.STDOUT,
                pass_fds=[theirs.fileno()],
                env=_environment(locale, self._folder.name),
                # A group of its own: Ctrl-C does not reach R, and what R has started is killed with it.
                start_new_session=True,
            )

    def send(self, header: dict[str, Any], arrays: list[tuple[str, int, memoryview]], deadline: float) -> None:
        """Send a request; what was printed before is forgotten."""
        os.truncate(self._printed, 0)
        wire.send(self._connection, header, arrays, deadline)

    def receive(self, deadline: float) -> tuple[dict[str, Any], list[Any]]:
        """The next reply."""
        return wire.receive(self._connection, values.new_array, deadline)

    def printed(self) -> str:
        """What R printed since the last request."""
        return self._printed.read_text("utf-8", "replace")

    def end(self) -> None:
        """Let R end by itself, else kill it."""
        self._connection.close()
        self._wait()
        self.kill()

    def how_it_ended(self) -> Message:
        """After the connection broke: the signal or the exit code of the process."""
        self._wait()
        code = self.process.poll()
        return say("it closed the connection") if code is None else _ending(code)

    def kill(self) -> None:
        """End R and whatever it started, now; remove its folder."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self._connection.close()
        self._folder.cleanup()

    def _wait(self) -> None:
        try:
            self.process.wait(_SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            return


def _ending(code: int) -> Message:
    return say("signal {name}", name=signal.Signals(-code).name) if code < 0 else say("exit code {code}", code=code)


def _environment(locale: str, folder: str) -> dict[str, str]:
    """This process's environment with no locale but the one asked for, texts in UTF-8 and messages in English."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("LC_") and k not in ("LANG", "R_ICU_LOCALE")}
    language = "C.UTF-8" if locale == "C" else locale
    return kept | {"LANG": language, "LC_COLLATE": locale, "LANGUAGE": "en", "TMPDIR": folder}
