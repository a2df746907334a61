"""What this machine offers for grading, and the line that installs the rest."""

import os
import platform
import shutil
import sys

from pygpt.isolation.bubblewrap import INSTALL, isolation_missing
from pygpt.output.messages import Message, say


def findings() -> list[tuple[bool, Message]]:
    """Lines to print, each with whether it is good news; the last says whether submissions are isolated here."""
    bwrap, missing = shutil.which("bwrap"), isolation_missing()
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    if missing is not None:
        user = say("another user: no")
    elif root:
        user = say("another user: a real one, drawn for each submission")
    else:
        user = say("another user: 65534 inside of the namespace")
    if missing is None:
        last = say("submissions are isolated here")
    elif bwrap is None and sys.platform == "linux":
        last = say("install what is missing:  {command}", command=INSTALL)
    else:
        last = say("submissions cannot be isolated here: grade on Linux with bubblewrap, or see --unsafe")
    system = f"{platform.system()} {platform.release()}"
    return [
        (sys.platform == "linux", say("system: {system}, Python {v}", system=system, v=platform.python_version())),
        (bwrap is not None, say("bubblewrap: {path}", path=bwrap) if bwrap else say("bubblewrap: not installed")),
        (
            missing is None,
            say("namespaces (processes, mounts, network): work")
            if missing is None
            else say("namespaces (processes, mounts, network): {why}", why=missing),
        ),
        (missing is None, user),
        (True, say("limits of memory, CPU, files and time: yes, everywhere")),
        (missing is None, last),
    ]
