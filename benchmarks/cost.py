"""`make cost`: what a step costs as block_size, n_embd, batch_size and the text grow: time and memory, a figure each.

Beside the times stands the least that arithmetic allows: the multiplications and additions of a step's matrix products,
over how many this machine does a second in one large product on the same threads. It writes `cost.json` and the figures
to docs/ and judges nothing: `python -m benchmarks.cost [FOLDER]`.

Every point is measured in a process of its own, which begins with torch loaded and nothing else. Its memory is the most
that it held at once (VmHWM), less what it began with.
"""

import json
import multiprocessing
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure

from pygpt import corpus, runs, training
from pygpt.files import write_atomically
from pygpt.memory import keep_freed_memory
from pygpt.output import saving
from pygpt.output.messages import say
from pygpt.settings import ModelSettings, TrainingSettings

STEPS = 5
SWEEPS: dict[str, tuple[int, ...]] = {
    "block_size": (16, 32, 64, 128, 256),
    "n_embd": (32, 64, 128, 256, 384),
    "batch_size": (8, 16, 32, 64, 128),
}
MEGABYTES = (1, 4, 16, 64, 256)
ENGINES = ("r", "fast")
OF_THE_TEXT = {"block_size": 64, "n_embd": 32, "batch_size": 16, "max_steps": STEPS}


def main(folder: Path) -> None:
    threads = torch.get_num_threads()
    peak = apart(peak_of_a_product)
    results: dict[str, Any] = {"threads": threads, "torch": torch.__version__, "peak_operations_a_second": peak}
    for what, values in SWEEPS.items():
        results[what] = []
        for value in values:
            model = ModelSettings(**{what: value} if what != "batch_size" else {})
            batch_size = value if what == "batch_size" else 64
            point: dict[str, Any] = {what: value, "least_seconds": operations(model, batch_size) / peak}
            point["least_megabytes"] = 16e-6 * sum(p.numel() for p in training.build_model(model).parameters())
            for engine in ENGINES:
                point[engine] = apart(a_step, model, batch_size, engine)
            results[what].append(point)
            print(what, said(point), flush=True)
    results["megabytes"] = [point for size in MEGABYTES for point in [of_a_text(size)]]
    write_atomically(folder / "cost.json", json.dumps(results, indent=1) + "\n")
    for what in SWEEPS:
        draw(results[what], what, folder / f"cost_{what}.svg")
    draw_text(results["megabytes"], folder / "cost_text.svg")


def operations(model: ModelSettings, batch_size: int) -> int:
    """Multiplications and additions of a step's matrix products: forward, and twice that for the gradients.

    Of attention only what the mask lets through is counted: position i looks at i of them.
    """
    positions, d = batch_size * model.block_size, model.n_embd
    weights = model.n_layer * 12 * d * d + d * model.vocab_size
    attended = batch_size * model.block_size * (model.block_size + 1) // 2
    return 3 * 2 * (positions * weights + model.n_layer * 2 * attended * d)


def peak_of_a_product() -> float:
    """Multiplications and additions a second of one product of two 1,536 x 1,536 matrices, the best of sixty."""
    a, b = torch.randn(2, 1536, 1536)
    seconds = []
    for _ in range(60):
        began = time.perf_counter()
        torch.mm(a, b)
        seconds.append(time.perf_counter() - began)
    return 2 * 1536**3 / min(seconds)


def a_step(model: ModelSettings, batch_size: int, engine: str) -> dict[str, float]:
    """Seconds of a step (the median of some), and the most megabytes that were held at once."""
    settings = TrainingSettings(engine=engine, batch_size=batch_size)  # type: ignore[arg-type]
    before = megabytes("VmRSS")
    tokens = torch.randint(1, model.vocab_size, (400 * batch_size,), dtype=torch.uint8)
    windows = corpus.windows(tokens, model.block_size, say("drawn tokens"))
    events = training.fit(training.start(model, settings), windows, windows, settings)
    return {"seconds": statistics.median(seconds_of_steps(events)[2:]), "megabytes": megabytes("VmHWM") - before}


