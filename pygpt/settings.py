"""Model and training settings: what can be set, what is allowed, what the course used (the defaults).

A field's metadata holds its help text; the options of `train` and the keys of its TOML file are made from it.
"""

import dataclasses
import json
import math
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from pygpt.errors import PygptError
from pygpt.kinds import check_types, require
from pygpt.output.messages import say
from pygpt.output.spelling import did_you_mean

Settings = TypeVar("Settings", bound="ModelSettings | TrainingSettings")

ModelName = Literal["gpt", "gpt_noattn"]
Engine = Literal["r", "fast"]
PaddingRow = Literal["r", "corrected"]
OptimizerName = Literal["adamw", "adam"]
Order = Literal["shuffle", "sample"]
SplitAt = Literal["floor", "round"]
MODELS: tuple[ModelName, ...] = get_args(ModelName)
# What the R code, the recordings and students' ports call the models and the settings that have other names there.
R_MODELS: dict[ModelName, str] = {"gpt": "GPT", "gpt_noattn": "GPT_NoAttn"}
R_NAMES = {"n_layer": "N_Layers", "n_head": "Head", "vocab_size": "nvoc", "dropout": "p0"}
# What the settings are called in R's code and elsewhere: not understood, but told.
OTHER_NAMES = {r: own for own, r in R_NAMES.items() if own != "vocab_size"} | {
    "learning_rate": "lr", "clip": "max_norm", "grad_clip": "max_norm", "seq_len": "block_size",
}  # fmt: skip


_MOST = 1 << 31
MOST_THREADS = 1024
_TO_MOST_THREADS = say("a whole number from 1 to 1024")
_FROM_1 = say("a whole number from 1 to 2^31 - 1")


def _setting(default: Any, text: str) -> Any:
    return field(default=default, metadata={"help": text})


@dataclass(frozen=True)
class ModelSettings:
    """The shape of a model. `vocab_size` counts PAD; a run takes it from its vocabulary."""

    model: ModelName = _setting("gpt", "With attention (exercise 2) or without (exercise 3).")
    block_size: int = _setting(64, "Longest context, in characters.")
    n_embd: int = _setting(128, "Width of the embedding; a multiple of n_head.")
    n_layer: int = _setting(2, "Number of blocks (R: N_Layers).")
    n_head: int = _setting(2, "Attention heads per block (R: Head).")
    vocab_size: int = _setting(66, "Rows of the embedding, PAD included (R: nvoc).")
    dropout: float = _setting(0.2, "Share of values dropped in training, 0 to below 1 (R: p0).")

    def __post_init__(self) -> None:
        check_types(self, {r: own for own, r in R_MODELS.items()})
        for name in ("block_size", "n_embd", "n_layer", "n_head"):
            require(1 <= getattr(self, name) < _MOST, name, getattr(self, name), _FROM_1)
        require(2 <= self.vocab_size < _MOST, "vocab_size", self.vocab_size, say("at least 2: PAD and one character"))
        require(0 <= self.dropout < 1, "dropout", self.dropout, say("from 0 to below 1"))
        if self.n_embd % self.n_head:
            raise PygptError(
                "n_embd = {n_embd} is not divisible by n_head = {n_head}: "
                "each head gets n_embd / n_head columns. Take n_embd = {better}.",
                n_embd=self.n_embd, n_head=self.n_head, better=_next_multiple(self.n_embd, self.n_head),
            )  # fmt: skip

    @classmethod
    def from_r(cls, model: str, settings: dict[str, Any]) -> "ModelSettings":
        """From R's names, as the recordings' metadata have them (`N_Layers`, `nvoc`, `Head`, `p0`)."""
        models, names = ({r: own for own, r in pairs.items()} for pairs in (R_MODELS, R_NAMES))
        if model not in models:
            raise PygptError(
                "unknown model {model}: R's models are {known}", model=repr(model), known=", ".join(models)
            )
        return from_dict(cls, {"model": models[model], **{names.get(k, k): v for k, v in settings.items()}})

    def to_r(self) -> dict[str, int | float]:
        """The arguments of R's `GPT` and `GPT_NoAttn`, by name and in their order."""
        order = ("block_size", "n_embd", "n_layer", "vocab_size", "n_head", "dropout")
        return {R_NAMES.get(name, name): getattr(self, name) for name in order}


