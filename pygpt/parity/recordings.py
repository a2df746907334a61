"""Recordings of R, read by their metadata; their form is that of `parity_tests/recordings/README.md`.

A recording may come from anywhere. What it asks to be repeated is held against what it holds before anything is
computed, so that a number in its metadata cannot ask for more than a file of its size would have.
"""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_type_hints

import torch
from torch import Tensor

from pygpt.errors import PygptError
from pygpt.models import build_model
from pygpt.output.messages import Message, plain, say
from pygpt.settings import MOST_THREADS, ModelSettings
from pygpt.weights import read_tensors

RECORDED = ("tiny", "stream")
"""What R's recorder records of each model: `NAME_MODEL.safetensors`, in `parity_tests/recordings/`, too."""

PROMPT = 3
"""Ids that a `model` recording generates from: the first of its second window."""

_TYPES = (torch.float32, torch.float64, torch.int64)
_MOST_TOKENS = 1_000_000
"""Of a stream. The longest recorded has 4,117."""


@dataclass(frozen=True)
class ModelRun:
    """What a `model` recording did: one step in eval mode; then `train_steps` steps, and `new_tokens` ids."""

    build_seed: int
    train_seed: int
    train_steps: int
    lr: float
    max_norm: float
    generate_seed: int
    temperature: float
    new_tokens: int


@dataclass(frozen=True)
class Stream:
    """A made-up text: its token i (from 1) is the R id `2 + ((i * a) mod b) mod c`."""

    a: int
    b: int
    c: int


@dataclass(frozen=True)
class TrainingRun:
    """What a `training` recording did: luz's epochs over the stream's first tokens, validated on the next."""

    stream: Stream
    train_tokens: int
    valid_tokens: int
    epochs: int
    batch_size: int
    lr: float
    max_norm: float
    seed: int
    prompt_tokens: int
    generate_seed: int
    temperature: float
    new_tokens: int


@dataclass(frozen=True)
class Recording:
    """What R computed: the tensors, by the names of the README, and what it was asked to do."""

    path: Path
    model: ModelSettings
    run: ModelRun | TrainingRun
    provenance: dict[str, str | int | float | None]
    tensors: dict[str, Tensor]

    @property
    def kind(self) -> str:
        """`model` or `training`."""
        return next(kind for kind, cls in _RUNS.items() if isinstance(self.run, cls))

    @property
    def r_threads(self) -> int:
        """How many threads R's torch had; 1 where its provenance does not say."""
        threads = self.provenance.get("threads")
        return threads if isinstance(threads, int) else 1


_RUNS: dict[str, type[ModelRun | TrainingRun]] = {"model": ModelRun, "training": TrainingRun}


def read_recording(path: Path) -> Recording:
    """Read a recording.

    Raises:
        PygptError: not a safetensors file; its metadata do not say what is needed to repeat it, or ask for something
            else than it holds.
    """
    tensors, metadata = read_tensors(path)
    try:
        kind, name = metadata["recording"], metadata["model"]
        run, provenance, settings = (json.loads(metadata[key]) for key in ("run", "provenance", "model_settings"))
        model = ModelSettings.from_r(name, settings)
    except KeyError as error:
        raise PygptError("{path} is no recording: its metadata lack {key}", path=path, key=error.args[0]) from error
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError, PygptError) as error:
        raise PygptError("the metadata of {path} are spoiled: {why}", path=path, why=error) from error
    if kind not in _RUNS:
        raise PygptError(
            "{path}: unknown kind of recording {kind}; known are {known}",
            path=path, kind=repr(kind), known=", ".join(_RUNS),
        )  # fmt: skip
    if not isinstance(provenance, dict) or not all(
        isinstance(v, str | int | float | None) for v in provenance.values()
    ):
        raise PygptError("{path}: the recording's provenance is not names with values", path=path)
    threads = provenance.get("threads")
    if threads is not None and (type(threads) is not int or not 1 <= threads <= MOST_THREADS):
        raise PygptError(
            "{path}: the recording's provenance has threads = {value}: it must be a whole number from 1 to {most}",
            path=path, value=f"{threads!s:.60}", most=MOST_THREADS,
        )  # fmt: skip
    recording = Recording(path, model, _read(_RUNS[kind], run, path), provenance, tensors)
    for fault in _faults(recording):
        raise PygptError("{path} cannot be repeated: {fault}", path=path, fault=fault)
    return recording


