"""From what a user brings to a report: one function for each command of `validate`."""

import dataclasses
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from pygpt import api, checkpoints
from pygpt.corpus import Corpus
from pygpt.determinism import ALL_CORES, reproducible
from pygpt.errors import PygptError
from pygpt.exercises.exercise import Sheet, main_of
from pygpt.exercises.opening import course
from pygpt.exercises.text import at_hand, read_text, settings_of
from pygpt.r_files.losses import LossTable, losses_of
from pygpt.r_files.opening import is_r, opened
from pygpt.r_files.others import is_of_others
from pygpt.r_files.weights import Weights, found_in, read_weights, weights_of
from pygpt.settings import ModelName
from pygpt.validation import gather, trained
from pygpt.validation.attempt import Attempt
from pygpt.validation.history import read_luz_history
from pygpt.validation.report import Report, build
from pygpt.validation.seeded import first_difference, with_seed


def of_runs(
    folders: Sequence[Path], sheet: Sheet | None = None, seed: int | None = None, r_threads: int | None = None
) -> Report:
    """Finished runs on the course's text.

    Args:
        sheet: the exercises; None for the course's own. So, too, in what follows.
        seed: hold them against the run of this seed, made here by engine r, in place of R's; None for R's.
        r_threads: how many threads R had in that run; None for as many as the exercise says.

    Raises:
        PygptError: see `gather.from_run`; or two runs of one model.
    """
    sheet = sheet or course()
    if seed is not None:
        models = [checkpoints.open_run(folder).model.model for folder in folders]
        sheet = with_seed(sheet, models, seed, r_threads)
    with reproducible():
        same = gather.same_kernels(sheet)
        return _report(sheet, [gather.from_run(folder, sheet, same) for folder in folders], same)


def of_history(
    path: Path,
    model: ModelName | None,
    sheet: Sheet | None = None,
    seed: int | None = None,
    r_threads: int | None = None,
) -> Report:
    """A luz history that was exported from R.

    Args:
        model: which exercise it belongs to; None for the one that was asked for.
        seed: as `of_runs` has it.
        r_threads: as `of_runs` has it.

    Raises:
        PygptError: see `history.read_luz_history`; or none of the exercises has this model.
    """
    sheet = sheet or course()
    exercise = gather.exercise_of(sheet, model or main_of(sheet).model, path)
    attempt = gather.from_history(path, exercise)
    if seed is not None:
        sheet = with_seed(sheet, [exercise.model], seed, r_threads)
        attempt = dataclasses.replace(attempt, due="seed")
    with reproducible():
        return _report(sheet, [attempt], gather.same_kernels(sheet))


def of_weights(path: Path, r_threads: int = 1, sheet: Sheet | None = None, seed: int | None = None) -> Report:
    """Weights that were trained in R, on `r_threads` threads.

    Args:
        seed: as `of_runs` has it.

    Raises:
        PygptError: see `trained.from_weights`; or the course's text, on which they are evaluated, cannot be had.
    """
    sheet = sheet or course()
    text = read_text(main_of(sheet).file)
    return _of_weights(read_weights(path), None, r_threads, sheet, seed, text)


def of_r_file(
    path: Path,
    model: ModelName | None,
    r_threads: int | None = None,
    sheet: Sheet | None = None,
    seed: int | None = None,
) -> Report:
    """Whatever R wrote: a history, weights, or both (luz_save); what it is, the file says.

    Args:
        model: which exercise a history belongs to; weights say it themselves.
        r_threads: how many threads R's torch had.
        seed: as `of_runs` has it.

    Raises:
        PygptError: the file holds neither, a history comes without `model`, or weights are those of the other model.
    """
    file = opened(path) if is_r(path) or is_of_others(path) else None  # else a text, or not there
    contents = None if file is None else found_in(file, path)
    table = None if file is None else losses_of(file, path)
    if contents is None or (not contents.states and table is not None):
        if model is None and sheet is None:
            raise PygptError(
                "{path} holds a history, which does not say whose it is: add --model gpt (exercise 2) or --model "
                "gpt_noattn (exercise 3)",
                path=path,
            )
        return of_history(path, model, sheet, seed, r_threads)
    weights = weights_of(contents, path)
    if model not in (None, weights.settings.model):
        raise PygptError(
            "{path} holds the weights of a {there} model, not of {model}",
            path=path, there=weights.settings.model, model=model,
        )  # fmt: skip
    return _of_weights(weights, table, r_threads or 1, sheet or course(), seed)


