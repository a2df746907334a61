"""How threads of OpenMP wait for one another: in a loop by default, which is quick where the cores are theirs alone.

Where others compute, too, a thread that loops takes the time that the one it waits for would need. On two cores with
six busy processes a training step on two threads took four times as long so as with threads that sleep.
"""

import os


def sleep_where_others_compute() -> None:
    """For a command, before torch is loaded: threads sleep where half of the cores are taken. OMP_WAIT_POLICY wins."""
    if hasattr(os, "getloadavg") and os.getloadavg()[0] > (os.cpu_count() or 1) / 2:
        os.environ.setdefault("OMP_WAIT_POLICY", "passive")
