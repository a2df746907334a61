"""Weights of the course's models from any file: R's own, safetensors, pygpt's. Float32 under R's keys, in R's order."""

import re
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from pygpt.errors import PygptError
from pygpt.models import CharacterModel, build_model
from pygpt.output.messages import Listed, Message, plain, say
from pygpt.r_files import hints, states
from pygpt.r_files.opening import Opened, opened
from pygpt.r_files.values import UnreadableError
from pygpt.settings import ModelName, ModelSettings, from_dict
from pygpt.vocabulary import Vocabulary
from pygpt.weights import check_state, load_state

_PREFIX = re.compile(r"((?:model|module|_orig_mod)\.)+(?=wte\.weight$)")
_FROM = (torch.float64, torch.float16, torch.bfloat16)
_SHOWN = 8


@dataclass(frozen=True)
class Weights:
    """A model's weights as a file has them.

    Attributes:
        path: the file.
        tensors: float32, R's keys in R's order.
        settings: what the shapes say, and `n_head`. Dropout leaves no trace: it is 0.
        heads_known: whether the file or the caller says how many heads there are; else the course's 2 are taken.
        vocabulary: where the file holds one.
        notes: what was changed, for the user to know.
    """

    path: Path
    tensors: dict[str, Tensor]
    settings: ModelSettings
    heads_known: bool
    vocabulary: Vocabulary | None
    notes: tuple[Message, ...]

    def note(self, heads: bool = True) -> Message | None:
        """What was changed and, where it is asked for, taken for granted, in one sentence; None where nothing was."""
        notes = [*self.notes]
        if heads and self.settings.model == "gpt" and not self.heads_known:
            notes.append(
                say("it does not say how many heads there are: {n} are taken (--n-head)", n=self.settings.n_head)
            )
        return say("{path}: {notes}", path=str(self.path), notes=Listed(notes)) if notes else None

    def model(self) -> CharacterModel:
        """The model with these weights, in eval mode, on the CPU. It draws from torch's generator."""
        built = build_model(self.settings)
        load_state(built, self.tensors, self.path)
        return built.eval()


def read_weights(path: Path, n_head: int | None = None) -> Weights:
    """Read weights, and check them key by key.

    Args:
        n_head: how many heads; None where the file says it, or the course's 2 will do.

    Raises:
        PygptError: the file cannot be read, is a Python pickle, holds no weights or several, or those of another
            model. The message says what to do.
    """
    return weights_of(found_in(opened(path), path), path, n_head)


def found_in(file: Opened, path: Path) -> states.Found:
    """The state dicts of an open file, which may be none.

    Raises:
        PygptError: what holds one is damaged.
    """
    try:
        return states.find(file)
    except UnreadableError as failed:
        raise PygptError("{path} cannot be read: {why}", path=path, why=failed.message) from failed


def weights_of(contents: states.Found, path: Path, n_head: int | None = None) -> Weights:
    """The weights among what was found; raises as `read_weights` does."""
    tensors, prefix = _without_prefix(_only(contents, path))
    if states.MARK not in tensors:
        raise PygptError(
            "the keys of {path} do not begin as R's do: it has {key}, not {mark}. Of prefixes, model., module. and "
            "_orig_mod. are left out by themselves; leave out others before you write the file.",
            path=path, key=next(name for name in tensors if name.endswith(states.MARK)), mark=states.MARK,
        )  # fmt: skip
    notes = [say("the prefix {prefix} is left out", prefix=prefix)] if prefix else []
    tensors, changed = _float32(tensors)
    notes += changed
    held = hints.heads(contents.files)
    if n_head is not None and held is not None and n_head != held:
        raise PygptError("{path} says that it has {held} heads, not {n}", path=path, held=held, n=n_head)
    heads = n_head or held
    settings = _settings(tensors, path, heads)
    with torch.device("meta"):
        model = build_model(settings)
    check_state(model, tensors, path)
    return Weights(
        path,
        {name: tensors[name] for name in model.state_dict()},
        settings,
        heads is not None,
        hints.vocabulary(contents.files, settings.vocab_size),
        tuple(notes),
    )


