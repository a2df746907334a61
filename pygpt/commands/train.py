"""`train`: train a model on a text and keep the run in a folder."""

import dataclasses
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pygpt.commands.options import given_settings, settings_options
from pygpt.errors import PygptError
from pygpt.settings import ModelSettings, TrainingSettings, from_dict, setting_names, split_settings

if TYPE_CHECKING:
    from torch import Tensor

    from pygpt.checkpoints import Run
    from pygpt.corpus import Corpus

# Settings that only say how far to go and how often to save: a resumed run may change them and keeps its bits.
FREE_ON_RESUME = ("epochs", "max_steps", "checkpoint_every")


@click.command(epilog="Example: train --model gpt --corpus sample --epochs 1 --seed 42 --out runs/first")
@settings_options(*setting_names())
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), help="Folder of the run. [default: runs/MODEL]"
)
@click.option("--resume", is_flag=True, help="Go on with the run in --out, exactly as if it had never stopped.")
@click.pass_context
def train(ctx: click.Context, /, config: Path | None, out: Path | None, resume: bool, **options: Any) -> None:
    """Train a model on a text, as exercises 2 and 3 do in R.

    The defaults are the course's. The same seed gives R's losses and weights, bit for bit (engine r).
    Lengths are in characters, losses in nats per character.
    """
    given = given_settings(config, options)
    folder = out or Path("runs") / str(given.get("model", "gpt"))

    import torch

    from pygpt import checkpoints, training
    from pygpt.commands.progress import watch
    from pygpt.memory import keep_freed_memory

    keep_freed_memory()
    if resume:
        run = _resumed(checkpoints.open_run(folder), given)
        windows = _windows(run, _same_corpus(run))
    else:
        run, windows = _begun(folder, given)
    torch.set_num_threads(run.training.threads or 1)
    state = training.start(run.model, run.training)
    if resume:
        checkpoints.restore_checkpoint(run, state)
    else:
        checkpoints.create(run)
    watch(run, state, *windows, again=f"{ctx.find_root().info_name} train --resume --out {shlex.quote(str(folder))}")


def _begun(folder: Path, given: dict[str, Any]) -> "tuple[Run, tuple[Tensor, Tensor]]":
    from pygpt.checkpoints import Run, provenance, refuse_to_overwrite
    from pygpt.corpus import read_corpus
    from pygpt.vocabulary import ORDERS, Vocabulary

    for_model, for_training = split_settings(given)
    settings = _with_threads(from_dict(TrainingSettings, for_training))
    from_dict(ModelSettings, for_model)  # says what is wrong before a long text is read
    _check_device(settings.device)
    refuse_to_overwrite(folder)
    corpus = read_corpus(settings.corpus)
    if settings.vocabulary in ORDERS:
        vocabulary = Vocabulary.from_text(corpus.text, settings.vocabulary)
    else:
        vocabulary = Vocabulary.from_file(Path(settings.vocabulary))
    model = from_dict(ModelSettings, for_model | {"vocab_size": len(vocabulary)})
    run = Run(folder, model, settings, {}, vocabulary)
    windows = _windows(run, corpus)
    run.provenance.update(provenance(corpus.sha256, *map(len, windows)))
    return run, windows


def _resumed(run: "Run", given: dict[str, Any]) -> "Run":
    held = dataclasses.asdict(run.model) | dataclasses.asdict(run.training)
    differ = [
        f"{name} is {held[name]} there, {value} here"
        for name, value in given.items()
        if name not in FREE_ON_RESUME and value != held[name]
    ]
    if differ:
        raise PygptError(
            f"{run.folder} was begun with other settings: {'; '.join(differ)}. "
            "A resumed run keeps its own (leave them out), or begin another with --out."
        )
    free = {name: value for name, value in given.items() if name in FREE_ON_RESUME}
    _check_device(run.training.device)
    return dataclasses.replace(run, training=dataclasses.replace(run.training, **free))


def _same_corpus(run: "Run") -> "Corpus":
    from pygpt.corpus import read_corpus

    corpus = read_corpus(run.training.corpus)
    if corpus.sha256 != run.provenance["corpus_sha256"]:
        raise PygptError(
            f"the corpus {run.training.corpus} has changed since {run.folder} was begun: its SHA-256 is "
            f"{corpus.sha256}, not {run.provenance['corpus_sha256']}"
        )
    return corpus


def _windows(run: "Run", corpus: "Corpus") -> "tuple[Tensor, Tensor]":
    from pygpt.corpus import split, windows

    tokens = run.vocabulary.encode(corpus.text, f"the corpus {corpus.name}")
    train_tokens, valid_tokens = split(tokens, run.training.share, run.training.train_share)
    block_size = run.model.block_size
    return (
        windows(train_tokens, block_size, f"the training part of {corpus.name}"),
        windows(valid_tokens, block_size, f"the validation part of {corpus.name}"),
    )


def _with_threads(settings: TrainingSettings) -> TrainingSettings:
    if settings.threads is not None:
        return settings
    return dataclasses.replace(settings, threads=1 if settings.engine == "r" else os.cpu_count() or 1)


def _check_device(name: str) -> None:
    import torch

    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise PygptError(f"device = {name!r} cannot be used here ({str(error).splitlines()[0]}). Use cpu.") from error
