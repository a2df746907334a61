"""`make bench`: how fast training and generation are, as ratios of what ran in turn on this machine.

It writes `bench.json` and `bench.png` beside `docs/performance.md`, and that page's tables:
`python -m benchmarks.model [FOLDER] [ROUNDS]`.
"""

import dataclasses
import json
import os
import sys
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure

from benchmarks.measure import Ratio, facts
from benchmarks.texts import texts
from benchmarks.training import steps
from benchmarks.where import where
from pygpt.files import write_atomically
from pygpt.memory import keep_freed_memory
from pygpt.output.saving import save

BEGIN, END = "<!-- what make bench writes -->", "<!-- its end -->"


def main(folder: Path, rounds: int) -> None:
    keep_freed_memory()
    cores = torch.get_num_threads()
    machine = facts(cores)
    print(*(f"{name}: {value}" for name, value in machine.items()), sep="\n")
    lines, picked = steps(cores, rounds)
    lines += texts(rounds)
    shares = where()
    machine["load_after"] = round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None
    tables = f"{told(machine, picked)}\n\n{of_ratios(lines)}\n\n{of_shares(shares)}"
    print(tables)
    results: dict[str, Any] = {
        "machine": machine,
        "rounds": rounds,
        "ratios": [dataclasses.asdict(line) | {"reached": line.reached} for line in lines],
        "picked": picked,
        "where": shares,
    }
    write_atomically(folder / "bench.json", json.dumps(results, indent=1) + "\n")
    save(picture(lines, shares, machine), folder / "bench.png")
    page = folder / "performance.md"
    if page.exists():
        before, mark, rest = page.read_text(encoding="utf-8").partition(BEGIN)
        write_atomically(page, f"{before}{mark}\n{tables}\n{END}{rest.partition(END)[2]}")


def told(machine: dict[str, Any], picked: dict[str, str]) -> str:
    """Where and how it was measured, and what engine fast picked."""
    load = f"load {machine['load_before']} before and {machine['load_after']} after"
    lines = [
        f"Measured on {machine['date']}: {machine['processor']} ({machine['capability']}), "
        f"{machine['threads']} threads, {machine['system']}, torch {machine['torch']}, {load}.",
        *(f"Engine fast with {threads} picked: {why}." for threads, why in picked.items()),
    ]
    return "\n\n".join(lines)


def of_ratios(lines: list[Ratio]) -> str:
    """As Markdown."""
    rows = ["| what | ratio | of the processor's time | asked | ms | against ms |", "|---|---|---|---|---|---|"]
    for line in lines:
        a, b = line.milliseconds
        asked = "" if line.asked is None else line.asked + ("" if line.reached else ", **not reached**")
        rows.append(f"| {line.name} | {line.clock:.2f} | {line.processor:.2f} | {asked} | {a:.4g} | {b:.4g} |")
    return "\n".join(rows)


def of_shares(shares: dict[str, dict[str, float]]) -> str:
    """As Markdown."""
    rows = ["| % of a step | " + " | ".join(shares) + " |", "|---" * (len(shares) + 1) + "|"]
    for kind in next(iter(shares.values())):
        rows.append(f"| {kind} | " + " | ".join(f"{of_kind[kind]:.1f}" for of_kind in shares.values()) + " |")
    return "\n".join(rows)


def picture(lines: list[Ratio], shares: dict[str, dict[str, float]], machine: dict[str, Any]) -> Figure:
    """Each ratio beside what is asked, and where a step's time goes."""
    figure = Figure(figsize=(13, 5.5), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    asked = [line for line in lines if line.asked]
    for i, line in enumerate(reversed(asked)):
        bound = float(str(line.asked).split()[1])
        # A ratio of times and one of speeds, on one axis: above 1 is better than asked.
        better = bound / line.clock if str(line.asked).startswith("<=") else line.clock / bound
        left.barh(i, min(better, 3), color="tab:blue" if line.reached else "tab:red", alpha=0.6)
        left.text(0.02, i, f"{line.name}: {line.clock:.2f}, asked {line.asked}", va="center", fontsize=8)
    left.axvline(1, color="black", linewidth=1)
    left.set(yticks=[], xlim=(0, 3), title="Right of the line: quicker than asked", xlabel="times as quick as asked")
    bottom = dict.fromkeys(shares, 0.0)
    for n, kind in enumerate(next(iter(shares.values()))):
        heights = [of_kind[kind] for of_kind in shares.values()]
        right.bar(list(shares), heights, bottom=list(bottom.values()), label=kind, color=f"C{n}")
        bottom = {name: bottom[name] + of_kind[kind] for name, of_kind in shares.items()}
    right.set(title="Where a step's time goes, one thread", ylabel="% of the processor's time")
    right.set_xticks(range(len(shares)), [name.replace(", ", ",\n") for name in shares], fontsize=8)
    right.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    figure.suptitle(
        f"{machine['processor']}, {machine['threads']} thread(s), torch {machine['torch']}, {machine['date']}",
        fontsize=10,
    )
    return figure


if __name__ == "__main__":
    arguments = (*sys.argv[1:], *("docs", "15")[len(sys.argv) - 1 :])
    main(Path(arguments[0]), int(arguments[1]))
