"""A run from its settings to its end: begun or resumed, trained, saved. It knows no terminal."""

import dataclasses
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from pygpt import checkpoints, training
from pygpt.checkpoints import RunFolder
from pygpt.corpus import NAMES, SHAKESPEARE_SHA256, Corpus, check_length, part, whole_share, windows
from pygpt.determinism import ALL_CORES
from pygpt.errors import PygptError
from pygpt.exactness import Exactness
from pygpt.large_corpus import LargeCorpus, open_corpus
from pygpt.machine import check_machine, for_gpu
from pygpt.output.messages import Listed, Message, say
from pygpt.picking import pick
from pygpt.processes import ALONE, Processes
from pygpt.settings import ModelSettings, TrainingSettings, check_names, from_dict, split_settings
from pygpt.training import Epoch, Event, Step, TrainingState
from pygpt.vocabulary import ORDERS, Vocabulary

# Settings that a resumed run may change and still keep its bits: how far to go, how often to save, and where the
# text lies (its SHA-256 must be the same). Engine r also lets the threads change.
FREE_ON_RESUME = ("epochs", "max_steps", "checkpoint_every", "corpus")
# In the provenance: how many processes shared every batch, where there were several.
_PROCESSES = "processes"


@dataclass
class Training:
    """A run that is ready to be trained: its folder, its state and its windows (n, block_size + 1).

    Attributes:
        remarks: what the text of a new run holds that its owner may not know.
        picked: how engine fast computes a new run, and why.
        processes: those that share every batch.
    """

    run: RunFolder
    state: TrainingState
    train: Tensor
    valid: Tensor
    remarks: list[str] = field(default_factory=list)
    picked: str | None = None
    processes: Processes = ALONE

    @property
    def total_steps(self) -> int:
        """Steps of the whole run."""
        settings = self.run.training
        steps = settings.epochs * -(-training.epoch_windows(len(self.train), settings) // settings.batch_size)
        return steps if settings.max_steps is None else min(steps, settings.max_steps)

    @property
    def finished(self) -> bool:
        """Whether all steps are done, and the validation after the last one where it ends an epoch."""
        settings, state = self.run.training, self.state
        return state.epoch >= settings.epochs or (settings.max_steps is not None and state.step >= settings.max_steps)


def prepare(folder: Path, given: dict[str, Any], resumed: bool, processes: Processes) -> Training:
    """`begin` or `resume` the run; of several processes the first does so, and the others take it as it then is.

    Raises:
        PygptError: as those two.
        SystemExit: in the other processes, where the first could not: it says why.
    """
    if not processes.writes:
        if processes.any(False):
            raise SystemExit(2)
        return _join(folder, processes)
    failed = True
    try:
        ready = resume(folder, given, processes) if resumed else begin(folder, given, processes)
        failed = False
    finally:
        processes.any(failed)
    return ready


def begin(folder: Path, given: dict[str, Any], processes: Processes = ALONE) -> Training:
    """Make a new run's folder and its initial state.

    Args:
        given: settings of the model and of the training by name; the others are the course's. But of a text of one's
            own all is used, where `share` is not given: the course takes 0.3 of its text to save time.

    Raises:
        PygptError: a setting is not allowed, the text cannot be read, or the folder holds a run; nothing was written.
    """
    check_names(given)
    for_model, for_training = split_settings(given)
    settings = _settled(from_dict(TrainingSettings, for_training))
    from_dict(ModelSettings, for_model)  # says what is wrong before a long text is read
    check_machine(settings, processes)
    settings = for_gpu(settings, given, processes)
    if processes.count > 1:  # a compiled model's masks cannot be shared out
        settings = dataclasses.replace(settings, compile=bool(settings.compile))
    checkpoints.refuse_to_overwrite(folder)
    corpus = open_corpus(settings.corpus)
    if "share" not in given and _is_own(corpus):
        settings = dataclasses.replace(settings, share=1.0)
    if settings.vocabulary in ORDERS:
        vocabulary = Vocabulary.from_text(corpus.characters, settings.vocabulary)
    else:
        vocabulary = Vocabulary.from_file(Path(settings.vocabulary))
    model = from_dict(ModelSettings, for_model | {"vocab_size": len(vocabulary)})
    _check_lengths(corpus, settings, model.block_size)
    run, picked = RunFolder(folder, model, settings, {}, vocabulary), None
    parts = _windows(run, corpus)
    if settings.engine == "fast":
        settings, picked = pick(model, settings, *parts)
        run = dataclasses.replace(run, training=settings)
    run.provenance.update(checkpoints.provenance(corpus.sha256, *map(len, parts)))
    if picked:
        run.provenance["picked"] = picked
    if processes.count > 1:
        run.provenance[_PROCESSES] = processes.count
    state = training.start(model, settings)
    checkpoints.create(run)
    return Training(run, state, *parts, corpus.remarks, picked, processes)


def resume(folder: Path, given: dict[str, Any], processes: Processes = ALONE) -> Training:
    """Open a run where its last checkpoint left it; what `given` changes is stored with it.

    Raises:
        PygptError: no run there, it is damaged, a setting may not be changed, or the text is another one.
    """
    run = _changed(checkpoints.open_run(folder), given, processes)
    parts = _windows(run, _same_corpus(run))
    ready = Training(run, training.start(run.model, run.training), *parts, processes=processes)
    checkpoints.restore_checkpoint(run, ready.state)
    _check_not_behind(ready)
    if given:
        checkpoints.store_settings(run)
    return ready


def _join(folder: Path, processes: Processes) -> Training:
    """The run that the first process has made ready; nothing is written."""
    run = checkpoints.open_run(folder)
    ready = Training(
        run, training.start(run.model, run.training), *_windows(run, _same_corpus(run)), processes=processes
    )
    checkpoints.restore_checkpoint(run, ready.state, writes=False)
    return ready


def carry_on(ready: Training, stopped: Callable[[], bool] = lambda: False) -> Iterator[Event]:
    """Train from where `ready.state` is to the run's end, and keep the folder up to date.

    Args:
        stopped: asked after each event; True, in any of the processes, ends the training there, saved.

    Raises:
        PygptError: a checkpoint cannot be written, or another process has gone; the last checkpoint is kept.
    """
    run, state, unsaved = ready.run, ready.state, list[tuple[int, float]]()

    def save() -> None:
        if ready.processes.writes:
            checkpoints.save_checkpoint(run, state, unsaved)
        unsaved.clear()

    for event in training.fit(state, ready.train, ready.valid, run.training, ready.processes):
        if isinstance(event, Exactness):
            run.provenance.update(event.facts)
            checkpoints.store_settings(run)
        if isinstance(event, Step):
            unsaved.append((event.step, event.loss))
        if isinstance(event, Epoch) or (isinstance(event, Step) and event.step % run.training.checkpoint_every == 0):
            save()
        yield event
        if ready.processes.any(stopped()):
            break
    save()


def _is_own(corpus: Corpus | LargeCorpus) -> bool:
    """Whether a text is neither of those that come with pygpt; the course's is known by its bytes, wherever it lies."""
    return corpus.name not in NAMES and corpus.sha256 != SHAKESPEARE_SHA256


def _settled(settings: TrainingSettings) -> TrainingSettings:
    """With the number of threads that engine r will take, and paths that hold from any folder."""
    vocabulary = settings.vocabulary if settings.vocabulary in ORDERS else str(Path(settings.vocabulary).absolute())
    return dataclasses.replace(
        settings,
        threads=settings.threads or (ALL_CORES if settings.engine == "r" else None),
        corpus=_anywhere(settings.corpus),
        vocabulary=vocabulary,
    )


def _anywhere(corpus: str) -> str:
    return corpus if corpus in NAMES else str(Path(corpus).absolute())


def _changed(run: RunFolder, given: dict[str, Any], processes: Processes) -> RunFolder:
    count = run.provenance.get(_PROCESSES, 1)
    if count != processes.count:
        raise PygptError(
            "{folder} was begun by {there} process(es), here are {here}: another number adds numbers in another order, "
            "and the run would not go on as if it had never stopped. Start as many: torchrun --nproc-per-node {there}",
            folder=run.folder, there=count, here=processes.count,
        )  # fmt: skip
    given = given | ({"corpus": _anywhere(given["corpus"])} if isinstance(given.get("corpus"), str) else {})
    held = dataclasses.asdict(run.model) | dataclasses.asdict(run.training)
    free_names = (*FREE_ON_RESUME, *(["threads"] if run.training.engine == "r" and count == 1 else []))
    check_names(given)
    differ = [
        say("{name} is {there} there, {here} here", name=name, there=str(held[name]), here=str(value))
        for name, value in given.items()
        if name not in free_names and value != held[name]
    ]
    if differ:
        raise PygptError(
            "{folder} was begun with other settings: {differences}. "
            "A resumed run keeps its own (leave them out), or begin another with --out.",
            folder=run.folder, differences=Listed(differ),
        )  # fmt: skip
    free = {name: value for name, value in given.items() if name in free_names}
    settings = from_dict(TrainingSettings, dataclasses.asdict(run.training) | free)
    check_machine(settings, processes)
    return dataclasses.replace(run, training=settings)


def _check_not_behind(ready: Training) -> None:
    """A run cannot be told to end before the place where it is."""
    settings, state = ready.run.training, ready.state
    begun = state.epoch + (state.step_in_epoch > 0)
    for name, wanted, done in (("epochs", settings.epochs, begun), ("max_steps", settings.max_steps, state.step)):
        if wanted is not None and wanted < done:
            raise PygptError(
                "{name} = {wanted} is not allowed: {folder} is at {name} = {done} already",
                name=name, wanted=wanted, folder=ready.run.folder, done=done,
            )  # fmt: skip


def _same_corpus(run: RunFolder) -> Corpus | LargeCorpus:
    corpus, sha256 = open_corpus(run.training.corpus), run.provenance.get("corpus_sha256")
    if corpus.sha256 != sha256:
        raise PygptError(
            "the corpus {corpus} has changed since {folder} was begun: its SHA-256 is {now}, not {then}",
            corpus=run.training.corpus, folder=run.folder, now=corpus.sha256, then=sha256,
        )  # fmt: skip
    return corpus


def _windows(run: RunFolder, corpus: Corpus | LargeCorpus) -> tuple[Tensor, Tensor]:
    s, block_size = run.training, run.model.block_size
    tokens = corpus.tokens(run.vocabulary, s.share, run.folder / checkpoints.TOKENS)
    train, valid = part(tokens, s.train_share, s.split_at)
    for_train, for_valid = _parts_names(corpus)
    return windows(train, block_size, for_train), windows(valid, block_size, for_valid)[: s.valid_windows]


def _parts_names(corpus: Corpus | LargeCorpus) -> tuple[Message, Message]:
    return (
        say("the training part of {name}", name=corpus.name),
        say("the validation part of {name}", name=corpus.name),
    )


def _check_lengths(corpus: Corpus | LargeCorpus, settings: TrainingSettings, block_size: int) -> None:
    """Before the tokens of a large text are written."""
    used = math.floor(settings.share * corpus.length)
    train = whole_share(settings.train_share, used, settings.split_at)
    for n, what in zip((train, used - train), _parts_names(corpus), strict=True):
        check_length(n, block_size, what)
