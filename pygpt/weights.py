"""Weights as safetensors: R's keys in R's order, checked one by one when they come back. Nothing is unpickled."""

import dataclasses
import hashlib
import json
from pathlib import Path

import safetensors
import torch
from safetensors.torch import save
from torch import Tensor

from pygpt.errors import PygptError
from pygpt.files import write_atomically
from pygpt.models import CharacterModel
from pygpt.output.messages import Listed, say

_FORMAT = 1


def save_weights(model: CharacterModel, path: Path) -> None:
    """`state_dict()` as safetensors; the metadata names the model's settings."""
    # One metadata key alone: safetensors writes several in no fixed order, and the bytes are compared.
    note = json.dumps({"format": _FORMAT, "model": dataclasses.asdict(model.settings)}, sort_keys=True)
    write_atomically(path, save({k: v.contiguous() for k, v in model.state_dict().items()}, {"pygpt": note}))


def load_state(model: CharacterModel, tensors: dict[str, Tensor], path: Path) -> None:
    """Fill `model`, checked key by key.

    Raises:
        PygptError: missing or unexpected keys, or shapes that differ; all are listed.
    """
    check_state(model, tensors, path)
    model.load_state_dict(tensors)


def check_state(model: CharacterModel, tensors: dict[str, Tensor], path: Path) -> None:
    """Raise PygptError where `load_state` would; `model` may be on the meta device, which holds no numbers."""
    expected = model.state_dict()
    faults = [say("missing {name}", name=name) for name in expected if name not in tensors]
    faults += [say("unexpected {name}", name=name) for name in tensors if name not in expected]
    there = {name: value for name, value in expected.items() if name in tensors}
    exchanged = [name for name, value in there.items() if _is_transposed(tensors[name], value)]
    if exchanged:
        names = ", ".join(exchanged)
        faults.append(
            say("transposed are {names}: write them as they are, without t() (R) or .T (Python)", names=names)
        )
    faults += [
        say(
            "{name} has shape {shape} and type {dtype}, not {wanted_shape} and {wanted_dtype}",
            name=name,
            shape=tuple(tensors[name].shape),
            dtype=tensors[name].dtype,
            wanted_shape=tuple(value.shape),
            wanted_dtype=value.dtype,
        )
        for name, value in there.items()
        if name not in exchanged and (tensors[name].shape != value.shape or tensors[name].dtype != value.dtype)
    ]
    if faults:
        raise PygptError(
            "{path} does not fit this {model} model: {faults}",
            path=path, model=model.settings.model, faults=Listed(faults),
        )  # fmt: skip


def weights_sha256(tensors: dict[str, Tensor]) -> str:
    """SHA-256 over each tensor's name (UTF-8) and float32 bytes, by sorted name, as the recordings' README has it."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode("utf-8"))
        digest.update(tensors[name].detach().to("cpu", torch.float32).contiguous().numpy().tobytes())
    return digest.hexdigest()


def _is_transposed(tensor: Tensor, wanted: Tensor) -> bool:
    return tensor.dim() == 2 and tensor.shape != wanted.shape and tensor.shape == wanted.mT.shape


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors and metadata of a safetensors file.

    Raises:
        PygptError: the file cannot be read, is truncated or corrupt, or is not safetensors.
    """
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except FileNotFoundError as error:
        raise PygptError("there is no file {path}", path=path) from error
    except (OSError, safetensors.SafetensorError, ValueError, RuntimeError) as error:
        raise PygptError("{path} is not a whole safetensors file ({why})", path=path, why=error) from error
