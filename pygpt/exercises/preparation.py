"""Computing an exercise's truth, part by part: R's run, the seeds around it, the likely mistakes, the floors.

Every part is kept in a work folder as soon as it is done, and a training as far as it came: stopped, it goes on there.
"""

import dataclasses
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from pygpt import corpus, runs, training
from pygpt.checkpoints import SETTINGS
from pygpt.corpus import Corpus
from pygpt.determinism import ALL_CORES, reproducible
from pygpt.errors import PygptError
from pygpt.exercises import mistakes
from pygpt.exercises.exercise import FEWEST_SEEDS, MOST_SEEDS, PARTS, ExerciseFile
from pygpt.exercises.mistakes import Mistake
from pygpt.exercises.text import read_text, settings_of, vocabulary_of, windows
from pygpt.files import json_text, write_atomically
from pygpt.losses import read_history
from pygpt.settings import ModelSettings, TrainingSettings, split_settings
from pygpt.training import Epoch, Step

TRUTH = "truth"
_MISTAKES = "mistakes.json"
# All trainings of a spread alike: nothing is left to what a few timed steps find quicker.
_FAST: dict[str, Any] = {"engine": "fast", "r_threads": 1, "bf16": False, "compile": False, "threads": ALL_CORES}


@dataclass(frozen=True)
class Part:
    """One training of a preparation.

    Attributes:
        name: `truth`, `seed_43`, `no_mask`: of its folder, too.
        steps: how many it takes.
        cost: of a step, in steps of the exercise itself, about.
    """

    name: str
    steps: int
    cost: float = 1.0
    mistake: Mistake | None = None


class Preparation:
    """The trainings that an exercise's truth is made of.

    Attributes:
        file: the exercise.
        text: its text.
        work: the folder in which they are kept.
        seeds: as many as the spread has.

    Raises:
        PygptError: the text is another one or too short, the prompt has characters that it lacks, or `seeds` are too
            few or too many.
    """

    def __init__(self, file: ExerciseFile, work: Path, seeds: int) -> None:
        if not FEWEST_SEEDS <= seeds <= MOST_SEEDS:
            raise PygptError(
                "seeds = {value} is not allowed: it must be {allowed}: one run has no spread",
                value=seeds, allowed=f"{FEWEST_SEEDS} … {MOST_SEEDS}",
            )  # fmt: skip
        self.file = file
        self.text: Corpus = read_text(file)
        self.vocabulary = vocabulary_of(file, self.text)
        check_prompt(file, self.text)
        windows(file, self.text, self.vocabulary)
        self.work = work / f"{file.name}_{file.settings_sha256[:12]}"
        self.seeds = seeds

    @cached_property
    def parts(self) -> list[Part]:
        """What is to be trained, R's run first."""
        epochs, own = self.file.training.epochs, self._steps({})
        parts = [Part(TRUTH, epochs * own)]
        parts += [Part(f"seed_{self.file.training.seed + n}", epochs * own) for n in range(self.seeds)]
        for mistake in mistakes.mistakes_of(self.file):
            steps = self._steps(mistake.settings)
            if steps:
                parts.append(Part(mistake.name, steps, self._cost(mistake.settings), mistake))
        return parts

    def run(self, part: Part, stopped: Callable[[], bool]) -> Iterator[int]:
        """Do a part, or go on with it; yields how many of its steps are done, after each.

        Args:
            stopped: asked after each step; True ends the training there, saved.
        """
        with reproducible(ALL_CORES):
            yield from self._mistaken(part, stopped) if part.mistake else self._trained(part, stopped)

    def done(self, part: Part) -> bool:
        """Whether nothing of a part is left to do."""
        if part.mistake:
            return part.name in self.measured()
        folder = self.work / part.name
        return (folder / SETTINGS).exists() and len(read_history(folder)) == self.file.training.epochs

    def measured(self) -> dict[str, dict[str, float]]:
        """What mistakes gave, as far as they were made."""
        path = self.work / _MISTAKES
        try:
            content: dict[str, dict[str, float]] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        except (OSError, ValueError) as error:
            raise PygptError("cannot read {path}: {why}", path=path, why=str(error)) from error
        return content

    def spread(self) -> list[dict[str, float]]:
        """The losses of the seeds' runs, one entry a seed and epoch."""
        return [
            {"seed": seed, "epoch": epoch.epoch, "train": epoch.train, "valid": epoch.valid}
            for seed in (self.file.training.seed + n for n in range(self.seeds))
            for epoch in read_history(self.work / f"seed_{seed}")
        ]

    def _trained(self, part: Part, stopped: Callable[[], bool]) -> Iterator[int]:
        folder = self.work / part.name
        if (folder / SETTINGS).exists():
            ready = runs.resume(folder, {})
        else:
            seed = self.file.training.seed if part.name == TRUTH else int(part.name.removeprefix("seed_"))
            engine = {"engine": "r"} if part.name == TRUTH else _FAST
            ready = runs.begin(folder, settings_of(self.file) | engine | {"seed": seed})
        torch.set_num_threads(ready.run.training.threads or 1)
        yield ready.state.step
        for event in runs.carry_on(ready, stopped):
            if isinstance(event, Step):
                yield event.step

    def _mistaken(self, part: Part, stopped: Callable[[], bool]) -> Iterator[int]:
        """A mistake's epoch begins anew where it was stopped."""
        assert part.mistake
        shape, settings = self._with(part.mistake.settings)
        settings = dataclasses.replace(settings, **_FAST, epochs=1)
        file = dataclasses.replace(self.file, model=shape, training=settings)
        train, valid = windows(file, self.text, self.vocabulary)
        state = training.start(dataclasses.replace(shape, vocab_size=len(self.vocabulary)), settings)
        train = mistakes.start(part.mistake, state, train)
        for event in training.fit(state, train, valid, settings):
            if isinstance(event, Step):
                yield event.step
            if isinstance(event, Epoch):
                table = self.measured() | {part.name: {of: round(getattr(event, of), 8) for of in PARTS}}
                write_atomically(self.work / _MISTAKES, json_text(table))
            elif stopped():
                return

    def _with(self, changed: dict[str, Any]) -> tuple[ModelSettings, TrainingSettings]:
        of_model, of_training = split_settings(changed)
        model = dataclasses.replace(self.file.model, **of_model)
        return model, dataclasses.replace(self.file.training, **of_training)

    def _steps(self, changed: dict[str, Any]) -> int:
        """Of an epoch; 0 where the text is too short for it."""
        model, settings = self._with(changed)
        used = math.floor(settings.share * len(self.text.text))
        train = corpus.whole_share(settings.train_share, used, settings.split_at)
        shortest = model.block_size + 2
        if min(train, used - train) < shortest:
            return 0
        return -(-training.epoch_windows(train - model.block_size, settings) // settings.batch_size)

    def _cost(self, changed: dict[str, Any]) -> float:
        model, _ = self._with(changed)
        own = self.file.model
        return (model.block_size / own.block_size) * (model.n_embd / own.n_embd) ** 2 * (model.n_layer / own.n_layer)


def check_prompt(file: ExerciseFile, text: Corpus) -> None:
    """Raise PygptError where the prompt has characters that the text lacks."""
    missing = sorted(set(file.generation.prompt) - set(text.text))
    if missing:
        raise PygptError(
            "{path}: the prompt {prompt} has {missing}, which the text lacks: no model of it knows them",
            path=file.path, prompt=repr(file.generation.prompt), missing=", ".join(map(repr, missing)),
        )  # fmt: skip
