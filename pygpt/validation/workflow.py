"""From what a user brings to a report: one function for each command of `validate`."""

import os
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

from pygpt import api, checkpoints, corpus
from pygpt.corpus import Corpus
from pygpt.determinism import ALL_CORES, reproducible
from pygpt.errors import PygptError
from pygpt.r_files.losses import losses_of
from pygpt.r_files.opening import is_r, opened
from pygpt.r_files.others import is_of_others
from pygpt.r_files.weights import found_in, weights_of
from pygpt.settings import ModelName
from pygpt.validation import gather, trained
from pygpt.validation.attempt import Attempt
from pygpt.validation.course import EPOCHS, RECORDED_SEED
from pygpt.validation.history import read_luz_history
from pygpt.validation.report import Report, build


def of_runs(folders: Sequence[Path]) -> Report:
    """Finished runs on the course's text.

    Raises:
        PygptError: see `gather.from_run`; or two runs of one model.
    """
    with reproducible():
        same = gather.same_kernels()
        return _report([gather.from_run(folder, same) for folder in folders], same)


def of_history(path: Path, model: ModelName) -> Report:
    """A luz history that was exported from R; `model` says which exercise it belongs to.

    Raises:
        PygptError: see `history.read_luz_history`.
    """
    with reproducible():
        return _report([gather.from_history(path, model)], gather.same_kernels())


def of_weights(path: Path, r_threads: int = 1) -> Report:
    """Weights that were trained in R, on `r_threads` threads.

    Raises:
        PygptError: see `trained.from_weights`; or the course's text, on which they are evaluated, cannot be had.
    """
    text = corpus.read_corpus("shakespeare")
    with reproducible():
        return _report([trained.from_weights(path, text, r_threads)], gather.same_kernels(), text)


def of_r_file(path: Path, model: ModelName | None, r_threads: int = 1) -> Report:
    """Whatever R wrote: a history, weights, or both (luz_save); what it is, the file says.

    Args:
        model: which exercise a history belongs to; weights say it themselves.

        r_threads: how many threads R's torch had.

    Raises:
        PygptError: the file holds neither, a history comes without `model`, or weights are those of the other model.
    """
    file = opened(path) if is_r(path) or is_of_others(path) else None  # else a text, or not there
    contents = None if file is None else found_in(file, path)
    table = None if file is None else losses_of(file, path)
    if contents is None or (not contents.states and table is not None):
        if model is None:
            raise PygptError(
                "{path} holds a history, which does not say whose it is: add --model gpt (exercise 2) or --model "
                "gpt_noattn (exercise 3)",
                path=path,
            )
        return of_history(path, model)
    weights = weights_of(contents, path)
    if model not in (None, weights.settings.model):
        raise PygptError(
            "{path} holds the weights of a {there} model, not of {model}",
            path=path, there=weights.settings.model, model=model,
        )  # fmt: skip
    trained.check_weights(weights)
    history = None if table is None else read_luz_history(path, table)
    text = corpus.read_corpus("shakespeare")
    with reproducible():
        attempt = trained.evaluated(weights, text, r_threads)
        if history is not None:
            attempt = trained.with_history(attempt, history)
        return _report([attempt], gather.same_kernels(), text)


def of_training(
    models: Collection[ModelName], out: Path, threads: int | None = None, r_threads: int | None = None
) -> Report:
    """Whole trainings as R was recorded, in `out`, a folder a model; what is begun goes on, what is done is kept.

    Args:
        threads: as `TrainingSettings` has it.
        r_threads: as `TrainingSettings` has it.

    Raises:
        PygptError: the course's text cannot be had, or a folder holds another run.
        KeyboardInterrupt: see `api.train`.
    """
    folders = [out / name for name in models]
    given: dict[str, Any] = {"corpus": "shakespeare", "seed": RECORDED_SEED, "engine": "r", "epochs": EPOCHS}
    given |= {k: v for k, v in (("threads", threads), ("r_threads", r_threads)) if v is not None}
    for model, folder in zip(models, folders, strict=True):
        begun = (folder / checkpoints.SETTINGS).exists()
        api.train(folder, resume=begun, model=model, **given)
    return of_runs(folders)


def of_first_steps(
    models: Collection[ModelName],
    on_step: Callable[[], object],
    threads: int | None = None,
    r_threads: int | None = None,
) -> Report:
    """The first 200 steps of each model, trained here.

    Args:
        on_step: called after each step.
        threads: as `TrainingSettings` has it.
        r_threads: as `TrainingSettings` has it.

    Raises:
        PygptError: the course's text cannot be had.
    """
    text = corpus.read_corpus("shakespeare")
    with reproducible():
        same = gather.same_kernels()
        attempts = [
            gather.first_steps(name, text, same, on_step, threads or ALL_CORES, r_threads or 1) for name in models
        ]
        return _report(attempts, same, text)


def of_recording(models: Collection[ModelName]) -> Report:
    """The course's results beside R's, nothing judged."""
    with reproducible():
        return _report([], gather.same_kernels(), models=models)


def _report(
    attempts: Sequence[Attempt], same: bool, text: Corpus | None = None, models: Collection[ModelName] = ()
) -> Report:
    by_model: dict[ModelName, Attempt] = {}
    for attempt in attempts:
        if attempt.model in by_model:
            raise PygptError(
                "{one} and {other} are both {model} models: give one folder for each model",
                one=by_model[attempt.model].name,
                other=attempt.name,
                model=attempt.model,
            )
        by_model[attempt.model] = attempt
    missing = None
    if text is None:
        try:
            text = corpus.read_corpus("shakespeare")
        except PygptError as error:
            # A text that the user points at and that is not the course's is a mistake to speak of.
            if os.environ.get("PYGPT_CORPUS"):
                raise
            missing = error
    return build(attempts, models or list(by_model), text, same, missing)