def _read(cls: type[Any], values: Any, path: Path) -> Any:
    """The fields of `cls` from a recording's `run`: whole numbers from 0, rates above 0."""
    kinds = get_type_hints(cls)
    missing = [name for name in kinds if not isinstance(values, dict) or name not in values]
    if missing:
        raise PygptError("{path}: the recording's 'run' lacks {names}", path=path, names=", ".join(missing))
    read: dict[str, Any] = {}
    for name, kind in kinds.items():
        value = values[name]
        if kind is Stream:
            read[name] = _read(Stream, value, path)
            continue
        whole = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63
        rate = isinstance(value, float) and math.isfinite(value) and value > 0
        if not (rate or (whole and value > 0) if kind is float else whole):
            raise PygptError(
                "{path}: the recording's 'run' has {name} = {value}", path=path, name=name, value=f"{value!s:.60}"
            )
        read[name] = kind(value)
    return cls(**read)


def _faults(recording: Recording) -> Iterator[Message]:
    """Where the metadata ask for something else than the tensors hold."""
    model, run, tensors = recording.model, recording.run, recording.tensors
    odd = [name for name, tensor in tensors.items() if tensor.dtype not in _TYPES]
    if odd:
        yield say("{names} must be float32, float64 or int64, as R writes them", names=plain(", ".join(odd)))
    if isinstance(run, ModelRun):
        yield from _weight_faults(model, tensors, "init.")
        yield from _window_faults(model, tensors)
        if run.train_steps < 2:
            yield say("train_steps must be at least 2, since step1 names the weights after a step without dropout")
        shapes = {"losses": (run.train_steps,), "generated": (1, PROMPT + run.new_tokens)}
    else:
        yield from _weight_faults(model, tensors, "final.")
        if not 0 < run.stream.c < model.vocab_size or not run.stream.b:
            yield say("its stream's b must be above 0, and c from 1 to nvoc - 1")
        if run.train_tokens + run.valid_tokens > _MOST_TOKENS:
            yield say("its stream must have at most {most:,} tokens", most=_MOST_TOKENS)
        if not run.batch_size:
            yield say("its batch_size must be above 0")
        steps = run.epochs * math.ceil((run.train_tokens - model.block_size) / run.batch_size)
        generated = (1, run.prompt_tokens + run.new_tokens)
        shapes = {"step_losses": (steps,), "train_loss": (run.epochs,), "generated": generated}
    for name, shape in shapes.items():
        held = tuple(tensors[name].shape) if name in tensors else None
        if held != shape:
            yield say("its run gives {name} the shape {shape}, not {held}", name=name, shape=str(shape), held=str(held))


def _weight_faults(model: ModelSettings, tensors: dict[str, Tensor], prefix: str) -> Iterator[Message]:
    held = {name.removeprefix(prefix): t.shape for name, t in tensors.items() if name.startswith(prefix)}
    sizes = {"wpe.weight": (model.block_size, model.n_embd), "wte.weight": (model.vocab_size, model.n_embd)}
    odd = [name for name, size in sizes.items() if held.get(name) != size]
    # The sizes are those of tensors that are there, so a model may be laid out; on `meta` it takes no memory.
    if not odd and model.n_layer <= len(held):
        with torch.device("meta"):
            sizes = {name: tuple(value.shape) for name, value in build_model(model).state_dict().items()}
        odd = [name for name in (*sizes, *held) if held.get(name) != sizes.get(name)]
    elif not odd:
        odd = ["n_layer"]
    if odd:
        names = ", ".join(prefix + name for name in odd)
        yield say("its weights do not fit its model_settings: {names}", names=plain(names))


def _window_faults(model: ModelSettings, tensors: dict[str, Tensor]) -> Iterator[Message]:
    for name in ("x", "y"):
        ids = tensors.get(name)
        if ids is None:
            yield say("it lacks the input {name}", name=name)
        elif ids.dtype != torch.int64 or ids.dim() != 2 or ids.shape != tensors["x"].shape:
            yield say("{name} must be int64 ids, (windows, k), x and y alike", name=name)
        elif len(ids) < 2 or not PROMPT <= ids.shape[1] <= model.block_size:
            yield say("{name} must hold 2 windows or more of {least} ids to block_size", name=name, least=PROMPT)
        elif ids.min() < 1 or ids.max() > model.vocab_size:
            yield say("{name} must hold ids from 1 to nvoc", name=name)
