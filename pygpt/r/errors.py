"""What can go wrong with a live R, and the lines that install what is missing."""

from collections.abc import Collection

from pygpt.errors import PygptError
from pygpt.output.messages import Message

INSTALL_R = "apt-get install r-base-core r-base-dev (Debian, Ubuntu)"
INSTALL_RPY2 = "pip install -c constraints.txt -e '.[r]'"
INSTALL_LIBTORCH = "Rscript -e 'torch::install_torch()'"


def install_r_packages(names: Collection[str]) -> str:
    """The line that installs packages of R; with torch comes libtorch."""
    packages = ", ".join(f'"{name}"' for name in names)
    libtorch = "; torch::install_torch()" if "torch" in names else ""
    return f"Rscript -e 'install.packages(c({packages})){libtorch}'"


class RMissingError(PygptError):
    """R, Rscript or rpy2 is missing or cannot be loaded. `install` is the line that installs it."""

    def __init__(self, problem: Message, install: str) -> None:
        super().__init__("{problem}. Install it: {install}", problem=problem, install=install)
        self.args = (problem, install)  # pickle makes the error anew from them
        self.problem, self.install = problem, install


class RError(PygptError):
    """An R error: its message, the call it came from, and R's calls down to there, the outermost first."""

    def __init__(self, message: str, call: str | None, traceback: list[str]) -> None:
        what = (
            PygptError("R error in {call}: {message}", call=call, message=message)
            if call
            else PygptError("R error: {message}", message=message)
        )
        if traceback:
            calls = "\n".join(f"- {call}" for call in traceback)
            super().__init__("{what}\nR's calls, the outermost first:\n{calls}", what=what, calls=calls)
        else:
            super().__init__("{what}", what=what)
        self.args = (message, call, traceback)
        self.message, self.call, self.traceback = message, call, traceback


class RDiedError(PygptError):
    """The R process ended before it should; the message says by which signal or exit code, and what it printed last."""


class RTimeoutError(PygptError):
    """R took longer than it was given, and its process was killed."""
