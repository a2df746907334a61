"""R itself trains an exercise, and must give what engine r gave: no bit may differ."""

from pathlib import Path

import numpy as np

from pygpt import checkpoints
from pygpt.errors import PygptError
from pygpt.exercises.exercise import HOW, PARTS, ExerciseFile, Generation
from pygpt.exercises.preparation import TRUTH, Preparation
from pygpt.exercises.sampling import written
from pygpt.files import json_text, shipped, write_atomically
from pygpt.losses import read_history, read_steps
from pygpt.output.messages import Message, say
from pygpt.r.process import find_r, run_script
from pygpt.settings import R_MODELS, TrainingSettings
from pygpt.weights import weights_sha256

# What any_exercise.R knows; other settings that an exercise may have, it does not.
_KNOWN = ("vocabulary", "share", "train_share", "batch_size", "lr", "max_norm", "epochs", "seed", "r_threads")


def compare_with_r(preparation: Preparation) -> None:
    """Have R train the exercise, and hold engine r's run against it.

    R's own messages go to stderr as they come.

    Raises:
        PygptError: R or one of its packages is missing, or anything differs, which is named.
    """
    out = preparation.work / "R"
    if not (out / "weights.txt").is_file():
        _train(preparation, out)
    difference = _difference(preparation, out)
    if difference is not None:
        raise PygptError(
            "{path}: R gives other bits than engine r here, from {what} on. R's files are in {folder}",
            path=preparation.file.path, what=difference, folder=out,
        )  # fmt: skip


def check_known(file: ExerciseFile) -> None:
    """Raise PygptError where R is missing, or the course's R code has not all of an exercise's settings."""
    find_r()
    default = TrainingSettings()
    other = [
        name
        for name in vars(default)
        if name not in (*HOW, *_KNOWN) and getattr(file.training, name) != getattr(default, name)
    ]
    other += [name for name in ("top_k", "rule") if getattr(file.generation, name) != getattr(Generation(""), name)]
    if other:
        raise PygptError(
            "{path}: the course's R code has no {names}: prepare it without --with-r", path=file.path,
            names=", ".join(other),
        )  # fmt: skip


def _train(preparation: Preparation, out: Path) -> None:
    file = preparation.file
    t, g = file.training, file.generation
    settings = {
        "model": R_MODELS[file.model.model],
        **{name: value for name, value in file.model.to_r().items() if name != "nvoc"},
        **{name: getattr(t, name) for name in _KNOWN if name not in ("vocabulary", "r_threads")},
        "threads": t.r_threads,
        "prompt": g.prompt,
        "new_tokens": g.tokens,
        "temperature": g.temperature,
        "text_seed": g.seed,
    }
    write_atomically(out / "settings.json", json_text(settings, indent=None))
    write_atomically(out / "corpus.txt", preparation.text.text)
    # the vocabulary's order follows the locale
    order = {"icu": "C.UTF-8", "c": "C"}[t.vocabulary]
    run_script(
        shipped("r_reference/any_exercise.R"),
        *("--settings", str(out / "settings.json"), "--corpus", str(out / "corpus.txt"), "--out", str(out)),
        environment={"LC_ALL": "", "LC_CTYPE": "C.UTF-8", "LC_COLLATE": order},
    )


def _difference(preparation: Preparation, out: Path) -> Message | None:
    """The first thing that is not R's to the last bit."""
    here = preparation.work / TRUTH
    for step, (own, r) in enumerate(zip(read_steps(here), read_steps(out), strict=False), start=1):
        if np.float32(own) != np.float32(r):
            return say("the loss of step {n} ({here:.9g}, R {r:.9g})", n=step, here=own, r=r)
    if len(read_steps(here)) != len(read_steps(out)):
        return say("the number of steps ({here}, R {r})", here=len(read_steps(here)), r=len(read_steps(out)))
    for epoch, of_r in zip(read_history(here), read_history(out), strict=True):
        if any(np.float32(getattr(epoch, part)) != np.float32(getattr(of_r, part)) for part in PARTS):
            return say("the losses of epoch {n}", n=epoch.epoch)
    run = checkpoints.open_run(here)
    network = checkpoints.load_model(run)
    if weights_sha256(network.state_dict()) != (out / "weights.txt").read_text(encoding="ascii").strip():
        return say("the weights")
    file = preparation.file
    text = written(network, run.vocabulary, file.generation, file.training.r_threads)
    return None if text == (out / "generated.txt").read_text(encoding="utf-8") else say("the text")
