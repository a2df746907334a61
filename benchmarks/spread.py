"""The course's spread over seeds after every epoch, and what likely mistakes cost: `make spread`, hours.

    python -m benchmarks.spread            # seeds 42 to 46, three epochs, both models; then the mistakes
    python -m benchmarks.spread --seeds 8

The trainings are kept in runs/spread; stopped, the same command goes on. At the end `data/exercise_*.truth.json` hold
what was measured, in place of the spread after epoch 1 alone and of the assumption that it stays the same.
"""

import argparse
import json
from pathlib import Path

from pygpt.exercises.opening import course_files
from pygpt.exercises.preparation import TRUTH, Preparation
from pygpt.exercises.prepare import HOW, fast_cost
from pygpt.exercises.truth import read_truth, truth_name
from pygpt.exercises.watching import watch
from pygpt.files import json_text, write_atomically

WORK = Path("runs/spread")


def store(preparation: Preparation) -> None:
    """Put what was measured into the exercise's truth."""
    file = preparation.file
    path = file.path.with_name(truth_name(file))
    recorded = read_truth(file.folder, file).recorded
    first = {part: recorded.losses[1, part] for part in ("train", "valid")}
    content = json.loads(path.read_text(encoding="utf-8"))
    content["spread"] = {"fast_cost": fast_cost(preparation, first), "seeds": preparation.spread()}
    content["mistakes"] = preparation.measured()
    content["provenance"]["spread"] = {"how": HOW}
    write_atomically(path, json_text(content))


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the course's spread over seeds after every epoch.")
    parser.add_argument("--seeds", type=int, default=5)
    seeds = parser.parse_args().seeds
    preparations = [Preparation(file, WORK, seeds) for file in course_files().values()]
    if watch([(one, part) for one in preparations for part in one.parts if part.name != TRUTH], "en"):
        for preparation in preparations:
            store(preparation)


if __name__ == "__main__":
    main()
