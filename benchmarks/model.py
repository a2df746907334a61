"""`make bench`: how fast training and generation are, as ratios of what ran in turn on this machine.

It writes `bench.json` and `bench.png` and judges nothing: `python -m benchmarks.model [FOLDER] [ROUNDS]`.
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


def main(folder: Path, rounds: int) -> None:
    keep_freed_memory()
    cores = torch.get_num_threads()
    machine = facts(cores)
    print(*(f"{name}: {value}" for name, value in machine.items()), sep="\n")
    lines, picked = steps(cores, rounds)
    lines += texts(rounds)
    shares = where()
    machine["load_after"] = round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None
    print(*lines, *(f"engine fast with {name}: {why}" for name, why in picked.items()), sep="\n")
    print(table(shares))
    results: dict[str, Any] = {
        "machine": machine,
        "rounds": rounds,
        "ratios": [dataclasses.asdict(line) | {"reached": line.reached} for line in lines],
        "picked": picked,
        "where": shares,
    }
    write_atomically(folder / "bench.json", json.dumps(results, indent=1) + "\n")
    save(picture(lines, shares, machine), folder / "bench.png")


def table(shares: dict[str, dict[str, float]]) -> str:
    """As Markdown, for docs/performance.md."""
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
        left.barh(i, better, color="tab:blue" if line.reached else "tab:red")
        left.text(0.02, i, f"{line.name}: {line.clock:.2f}, asked {line.asked}", va="center", fontsize=8)
    left.axvline(1, color="black", linewidth=1)
    left.set(yticks=[], title="As quick as asked (1), or more", xlabel="asked / measured, or measured / asked")
    bottom = dict.fromkeys(shares, 0.0)
    for n, kind in enumerate(next(iter(shares.values()))):
        heights = [of_kind[kind] for of_kind in shares.values()]
        right.bar(list(shares), heights, bottom=list(bottom.values()), label=kind, color=f"C{n}")
        bottom = {name: bottom[name] + of_kind[kind] for name, of_kind in shares.items()}
    right.set(title="Where a step's time goes, one thread", ylabel="% of the processor's time")
    right.tick_params(axis="x", labelsize=8)
    right.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    figure.suptitle(
        f"{machine['processor']}, {machine['threads']} thread(s), torch {machine['torch']}, {machine['date']}",
        fontsize=10,
    )
    return figure


if __name__ == "__main__":
    arguments = (*sys.argv[1:], *("docs", "15")[len(sys.argv) - 1 :])
    main(Path(arguments[0]), int(arguments[1]))
