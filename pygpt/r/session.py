"""A live R session beside Python: functions of R called with numpy arrays.

R runs in a process of its own (`worker.py`, by rpy2), which never loads Python's torch. Example:

    with RSession(["functions.R"], timeout=60) as r:
        total = r.call("sum", np.array([1.0, np.nan]), **{"na.rm": True})
"""

import math
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pygpt.errors import PygptError
from pygpt.output.messages import Message, say
from pygpt.r import values
from pygpt.r.errors import INSTALL_RPY2, RDiedError, RError, RMissingError, RTimeoutError
from pygpt.r.process import RProcess

_START_LIMIT = 120.0
_LAST_LINES = 15


class RSession:
    """One R process, started by the first call, for one thread at a time.

    An R error leaves it as it is. When a call exceeds the time limit the process is killed, and when R dies an
    exception says how; the next call then gets a fresh process with the same files sourced (variables are lost).
    What arguments and results become is told in `values`.

    Args:
        source_files: R files to source into the global environment of every new process, in this order.
        timeout: seconds that one call may take, the transfer of its arrays included. May be changed at any time.
        locale: of R, and thereby the order of `sort()`; "C" is the order of code points. Texts are UTF-8 in any case.

    Raises:
        PygptError: a file does not exist.
    """

    def __init__(
        self, source_files: Iterable[Path | str] = (), *, timeout: float = 600.0, locale: str = "C.UTF-8"
    ) -> None:
        self.timeout = timeout
        self._locale = locale
        self._files = [_existing(path) for path in source_files]
        self._process: RProcess | None = None
        self._last_printed = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def start(self) -> None:
        """Start R and source the files, unless it runs already.

        Raises:
            RMissingError: R or rpy2 is missing.
            RError, RDiedError, RTimeoutError: R does not start, or a file cannot be sourced.
            PygptError: the locale is not installed.
        """
        if self._process is not None:
            return
        self._process = RProcess(self._locale)
        try:
            self._check(self._receive(say("its start"), _START_LIMIT)[0])
            for path in self._files:
                self._request("source", [str(path)], str(path))
        except BaseException:
            self._kill()
            raise

    def source(self, path: Path | str) -> None:
        """Source an R file now, and in every process that follows.

        Raises:
            PygptError: there is no such file; what `call` raises.
        """
        file = _existing(path)
        self.start()
        self._request("source", [str(file)], str(file))
        if file not in self._files:
            self._files.append(file)

    def call(self, function: str, /, *args: Any, **kwargs: Any) -> Any:
        """The value of an R function, `package::function` too; `**{"na.rm": True}` passes names that Python has not.

        Raises:
            RError: an R error; the session goes on.
            RDiedError, RTimeoutError: R is gone; the next call starts it anew.
            RMissingError: R or rpy2 is missing.
            PygptError: an argument cannot be sent to R, or the value cannot be sent back.
        """
        arguments, arrays = values.to_wire([*args, *kwargs.values()])
        if kwargs:
            arguments["names"] = [""] * len(args) + [values.text(name) for name in kwargs]
        self.start()
        return self._request("call", [values.text(function), arguments], f"{function}()", arrays)

    def evaluate(self, code: str) -> Any:
        """Run R code in the global environment: the last value where R would print it (not of `x <- 1`), else None.

        Raises: what `call` raises.
        """
        self.start()
        return self._request("evaluate", [values.text(code)], repr(code if len(code) < 60 else code[:57] + "..."))

    @property
    def output(self) -> str:
        """What R, its warnings and its libraries printed during the last call."""
        return self._process.printed() if self._process else self._last_printed

    @property
    def pid(self) -> int | None:
        """The process that holds R, if it runs."""
        return self._process.process.pid if self._process else None

    def python_modules(self) -> list[str]:
        """The Python modules that R's process has loaded, by name: torch must never be among them."""
        self.start()
        return list(self._request("modules", [], "sys.modules"))

    def close(self) -> None:
        """End R. The session may be used again: the next call starts it anew."""
        if self._process:
            self._last_printed = self._process.printed()
            self._process.end()
            self._process = None

    def _request(self, do: str, sent: list[Any], what: str, arrays: Iterable[tuple[str, int, memoryview]] = ()) -> Any:
        request = {"do": do, "values": sent, "limit": math.ceil(self.timeout)}
        reply, received = self._receive(what, self.timeout, request, list(arrays))
        if "error" in reply:
            raise RError(**reply["error"])
        if "unsendable" in reply:
            raise PygptError("R's {what} gave a value that cannot be sent: {why}", what=what, why=reply["unsendable"])
        return values.from_wire(reply["value"], received)

    def _receive(
        self,
        what: Message | str,
        limit: float,
        request: dict[str, Any] | None = None,
        arrays: Iterable[tuple[str, int, memoryview]] = (),
    ) -> tuple[dict[str, Any], list[Any]]:
        """Send a request, if there is one, and wait for the next reply."""
        assert self._process is not None
        deadline = time.monotonic() + limit
        try:
            if request is not None:
                self._process.send(request, list(arrays), deadline)
            return self._process.receive(deadline)
        except TimeoutError as error:
            self._kill()
            raise RTimeoutError(
                "R took longer than {limit:g} s in {what} and was stopped; the next call starts it anew",
                limit=limit, what=what,
            ) from error  # fmt: skip
        except (EOFError, OSError) as error:
            how = self._process.how_it_ended()
            self._kill()
            last = "\n".join(f"| {line}" for line in self._last_printed.splitlines()[-_LAST_LINES:])
            if not last:
                raise RDiedError("R died in {what}: {how}; it printed nothing", what=what, how=how) from error
            raise RDiedError(
                "R died in {what}: {how}; it printed last:\n{last}", what=what, how=how, last=last
            ) from error
        except BaseException:
            # Ctrl-C: the reply that is still to come would be taken for that of the next request.
            self._kill()
            raise

    def _check(self, greeting: dict[str, Any]) -> None:
        if "unavailable" in greeting:
            raise RMissingError(say("rpy2 cannot be loaded ({why})", why=greeting["unavailable"]), INSTALL_RPY2)
        if greeting["collate"] != self._locale:
            raise PygptError(
                "the locale {asked} is not installed: R sorts by {actual}",
                asked=repr(self._locale), actual=repr(greeting["collate"]),
            )  # fmt: skip

    def _kill(self) -> None:
        if self._process:
            process, self._process = self._process, None
            self._last_printed = process.printed()
            process.kill()


def _existing(path: Path | str) -> Path:
    file = Path(path).resolve()
    if not file.is_file():
        raise PygptError("there is no R file {file}", file=file)
    return file
