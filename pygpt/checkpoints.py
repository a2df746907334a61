"""A run's folder: weights, settings, vocabulary, history, steps, and what resuming needs.

weights.safetensors   the model, keys as in R
settings.json         settings and where they came from: versions, seed, threads and R's, SHA-256 of the corpus
vocabulary.json       the characters in their order
history.csv           luz's losses, an epoch a line
steps.csv             the loss of every step
tokens.safetensors    the tokens of a large text, mapped into memory
resume.safetensors    weights, optimizer, generator and place in the epoch: all that an exact resume needs

Every file but steps.csv is written anew and renamed; steps.csv grows, and resuming cuts it back to the checkpoint.
"""

import dataclasses
import json
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor

from pygpt import losses
from pygpt.errors import PygptError
from pygpt.files import json_text, write_atomically
from pygpt.losses import HISTORY, STEPS
from pygpt.models import CharacterModel, build_model
from pygpt.settings import ModelSettings, TrainingSettings, from_dict
from pygpt.training import Epoch, TrainingState
from pygpt.version import __version__
from pygpt.vocabulary import Vocabulary
from pygpt.weights import check_state, load_state, read_tensors, save_weights

FORMAT = 1
SETTINGS, VOCABULARY, WEIGHTS, RESUME = "settings.json", "vocabulary.json", "weights.safetensors", "resume.safetensors"
FIGURE, TOKENS = "figure.png", "tokens.safetensors"


@dataclass(frozen=True)
class RunFolder:
    """What a run's folder says of itself."""

    folder: Path
    model: ModelSettings
    training: TrainingSettings
    provenance: dict[str, Any]
    vocabulary: Vocabulary


def provenance(corpus_sha256: str, train_windows: int, valid_windows: int) -> dict[str, Any]:
    """What a run was made with and from, beside its settings."""
    return {
        "pygpt": __version__,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "corpus_sha256": corpus_sha256,
        "train_windows": train_windows,
        "valid_windows": valid_windows,
    }


def refuse_to_overwrite(folder: Path) -> None:
    """Raise PygptError where `folder` holds a run."""
    if (folder / SETTINGS).exists():
        raise PygptError(
            "{folder} holds a run already. Go on with it (--resume --out {folder}), "
            "or name another folder with --out; nothing was written.",
            folder=folder,
        )


def create(run: RunFolder) -> None:
    """Begin a run's folder with its settings and vocabulary.

    Raises:
        PygptError: the folder holds a run already, or cannot be written.
    """
    refuse_to_overwrite(run.folder)
    write_atomically(run.folder / VOCABULARY, run.vocabulary.to_json())
    store_settings(run)


def store_settings(run: RunFolder) -> None:
    """Write a run's settings, in place of those that its folder holds."""
    content = {
        "format": FORMAT,
        "model": dataclasses.asdict(run.model),
        "training": dataclasses.asdict(run.training),
        "provenance": run.provenance,
    }
    write_atomically(run.folder / SETTINGS, json_text(content))


