"""What can go wrong with a live R, and the lines that install what is missing."""

from collections.abc import Collection

from pygpt.errors import PygptError

INSTALL_R = "apt-get install r-base-core r-base-dev (elsewhere than Debian and Ubuntu: R 4.2 or newer, with headers)"
INSTALL_RPY2 = "pip install -c constraints.txt -e '.[r]'"
INSTALL_LIBTORCH = "Rscript -e 'torch::install_torch()'"


def install_r_packages(names: Collection[str]) -> str:
    """The line that installs packages of R; with torch comes libtorch."""
    packages = ", ".join(f'"{name}"' for name in names)
    libtorch = "; torch::install_torch()" if "torch" in names else ""
    return f"Rscript -e 'install.packages(c({packages})){libtorch}'"


class RMissingError(PygptError):
    """R or rpy2 is missing or cannot be loaded. `install` is the line that installs it."""

    def __init__(self, problem: str, install: str) -> None:
        super().__init__(f"{problem}. Install it: {install}")
        self.problem, self.install = problem, install


class RError(PygptError):
    """An R error: its message, the call it came from, and R's calls down to there, the outermost first."""

    def __init__(self, message: str, call: str | None, traceback: list[str]) -> None:
        where = f" in {call}" if call else ""
        calls = "\n  ".join(["\nR's calls, the outermost first:", *traceback]) if traceback else ""
        super().__init__(f"R error{where}: {message}{calls}")
        self.message, self.call, self.traceback = message, call, traceback


class RDiedError(PygptError):
    """The R process ended in mid-call; the message says by which signal or exit code, and what it printed last."""


class RTimeoutError(PygptError):
    """A call took longer than the session's time limit, and its R process was killed."""