def _of_weights(
    weights: Weights,
    table: LossTable | None,
    r_threads: int,
    sheet: Sheet,
    seed: int | None,
    text: Corpus | None = None,
) -> Report:
    """Weights, with the history that lies in the same file, where one does."""
    exercise = trained.check_weights(weights, sheet)
    history = None if table is None else read_luz_history(weights.path, exercise.epochs, table)
    text = text or read_text(exercise.file)
    sheet = with_seed(sheet, [exercise.model], seed, r_threads)
    exercise = sheet[exercise.model]
    with reproducible():
        attempt = trained.evaluated(weights, text, sheet, r_threads)
        if history is not None:
            attempt = trained.with_history(attempt, history, exercise)
        if seed is not None:
            differs = first_difference(exercise, weights.tensors)
            notes = (*attempt.notes, *([] if differs is None else [differs]))
            attempt = dataclasses.replace(attempt, due="seed", notes=notes)
        return _report(sheet, [attempt], gather.same_kernels(sheet), text)


def of_training(
    models: Collection[ModelName],
    out: Path,
    threads: int | None = None,
    r_threads: int | None = None,
    sheet: Sheet | None = None,
) -> Report:
    """Whole trainings as R was recorded, in `out`, a folder a model; what is begun goes on, what is done is kept.

    Args:
        threads: as `TrainingSettings` has it.
        r_threads: as `TrainingSettings` has it; None for as many as R had.

    Raises:
        PygptError: the course's text cannot be had, or a folder holds another run.
        KeyboardInterrupt: see `api.train`.
    """
    sheet = sheet or course()
    for model in models:
        given = settings_of(sheet[model].file) | {"engine": "r"}
        given |= {k: v for k, v in (("threads", threads), ("r_threads", r_threads)) if v is not None}
        begun = (out / model / checkpoints.SETTINGS).exists()
        api.train(out / model, resume=begun, **given)
    return of_runs([out / model for model in models], sheet)


def of_first_steps(
    models: Collection[ModelName],
    on_step: Callable[[], object],
    threads: int | None = None,
    r_threads: int | None = None,
    sheet: Sheet | None = None,
) -> Report:
    """The first 200 steps of each model, trained here.

    Args:
        on_step: called after each step.
        threads: as `TrainingSettings` has it.
        r_threads: as `TrainingSettings` has it; None for as many as R had.

    Raises:
        PygptError: the course's text cannot be had.
    """
    sheet = sheet or course()
    text = read_text(main_of(sheet).file)
    with reproducible():
        same = gather.same_kernels(sheet)
        attempts = [
            gather.first_steps(
                sheet[name], text, same, on_step, threads or ALL_CORES, r_threads or sheet[name].recorded.r_threads
            )
            for name in models
        ]
        return _report(sheet, attempts, same, text)


def of_recording(models: Collection[ModelName], sheet: Sheet | None = None) -> Report:
    """The course's results beside R's, nothing judged."""
    sheet = sheet or course()
    with reproducible():
        return _report(sheet, [], gather.same_kernels(sheet), models=models)


def _report(
    sheet: Sheet,
    attempts: Sequence[Attempt],
    same: bool,
    text: Corpus | None = None,
    models: Collection[ModelName] = (),
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
    there = text or at_hand(lambda: read_text(main_of(sheet).file))
    text, missing = (None, there) if isinstance(there, PygptError) else (there, None)
    return build(attempts, models or list(by_model), text, same, missing, sheet)
