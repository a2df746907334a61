"""Files of others, called by their names: what wrote them, and the line that turns them into something to read."""

import zipfile
from pathlib import Path
from typing import NoReturn

from pygpt.errors import PygptError
from pygpt.weights import read_tensors

_ZIP = b"PK\3\4"
_PICKLES = tuple(b"\x80" + bytes([protocol]) for protocol in range(2, 6))


def is_of_others(path: Path) -> bool:
    """Whether a file begins as those that are refused by their names do."""
    try:
        with path.open("rb") as file:
            return file.read(4).startswith((*_PICKLES, _ZIP))
    except OSError:
        return False


def refuse_others(path: Path, start: bytes) -> NoReturn:
    """Say what a file is that is neither safetensors nor R's.

    Args:
        start: its first bytes.

    Raises:
        PygptError: always.
    """
    names = _names(path) if start.startswith(_ZIP) else []
    if any(name.endswith("constants.pkl") for name in names):
        raise PygptError(
            "{path} is a TorchScript program, which would run here. Write its weights with Python:\n{line}",
            path=path, line=_line(path, "torch.jit.load({path}).state_dict()"),
        )  # fmt: skip
    if start.startswith(_PICKLES) or any(name.endswith("data.pkl") for name in names):
        raise PygptError(
            "{path} was written by Python's torch.save: a pickle, which can run a program when it is read, so it is "
            "not read. Write it as safetensors, in Python:\n{line}\n(of a checkpoint that holds more than the weights, "
            'take its part: ["model"] before .items)',
            path=path, line=_line(path, 'torch.load({path}, map_location="cpu", weights_only=True)'),
        )  # fmt: skip
    if not start:
        raise PygptError("{path} is empty", path=path)
    if path.suffix == ".safetensors":
        read_tensors(path)  # which says what is wrong with it
    raise PygptError(
        "{path} is none of the files that are read here: safetensors (R's torch_save and safe_save_file write it), "
        "luz_save, saveRDS, save. What R can read, it can write so:\n  saveRDS(x, {new})",
        path=path, new=f'"{path.stem}.rds"',
    )  # fmt: skip


def _names(path: Path) -> list[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError):
        return []


def _line(path: Path, read: str) -> str:
    """One line of Python, to be pasted."""
    held, new = read.replace("{path}", repr(str(path))), repr(f"{path.stem}.safetensors")
    save = f"save_file({{k: v.contiguous().clone() for k, v in {held}.items()}}, {new})"
    return f"  import torch; from safetensors.torch import save_file; {save}"
