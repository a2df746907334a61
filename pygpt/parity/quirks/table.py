"""The table of what R torch does otherwise than PyTorch: `quirks.toml`, of which `docs/what_r_does.md` has the list."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

_FILE = Path(__file__).with_name("quirks.toml")

KINDS = {
    "slip": "an error of R torch",
    "counting": "R counts from 1",
    "default": "another choice",
    "rounding": "the same but for rounding",
    "order": "another order",
    "missing": "not in R torch",
}


@dataclass(frozen=True)
class Quirk:
    """One thing that R torch does otherwise."""

    id: str
    title: str
    kind: Literal["slip", "counting", "default", "rounding", "order", "missing"]
    r: tuple[str, ...]
    """R's names for what it concerns: functions, methods (`$topk`), operators."""
    py: tuple[str, ...]
    """PyTorch's names for the same, without their modules."""
    does: str
    """What R torch does."""
    pytorch: str
    port: str
    """What a port does to have R's numbers."""
    source: str
    """The file of R torch's sources, and perhaps the function."""
    main: str = "the same"
    """What the main branch does, as of `Table.main`."""
    evidence: Literal["run", "recorded", "read"] = "run"
    """run: the proof was run on R torch; recorded: a recording shows it; read: in the sources, not run."""
    proof: str = ""
    """R code that is TRUE on R torch; the tests run it where R torch is installed."""
    python_proof: str = ""
    recorded: str = ""
    """Where it is recorded."""
    when: tuple[tuple[str, str], ...] = ()
    """Arguments on which it depends, each with `given`, `negative`, `none`, `true` or `false`."""


@dataclass(frozen=True)
class Table:
    """All of them, and the versions that they were seen in."""

    version: str
    """Of R torch (CRAN's)."""
    main: str
    """The day of the main branch that was read, too."""
    quirks: tuple[Quirk, ...]

    def evidence_of(self, quirk: Quirk) -> str:
        """How it is known, in words."""
        return {
            "run": f"run on R torch {self.version}",
            "recorded": f"recorded with R torch {self.version}: {quirk.recorded}",
            "read": f"read in the sources of R torch {self.version}, not run",
        }[quirk.evidence] + f"; main branch (read, {self.main}): {quirk.main}"


@cache
def table() -> Table:
    """The table as shipped."""
    held = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    return Table(held["version"], held["main"], tuple(_quirk(one) for one in held["quirk"]))


def _quirk(held: Mapping[str, object]) -> Quirk:
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in held.items()}
    when = values.pop("when", {})
    assert isinstance(when, Mapping)
    return Quirk(**values, when=tuple(when.items()))  # type: ignore[arg-type]


def as_markdown() -> str:
    """The table as `docs/what_r_does.md` has it; `python -m pygpt.parity.quirks.table` prints it."""
    lines = ["| what | R torch | PyTorch | a port | seen |", "|---|---|---|---|---|"]
    for quirk in table().quirks:
        seen = {"run": "run", "recorded": f"recorded: {quirk.recorded}", "read": "read, not run"}[quirk.evidence]
        main = "" if quirk.main == "the same" else f"; main branch: {quirk.main}"
        cells = (f"**{quirk.title}** ({quirk.kind})", quirk.does, quirk.pytorch, quirk.port, seen + main)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(as_markdown(), end="")