@dataclass(frozen=True)
class TrainingSettings:
    """How a model is trained. The defaults are those of exercises 2 and 3."""

    corpus: str = _setting("shakespeare", "sample, shakespeare, or the path of a UTF-8 text.")
    vocabulary: str = _setting("icu", "Order of the characters: icu (R's default), c, or a vocabulary.json.")
    share: float = _setting(0.3, "Share of the text that is used, from its start; of a text of your own, 1.")
    train_share: float = _setting(0.9, "Share of that which is trained on; the rest validates.")
    split_at: SplitAt = _setting(
        "floor", "How the number of characters to train on is made whole: floor, or R's round."
    )
    order: Order = _setting("shuffle", "shuffle: each window once an epoch. sample: windows drawn by R's sample().")
    sample_seed: int = _setting(1, "Order sample: what R's set.seed() was called with.")
    epoch_windows: int | None = _setting(
        None, "Order sample: windows drawn in an epoch. [default: as many as there are]"
    )
    valid_windows: int | None = _setting(None, "Validate on the first so many windows. [default: all]")
    batch_size: int = _setting(64, "Windows per step.")
    accumulate: int = _setting(1, "Engine fast: parts of a batch, computed one after the other where memory is short.")
    optimizer: OptimizerName = _setting("adamw", "adamw, or adam (without weight decay), as R torch has them.")
    lr: float = _setting(0.001, "Learning rate of the optimizer.")
    max_norm: float = _setting(1.0, "Gradients are scaled down to this norm.")
    epochs: int = _setting(3, "Passes over the training windows.")
    max_steps: int | None = _setting(None, "Stop after this many steps in all. [default: no limit]")
    seed: int = _setting(42, "Seed of torch's generator: weights, shuffling, dropout.")
    engine: Engine = _setting("r", "r: R's arithmetic bit for bit. fast: PyTorch's, close in loss.")
    padding_row: PaddingRow = _setting("r", "Embedding row without gradient: R's (row 1) or corrected (row 0, PAD).")
    bf16: bool | None = _setting(None, "Engine fast: bfloat16 autocast. [default: where a few timed steps are quicker]")
    compile: bool | None = _setting(
        None, "Engine fast: torch.compile (needs a C++ compiler). [default: where a long training is quicker so]"
    )
    threads: int | None = _setting(
        None,
        "Threads to compute on; they change no bit of engine r. [default: all cores; engine fast: what is quicker]",
    )
    r_threads: int = _setting(1, "Engine r: how many threads R's torch had, whose bits are given.")
    device: str = _setting("cpu", "Where to train: cpu, cuda, cuda:1, mps.")
    checkpoint_every: int = _setting(500, "Steps between two checkpoints.")

    def __post_init__(self) -> None:
        check_types(self, {r: own for own, r in R_MODELS.items()})
        for name in ("batch_size", "epochs", "checkpoint_every"):
            require(1 <= getattr(self, name) < _MOST, name, getattr(self, name), _FROM_1)
        for name in ("max_steps", "epoch_windows", "valid_windows"):
            value = getattr(self, name)
            require(value is None or 1 <= value < _MOST, name, value, _FROM_1)
        for name in ("threads", "r_threads"):
            value = getattr(self, name)
            require(value is None or 1 <= value <= MOST_THREADS, name, value, _TO_MOST_THREADS)
        for name in ("lr", "max_norm"):
            value = getattr(self, name)
            require(value > 0 and math.isfinite(value), name, value, say("above 0 and finite"))
        for name in ("share", "train_share"):
            require(0 < getattr(self, name) <= 1, name, getattr(self, name), say("above 0 and at most 1"))
        require(0 <= self.seed < 2**63, "seed", self.seed, say("a whole number from 0 to 2^63 - 1"))
        seeds = say("a whole number from -(2^31 - 1) to 2^31 - 1")
        require(-_MOST < self.sample_seed < _MOST, "sample_seed", self.sample_seed, seeds)
        if self.order == "shuffle" and (self.epoch_windows is not None or self.sample_seed != 1):
            raise PygptError("sample_seed and epoch_windows belong to order = sample: add it, or leave them out.")
        if self.engine == "r" and (self.bf16 or self.compile):
            raise PygptError(
                "bf16 and compile belong to engine fast: engine r keeps R's arithmetic. Add engine = fast."
            )
        _check_accumulate(self)
        if self.engine == "r":
            object.__setattr__(self, "bf16", False)
            object.__setattr__(self, "compile", False)
        if self.engine == "fast" and self.r_threads != 1:
            raise PygptError(
                "r_threads = {value} belongs to engine r: engine fast has not R's bits on any number of threads. "
                "Leave it out, or take engine = r.",
                value=self.r_threads,
            )