def of_a_text(size: int) -> dict[str, float]:
    """A training on a text of so many megabytes: seconds to its first step and of the later ones, megabytes held."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "text.txt"
        line = np.random.default_rng(0).integers(97, 123, 1_000_000, dtype=np.uint8)
        line[79::80] = ord("\n")
        with path.open("wb") as file:
            for _ in range(size):
                file.write(np.roll(line, 80 * np.random.default_rng(_).integers(1000)).data)
        point: dict[str, float] = {"megabytes": size, **apart(a_text, path, Path(folder) / "run")}
    print("text", said(point), flush=True)
    return point


def a_text(path: Path, folder: Path) -> dict[str, float]:
    before, began = megabytes("VmRSS"), time.perf_counter()
    ready = runs.begin(folder, {"corpus": str(path), **OF_THE_TEXT})
    opened = time.perf_counter() - began
    first, *later = seconds_of_steps(runs.carry_on(ready))
    return {
        "first_step": opened + first,
        "seconds": statistics.median(later[1:]),
        "held": megabytes("VmHWM") - before,
    }


def seconds_of_steps(events: Iterator[object]) -> list[float]:
    """Of the first of a training, the first with all that comes before it."""
    seconds, began = [], time.perf_counter()
    for event in events:
        if isinstance(event, training.Step):
            seconds.append(time.perf_counter() - began)
            began = time.perf_counter()
        if len(seconds) == STEPS + 2:
            break
    return seconds


def megabytes(what: str) -> float:
    """VmRSS, what this process holds now, or VmHWM, the most that it has held."""
    match = re.search(rf"^{what}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert match is not None
    return int(match[1]) / 1000


def apart(function: Callable[..., Any], *arguments: Any) -> Any:
    """What a function gives in a process of its own, with as many threads as here."""
    with multiprocessing.get_context("spawn").Pool(1, initialize, (torch.get_num_threads(),)) as pool:
        return pool.apply(function, arguments)


def initialize(threads: int) -> None:
    torch.set_num_threads(threads)
    keep_freed_memory()


def said(point: dict[str, Any]) -> str:
    def short(value: object) -> str:
        if isinstance(value, dict):
            return "(" + said(value) + ")"
        return f"{value:.4g}" if isinstance(value, float) else str(value)

    return ", ".join(f"{name} {short(value)}" for name, value in point.items())


def draw(points: list[dict[str, Any]], what: str, path: Path) -> None:
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    x = [point[what] for point in points]
    for axes, of_engine, least, title in zip(
        figure.subplots(1, 2), ("seconds", "megabytes"), ("least_seconds", "least_megabytes"),
        ("seconds a step", "megabytes held at most"), strict=True,
    ):  # fmt: skip
        for engine, marker in zip(ENGINES, "os", strict=True):
            axes.plot(x, [point[engine][of_engine] for point in points], f"{marker}-", label=f"engine {engine}")
        label = "arithmetic alone" if least == "least_seconds" else "weights, gradients, Adam's averages"
        axes.plot(x, [point[least] for point in points], "k--", label=label)
        finish(axes, what, title)
    saving.save(figure, path)


def draw_text(points: list[dict[str, float]], path: Path) -> None:
    figure = Figure(figsize=(11, 3.2), layout="constrained")
    x = [point["megabytes"] for point in points]
    titles = {
        "first_step": "seconds to the first step",
        "seconds": "seconds a step",
        "held": "megabytes held at most",
    }
    for axes, (name, title) in zip(figure.subplots(1, 3), titles.items(), strict=True):
        axes.plot(x, [point[name] for point in points], "o-", label="engine r")
        if name == "held":
            axes.plot(x, x, "k--", label="the text")
        finish(axes, "megabytes of text", title)
    saving.save(figure, path)


def finish(axes: Any, what: str, title: str) -> None:
    axes.set(xlabel=what, title=title, xscale="log", yscale="log")
    axes.set_xticks(ticks := axes.lines[0].get_xdata(), [f"{tick:g}" for tick in ticks])
    axes.xaxis.minorticks_off()
    values = [float(y) for line in axes.lines for y in line.get_ydata()]
    axes.set_ylim(min(values) / 2, max(values) * 2)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, fontsize=8)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("docs"))