def _only(contents: states.Found, path: Path) -> dict[str, Tensor]:
    """The one set of weights that was found; the same ones at several places are one."""
    if not contents.states:
        _refuse_without(contents, path)
    (place, first), *others = contents.states
    differing = [name for name, state in others if not _same(first, state)]
    if differing:
        raise PygptError(
            "{path} holds several sets of weights: {places}. Write one of them alone, in R:\n"
            '  torch::torch_save({place}, "weights.pt")',
            path=path, places=", ".join([place, *differing]), place=place,
        )  # fmt: skip
    return first


def _same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def _refuse_without(contents: states.Found, path: Path) -> None:
    if contents.pointers:
        raise PygptError(
            "{path} holds tensors as addresses, which died with the R session that wrote them: saveRDS and save do "
            "not write R torch's tensors. Where the model is still there, these two lines of R write them:\n"
            '  library(torch)\n  torch_save(model$state_dict(), "weights.pt")',
            path=path,
        )
    names = [*contents.files[0].tensors, *contents.files[0].objects]
    roots = [value for value in contents.files[0].objects.values() if value is not None]
    names = [name for name in (*names, *(name for value in roots for name in value.names)) if name]
    raise PygptError(
        "{path} holds no weights of the course's models: it has no {mark}, but {names}",
        path=path, mark=states.MARK, names=plain(", ".join(names[:_SHOWN] or [value.kind for value in roots])),
    )  # fmt: skip


def _without_prefix(tensors: dict[str, Tensor]) -> tuple[dict[str, Tensor], str]:
    """What PyTorch's wrappers put before every key: `model.`, `module.`, `_orig_mod.`."""
    prefix = next((contents[0] for name in tensors if (contents := _PREFIX.match(name))), "")
    return {name.removeprefix(prefix): value for name, value in tensors.items()}, prefix


def _float32(tensors: dict[str, Tensor]) -> tuple[dict[str, Tensor], list[Message]]:
    notes = []
    for dtype in _FROM:
        theirs = {name: value for name, value in tensors.items() if value.dtype == dtype}
        own = {name: value.float() for name, value in theirs.items()}
        exact = all(torch.equal(own[n].to(dtype).nan_to_num(), value.nan_to_num()) for n, value in theirs.items())
        kind = str(dtype).removeprefix("torch.")
        if theirs and exact:
            words = say("{n} tensors were {dtype} and are float32 now, each number the same", n=len(theirs), dtype=kind)
        else:
            words = say("{n} tensors were {dtype} and are float32 now, rounded", n=len(theirs), dtype=kind)
        notes += [words] if theirs else []
        tensors = tensors | own
    return tensors, notes


def _settings(tensors: dict[str, Tensor], path: Path, heads: int | None) -> ModelSettings:
    """What the shapes say. The width is a vector's length, so that a transposed matrix cannot hide."""
    model: ModelName = "gpt" if any(name.startswith("MH.") for name in tensors) else "gpt_noattn"
    width = tensors.get("scale3.weight")
    if width is None or width.dim() != 1 or not len(width):
        raise PygptError("{path} lacks {name}, a vector as long as the model is wide", path=path, name="scale3.weight")
    n_embd = len(width)
    rows = {}
    for name in ("wpe.weight", states.MARK):
        table = tensors.get(name)
        if table is None:
            raise PygptError("{path} lacks {name}, a matrix of {n} columns", path=path, name=name, n=n_embd)
        if table.dim() != 2 or n_embd not in table.shape:
            raise PygptError(
                "{path}: {name} has shape {shape}, and not {n} columns, as many as scale3.weight has numbers. In R, "
                "as.array(tensor) keeps the shape",
                path=path, name=name, shape=tuple(table.shape), n=n_embd,
            )  # fmt: skip
        # also where rows and columns are exchanged: then the check of the shapes says so
        rows[name] = table.shape[0] if table.shape[1] == n_embd else table.shape[1]
    blocks = {name.split(".")[1] for name in tensors if name.startswith("scale2.")}
    if heads is None:
        heads = ModelSettings().n_head if n_embd % ModelSettings().n_head == 0 else 1
    try:
        return from_dict(
            ModelSettings,
            {
                "model": model, "block_size": rows["wpe.weight"], "n_embd": n_embd, "n_layer": len(blocks),
                "n_head": heads if model == "gpt" else 1, "vocab_size": rows[states.MARK], "dropout": 0.0,
            },
        )  # fmt: skip
    except PygptError as error:
        raise PygptError("{path} does not fit a model of the course: {why}", path=path, why=error) from error