def _check_accumulate(settings: TrainingSettings) -> None:
    n, batch_size = settings.accumulate, settings.batch_size
    require(1 <= n < _MOST, "accumulate", n, _FROM_1)
    if n > batch_size:
        raise PygptError(
            "accumulate = {n} is not allowed: a batch of batch_size = {batch_size} has not so many parts",
            n=n, batch_size=batch_size,
        )  # fmt: skip
    if n > 1 and settings.engine == "r":
        raise PygptError(
            "accumulate = {n} belongs to engine fast: R adds up each gradient over the whole batch, and parts added "
            "one after the other have other bits. Leave it out, or take engine = fast.",
            n=n,
        )


def from_dict(cls: type[Settings], values: dict[str, Any]) -> Settings:
    """Settings from a mapping of field names.

    Raises:
        PygptError: an unknown key, a wrong type, or a value that is not allowed.
    """
    _check_known(values, [f.name for f in dataclasses.fields(cls)])
    return cls(**values)


def check_names(values: dict[str, Any]) -> None:
    """Raise PygptError where a key names no setting of model or training."""
    _check_known(values, setting_names())


def _check_known(values: dict[str, Any], known: list[str]) -> None:
    unknown = [key for key in values if key not in known]
    if unknown:
        raise PygptError(
            "unknown setting {names}; known are: {known}.{meant}",
            names=", ".join(map(repr, unknown)), known=", ".join(known),
            meant=did_you_mean(unknown[0], known, OTHER_NAMES),
        )  # fmt: skip


def split_settings(values: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """One flat mapping, parted into those of the model and those of training (where unknown keys go, too)."""
    names = {f.name for f in dataclasses.fields(ModelSettings)}
    return (
        {k: v for k, v in values.items() if k in names},
        {k: v for k, v in values.items() if k not in names},
    )


def setting_names() -> list[str]:
    """Every key that a TOML file may hold. `vocab_size` is not one: it follows from the text."""
    both = (*dataclasses.fields(ModelSettings), *dataclasses.fields(TrainingSettings))
    return [f.name for f in both if f.name != "vocab_size"]


def read_toml(path: Path) -> dict[str, Any]:
    """The settings in a TOML file, flat (`n_embd = 128`).

    Raises:
        PygptError: the file cannot be read, is not TOML, or holds an unknown key.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise PygptError("cannot read {path}: {why}", path=path, why=error.strerror) from error
    except (ValueError, RecursionError) as error:
        raise PygptError("{path} is not a TOML file: {why}", path=path, why=error) from error
    try:
        check_names(values)
    except PygptError as error:
        raise PygptError("{path}: {why}", path=path, why=error) from error
    return values


def to_toml(settings: "ModelSettings | TrainingSettings") -> str:
    """The settings as lines of TOML; what is None is left out."""
    values = dataclasses.asdict(settings)
    # A JSON string, number or boolean is a TOML one, too.
    return "".join(f"{k} = {json.dumps(v, ensure_ascii=False)}\n" for k, v in values.items() if v is not None)


def _next_multiple(number: int, of: int) -> int:
    return -(-number // of) * of