def open_run(folder: Path) -> RunFolder:
    """Read a run's settings and vocabulary.

    Raises:
        PygptError: no run there, unreadable or of a newer format.
    """
    path = folder / SETTINGS
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        version = content["format"]
    except FileNotFoundError as error:
        raise PygptError("{folder} holds no run: there is no {path}", folder=folder, path=path) from error
    except OSError as error:
        raise PygptError("cannot read {path}: {why}", path=path, why=error.strerror) from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise PygptError("{path} is not a run's settings", path=path) from error
    if version != FORMAT:
        raise PygptError(
            "{path} has format {version}; this pygpt reads format {known}. Update pygpt.",
            path=folder, version=version, known=FORMAT,
        )  # fmt: skip
    try:
        model = from_dict(ModelSettings, content["model"])
        training = from_dict(TrainingSettings, _with_r_threads(content["training"]))
        provenance = dict(content["provenance"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise PygptError("{path} is not a run's settings", path=path) from error
    except PygptError as error:
        raise PygptError("{path} is not a run's settings: {why}", path=path, why=error) from error
    vocabulary = Vocabulary.from_file(folder / VOCABULARY)
    if len(vocabulary) != model.vocab_size:
        raise PygptError(
            "{file} has {rows} rows, but {path} says vocab_size = {size}",
            file=folder / VOCABULARY, rows=len(vocabulary), path=path, size=model.vocab_size,
        )  # fmt: skip
    return RunFolder(folder, model, training, provenance, vocabulary)


def _with_r_threads(training: dict[str, Any]) -> dict[str, Any]:
    """A run of before R's threads were a setting has the bits of R on its own number of threads."""
    return {"r_threads": training["threads"] or 1, **training} if training["engine"] == "r" else training


def load_model(run: RunFolder) -> CharacterModel:
    """The run's model with its weights, in eval mode, on the CPU.

    Raises:
        PygptError: no weights yet; or they are truncated, corrupt, or another model's.
    """
    if not (run.folder / WEIGHTS).exists():
        raise PygptError(
            "{folder} has no {file} yet: train on (train --resume --out {folder})", folder=run.folder, file=WEIGHTS
        )
    path = run.folder / WEIGHTS
    tensors, _ = read_tensors(path)
    # Before room is made for a model that damaged settings may ask for.
    with torch.device("meta"):
        check_state(build_model(run.model), tensors, path)
    model = build_model(run.model, run.training.padding_row)
    load_state(model, tensors, path)
    return model.eval()


def save_checkpoint(run: RunFolder, state: TrainingState, new_losses: list[tuple[int, float]]) -> None:
    """Make the folder hold `state`: the steps first, then the rest, so that no step is missing after a kill."""
    losses.append_steps(run.folder / STEPS, new_losses)
    losses.write_history(run.folder / HISTORY, state.history)
    save_weights(state.model, run.folder / WEIGHTS)
    write_atomically(run.folder / RESUME, save(_state_tensors(state), {"pygpt": _place(state)}))


def restore_checkpoint(run: RunFolder, state: TrainingState, writes: bool = True) -> bool:
    """Put `state`, as `training.start` made it, and torch's generator where the last checkpoint was.

    Args:
        writes: cut the losses of steps back to there, too.

    Returns:
        False where the run was stopped before its first checkpoint: `state` is as it was.

    Raises:
        PygptError: the checkpoint is damaged or another run's.
    """
    path = run.folder / RESUME
    if not path.exists():
        if writes:
            losses.cut_steps(run.folder / STEPS, 0)
        return False
    tensors, metadata = read_tensors(path)
    try:
        place = json.loads(metadata["pygpt"])
        optimizer = state.optimizer.state_dict()
        optimizer["state"] = {
            i: {name: tensors[f"optimizer.{i}.{name}"] for name in ("step", "exp_avg", "exp_avg_sq")}
            for i in range(int(place["optimized"]))
        }
        weights = {k.removeprefix("model."): v for k, v in tensors.items() if k.startswith("model.")}
        history = [Epoch(*row) for row in place["history"]]
        load_state(state.model, weights, path)
        state.optimizer.load_state_dict(optimizer)
        state.history = history
        state.step, state.epoch = int(place["step"]), int(place["epoch"])
        state.step_in_epoch = int(place["step_in_epoch"])
        state.mean_loss, state.shuffle_rng = tensors.get("mean_loss"), tensors.get("rng.shuffle")
        torch.set_rng_state(tensors["rng.cpu"])
        if "rng.cuda" in tensors:
            torch.cuda.set_rng_state(tensors["rng.cuda"])
    except (KeyError, TypeError, ValueError) as error:
        raise PygptError("{path} is not a checkpoint of this run ({why})", path=path, why=repr(error)) from error
    if state.mean_loss is not None:
        state.mean_loss = state.mean_loss.to(run.training.device)
    if writes:
        losses.cut_steps(run.folder / STEPS, state.step)
    return True


def generator_state(run: RunFolder) -> Tensor:
    """The state of torch's generator (CPU) at the last checkpoint, uint8, as `torch.get_rng_state` gives it.

    After a finished training it is where R's generator is, too.

    Raises:
        PygptError: no checkpoint, a damaged one, or one of a training whose numbers another device drew.
    """
    path = run.folder / RESUME
    if not path.exists():
        raise PygptError(
            "{folder} has no {file}: the state of its generator is not there", folder=run.folder, file=RESUME
        )
    tensors, _ = read_tensors(path)
    if "rng.cuda" in tensors:
        raise PygptError(
            "{folder} was trained on {device}, whose generator R would go on from: that cannot be done on the CPU. "
            "Generate with --seed.",
            folder=run.folder, device=run.training.device,
        )  # fmt: skip
    try:
        torch.Generator().set_state(tensors["rng.cpu"])
    except (KeyError, TypeError, RuntimeError) as error:
        raise PygptError("{path} is not a checkpoint of this run ({why})", path=path, why=repr(error)) from error
    return tensors["rng.cpu"]


def _state_tensors(state: TrainingState) -> dict[str, Tensor]:
    tensors = {f"model.{name}": value.contiguous() for name, value in state.model.state_dict().items()}
    for i, values in state.optimizer.state_dict()["state"].items():
        # R's optimizer shares one step among all parameters; safetensors refuses shared memory.
        tensors |= {f"optimizer.{i}.{name}": value.clone() for name, value in values.items()}
    tensors["rng.cpu"] = torch.get_rng_state()
    if next(state.model.parameters()).is_cuda:
        tensors["rng.cuda"] = torch.cuda.get_rng_state()
    if state.shuffle_rng is not None:
        tensors["rng.shuffle"] = state.shuffle_rng
    if state.mean_loss is not None:
        tensors["mean_loss"] = state.mean_loss
    return tensors


def _place(state: TrainingState) -> str:
    return json.dumps(
        {
            "epoch": state.epoch,
            "step_in_epoch": state.step_in_epoch,
            "step": state.step,
            "optimized": len(state.optimizer.state_dict()["state"]),
            "history": [dataclasses.astuple(epoch) for epoch in state.history],
        }
    )
