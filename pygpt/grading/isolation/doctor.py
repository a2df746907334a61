"""What this machine offers for grading, and the line that installs the rest."""

import os
import platform
import shutil
import sys

from pygpt.grading.isolation.sandbox import INSTALL, isolation_missing


def findings() -> list[tuple[bool, str]]:
    """Lines to print, each with whether it is good news."""
    bwrap, missing = shutil.which("bwrap"), isolation_missing()
    found = [
        (
            sys.platform == "linux",
            f"system: {platform.system()} {platform.release()}, Python {platform.python_version()}",
        ),
        (bwrap is not None, "bubblewrap: " + (bwrap or "not installed")),
        (missing is None, "namespaces (processes, mounts, network): " + ("work" if missing is None else missing)),
    ]
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    user = "a real one, drawn for each submission" if root else "65534 inside of the namespace"
    found.append((missing is None, f"another user: {user if missing is None else 'no'}"))
    found.append((True, "limits of memory, CPU, files and time: yes, everywhere"))
    if missing is None:
        found.append((True, "submissions are isolated here"))
    elif bwrap is None and sys.platform == "linux":
        found.append((False, f"install what is missing:  {INSTALL}"))
    else:
        found.append((False, "submissions cannot be isolated here: grade on Linux with bubblewrap, or see --unsafe"))
    return found
