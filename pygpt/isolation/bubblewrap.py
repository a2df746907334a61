"""A command inside of bubblewrap (Linux): apart from everything.

Namespaces of its own for processes, mounts, network, IPC and host name; Python, its packages and the submission
read-only, a bounded temporary folder, an empty environment, another user.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from pygpt.errors import PygptError
from pygpt.output.messages import Message, say

INSTALL = "apt-get install bubblewrap"
HERE = Path(__file__).parent
_NEEDED = ("torch", "safetensors", "numpy", "IPython")
# One thread; and `torch.compile` gives back what it is given: there is no compiler.
FRUGAL = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "TORCHDYNAMO_DISABLE": "1",
}


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


def isolated(root: Path, disk_mib: int) -> tuple[list[str], list[str]]:
    """The command that runs child.py on what was handed in, the folder `root`, which is /submission there.

    It lacks its last argument; beside it, where it finds packages.

    Raises:
        PygptError: bubblewrap is not installed.
    """
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
    for made in ("/python", "/python/bin", "/python/lib", "/site", "/grader", "/grader/reading"):
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
    for number, folder in enumerate(site_folders()):
        site.append(f"/site/{number}")
        command += ["--ro-bind", str(folder), site[-1]]
        # Where pygpt is installed beside torch, it must not be there for the submission: it holds the answers.
        command += _covered(folder / "pygpt", f"{site[-1]}/pygpt")
    reading = [f"reading/{file.name}" for file in (HERE / "reading").glob("*.py")]
    for ours in ("child.py", "any_module.py", "parameters.py", "seccomp.py", "wire.py", *reading):
        command += ["--ro-bind", str(HERE / ours), f"/grader/{ours}"]
    command += ["--ro-bind", str(root), "/submission"]
    # A shared mapping of /dev/zero would be memory that no process holds.
    command += ["--dev", "/dev", "--dev-bind", "/dev/null", "/dev/zero", "--remount-ro", "/dev", "--proc", "/proc"]
    command += [*_temporary(disk_mib), "--chdir", "/tmp"]
    for name, value in _environment("/tmp", "/python/lib").items():
        command += ["--setenv", name, value]
    command += ["--remount-ro", "/", f"/python/bin/{python}", "-I", "-S", "/grader/child.py"]
    return command, site


def _namespaces() -> list[str]:
    user = [] if os.geteuid() == 0 else ["--unshare-user", "--uid", "65534", "--gid", "65534"]
    kinds = ["pid", "net", "ipc", "uts"]
    kept = ["--die-with-parent", "--new-session", "--hostname", "grader"]
    return [*user, *(f"--unshare-{kind}" for kind in kinds), "--unshare-cgroup-try", *kept]


def _temporary(mib: int) -> list[str]:
    return ["--perms", "1777", "--size", str(mib << 20), "--tmpfs", "/tmp"]


def site_folders() -> list[Path]:
    """Where the packages lie that a submission may use."""
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
    return {"HOME": home, "TMPDIR": home, "LC_ALL": "C.UTF-8", "LD_LIBRARY_PATH": libraries, **FRUGAL}
