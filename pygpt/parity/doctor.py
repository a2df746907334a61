"""What this machine has of R, of the bridge to it and of Python's torch; what is missing, and how to install it."""

import dataclasses
import platform
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from pygpt.determinism import kernel_fingerprint
from pygpt.errors import PygptError
from pygpt.r.errors import INSTALL_LIBTORCH, INSTALL_RPY2, RMissingError, install_r_packages
from pygpt.r.process import run_script
from pygpt.r.session import RSession

FORMAT = 1
R_PACKAGES = ("torch", "luz", "safetensors")
R_FACTS = (
    "version", "home", "locale", "order", "icu", "blas", "lapack", "cores",
    *R_PACKAGES, "libtorch", "threads", "torch_error",
)  # fmt: skip
RPY2_PACKAGES = ("rpy2", "rpy2-rinterface", "rpy2-robjects")

_FACTS = Path(__file__).with_name("r_facts.R")
_R_LIMIT = 120


@dataclass(frozen=True)
class Missing:
    """What is not there or does not work, and the line that installs it ("" where installing does not help)."""

    what: str
    problem: str
    install: str


@dataclass(frozen=True)
class Diagnosis:
    """What there is. A value is None where it could not be had."""

    r: dict[str, str | None]
    """version, home, locale, order (how a, A, b, B are sorted), icu, blas, lapack, cores; versions of torch, luz,
    safetensors, libtorch; threads (of R's torch), torch_error (why it does not load)."""
    rpy2: dict[str, str | None]
    """Versions of rpy2 and its two parts."""
    python: dict[str, str]
    """version, torch, threads, cpu (what torch's kernels use), kernel_fingerprint."""
    bridge: bool
    """Whether an R session was started and answered."""
    missing: tuple[Missing, ...]

    @property
    def sources(self) -> dict[str, bool]:
        """The sources of R truth, and whether each can be used here."""
        live = self.bridge and None not in (self.r["torch"], self.r["luz"], self.r["libtorch"])
        return {"oracle": self.bridge, "torch": live, "recorded": True}


def examine() -> Diagnosis:
    """Look at R, rpy2 and torch, and start an R session."""
    missing: list[Missing] = []
    facts = _r_facts(missing)
    rpy2 = {name: _version(name) for name in RPY2_PACKAGES}
    bridge = False
    if facts["version"] is not None:
        bridge = _try_bridge(missing)
        missing += _missing_r_packages(facts)
    elif rpy2["rpy2"] is None:
        missing.append(Missing("rpy2", "rpy2 is not installed", INSTALL_RPY2))
    python = {
        "version": platform.python_version(),
        "torch": torch.__version__,
        "threads": str(torch.get_num_threads()),
        "cpu": torch.backends.cpu.get_cpu_capability(),
        "kernel_fingerprint": kernel_fingerprint(),
    }
    return Diagnosis(facts, rpy2, python, bridge, tuple(missing))


def doctor_text(diagnosis: Diagnosis) -> list[tuple[str, bool]]:
    """Lines to print, each with whether it speaks of something that is there."""
    r, python = diagnosis.r, diagnosis.python
    rows = [
        ("R", r["version"] and f"{r['version']}, {r['home']}"),
        ("  locale", r["locale"] and f"LC_COLLATE={r['locale']}, ICU {r['icu'] or 'none'}; sorts {r['order']}"),
        ("  BLAS", r["blas"] and f"{r['blas']}; LAPACK {r['lapack']}"),
        ("  threads", r["cores"] and f"{r['cores']} cores; R torch: {r['threads'] or '-'}"),
        *((f"  {name}", r[name]) for name in R_PACKAGES),
        ("  libtorch", r["libtorch"]),
        *diagnosis.rpy2.items(),
        ("bridge", "an R session runs, without Python's torch in its process" if diagnosis.bridge else None),
        ("Python", f"{python['version']}, torch {python['torch']} ({python['cpu']}), {python['threads']} threads"),
        ("  fingerprint", python["kernel_fingerprint"]),
    ]
    lines = [(f"{name:17}{value or 'missing'}", value is not None) for name, value in rows]
    lines.append(("Sources of R truth:", True))
    for name, usable in diagnosis.sources.items():
        lines.append((f"  {name:15}{'can be used' if usable else 'cannot be used'}", usable))
    for m in diagnosis.missing:
        lines.append((f"{m.what}: {m.problem}", False))
        if m.install:
            lines.append((f"  install: {m.install}", True))
    return lines


def doctor_json(diagnosis: Diagnosis) -> dict[str, Any]:
    """The same for programs."""
    return {"format": FORMAT} | dataclasses.asdict(diagnosis) | {"sources": diagnosis.sources}


def _r_facts(missing: list[Missing]) -> dict[str, str | None]:
    facts: dict[str, str | None] = dict.fromkeys(R_FACTS)
    try:
        # R's torch must not download libtorch because it was looked at.
        told = run_script(_FACTS, environment={"TORCH_INSTALL": "0"}, limit=_R_LIMIT)
    except RMissingError as error:
        missing.append(Missing("R", str(error.problem), error.install))
    except PygptError as error:
        missing.append(Missing("R", str(error), ""))
    else:
        for line in told.splitlines():
            name, _, value = line.partition("\t")
            if name in facts and value:
                facts[name] = value
    return facts


def _missing_r_packages(facts: dict[str, str | None]) -> list[Missing]:
    absent = [name for name in R_PACKAGES if facts[name] is None]
    missing = []
    if absent:
        what = "R's " + ", ".join(absent)
        missing.append(Missing(what, "not installed in R", install_r_packages(absent)))
    if facts["torch"] and not facts["libtorch"]:
        problem = facts["torch_error"] or "R's torch has no libtorch"
        missing.append(Missing("libtorch", problem, INSTALL_LIBTORCH))
    return missing


def _try_bridge(missing: list[Missing]) -> bool:
    try:
        with RSession(timeout=_R_LIMIT) as session:
            session.evaluate("R.version.string")
            if any(name.split(".")[0] == "torch" for name in session.python_modules()):
                raise PygptError("R's process has loaded Python's torch")
    except RMissingError as error:
        missing.append(Missing("rpy2", str(error.problem), error.install))
    except PygptError as error:
        missing.append(Missing("bridge", str(error), ""))
    else:
        return True
    return False


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
