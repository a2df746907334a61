"""Where R torch's quirks may matter: the layers and functions of a port, of R code, or of a recording."""

import json
import re
import runpy
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pygpt.errors import PygptError
from pygpt.files import shipped
from pygpt.output.spelling import did_you_mean
from pygpt.parity.quirks.calls import UNKNOWN, Use, python_calls, r_calls, signature
from pygpt.parity.quirks.table import Quirk, table
from pygpt.weights import read_tensors


@dataclass(frozen=True)
class Match:
    """A quirk, and where it occurs."""

    quirk: Quirk
    uses: tuple[Use, ...]


def matches(spec: str) -> tuple[str, list[Match]]:
    """The quirks that concern what `spec` names, and in words what was looked at.

    Args:
        spec: `port.py` (read, not run), `port.py:build` (the function is called, too), `model.R` (read, not run), or a
            recording of R.

    Raises:
        PygptError: there is no such file, or it is none of these; the port cannot be built.
    """
    path, colon, function = spec.rpartition(":")
    if colon and path.lower().endswith(".py"):
        file = _existing(Path(path))
        uses = _built(file, function) + python_calls(file)
        return f"{file}, built by {function}()", _matching(uses, in_r=False)
    file = _existing(Path(spec))
    if file.suffix.lower() == ".py":
        return f"{file}, read but not run", _matching(python_calls(file), in_r=False)
    if file.suffix.lower() == ".r":
        return f"{file}, read but not run", _matching(_in_r_code(file), in_r=True)
    said, uses = _recorded(file)
    return f"{file}, {said}", _matching(uses, in_r=True)


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise PygptError("there is no file {path}: give a port (.py), R code (.R) or a recording of R", path=path)
    return path


def _matching(uses: list[Use], in_r: bool) -> list[Match]:
    concerned = []
    for quirk in table().quirks:
        names = quirk.r if in_r else quirk.py
        here = tuple(use for use in uses if use.name in names and _concerns(quirk, use))
        if here:
            concerned.append(Match(quirk, here))
    return concerned


def _concerns(quirk: Quirk, use: Use) -> bool:
    """Whether the arguments are such that the quirk matters; where they are not known, it may."""
    return use.arguments is None or all(_holds(quirk, name, wanted, use.arguments) for name, wanted in quirk.when)


def _holds(quirk: Quirk, name: str, wanted: str, arguments: Mapping[str, Any]) -> bool:
    if name not in arguments:
        return False
    value = arguments[name]
    if wanted == "negative":
        return isinstance(value, int | float) and value < 0
    if value is UNKNOWN:
        return True
    if wanted == "given":
        known = signature(quirk.py[0])
        default = known.parameters[name].default if known and name in known.parameters else None
        return value is not None and value != default
    return value is {"none": None, "true": True, "false": False}[wanted]


def _built(file: Path, function: str) -> list[Use]:
    """The layers of the module that a port's function builds. The port's code is run."""
    from torch import nn

    try:
        names = runpy.run_path(str(file), run_name="pygpt_port")
        build = names.get(function)
        if not callable(build):
            functions = [name for name, value in names.items() if callable(value)]
            meant = did_you_mean(function, functions)
            raise PygptError("{file} has no function {function}.{meant}", file=file, function=function, meant=meant)
        module = build()
    except PygptError:
        raise
    except Exception as error:
        why = "".join(traceback.format_exception_only(error)).strip()
        raise PygptError(
            "{file}: {function}() cannot be called without arguments ({why}). "
            "Give {file} alone: it is then read, not run.",
            file=file, function=function, why=why,
        ) from error  # fmt: skip
    if not isinstance(module, nn.Module):
        raise PygptError(
            "{file}: {function}() gives no nn.Module, but {kind}",
            file=file, function=function, kind=type(module).__name__,
        )  # fmt: skip
    return [Use(_kind(layer), name or "the module", _settings(layer)) for name, layer in module.named_modules()]


def _kind(layer: Any) -> str:
    """The name of PyTorch's class that a layer is, or is derived from."""
    return next((c.__name__ for c in type(layer).__mro__ if c.__module__.startswith("torch.nn")), "")


def _settings(layer: Any) -> dict[str, Any]:
    """A layer's plain settings; `bias` as True or False, `kdim` only where it is another than `embed_dim`."""
    plain = {k: v for k, v in vars(layer).items() if v is None or isinstance(v, bool | int | float | str)}
    if plain.get("kdim") == plain.get("embed_dim"):
        plain.pop("kdim", None)
    biases = [p for name, p in layer.named_parameters() if "bias" in name.rpartition(".")[2]]
    return plain | {"bias": bool(biases)}


def _r_names() -> dict[str, str]:
    return {name: quirk.py[0] if quirk.py else "" for quirk in reversed(table().quirks) for name in quirk.r}


def _in_r_code(*files: Path) -> list[Use]:
    try:
        texts = [file.read_text(encoding="utf-8") for file in files]
    except (OSError, ValueError) as error:
        raise PygptError("cannot read {path}: {why}", path=files[0], why=error) from error
    return [use for text in texts for use in r_calls(text, _r_names())]


def _recorded(file: Path) -> tuple[str, list[Use]]:
    """What a recording's metadata say of layers, loss and optimizer."""
    metadata = read_tensors(file)[1]
    kind = metadata.get("recording")
    if kind in ("model", "training"):
        course = sorted(shipped("r_reference/course").glob("*.R"))
        named = [Use(use.name, "the course's code", use.arguments) for use in _in_r_code(*course)]
        return f"a recording of the course's {metadata.get('model', 'model')}", _once(named)
    if kind != "module":
        raise PygptError(
            "{path} does not say which layers it has: "
            "give a recording that record_module.R made, a port (.py) or R code",
            path=file,
        )
    if "layers" in metadata:
        try:
            return "a recording of a module", _of_module(metadata)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise PygptError("the metadata of {path} are spoiled: {why}", path=file, why=error) from error
    said = f"{metadata.get('note', '')} {metadata.get('optimizers', '')}".lower()
    words: dict[str, Any] = dict.fromkeys(re.findall(r"[a-z_]+", said), UNKNOWN)
    uses = [Use(name, "its note", words) for name in _r_names() if _told(name, said.replace(" ", "_"))]
    return "a recording of a module that is told in words", uses


def _of_module(metadata: Mapping[str, str]) -> list[Use]:
    layers = json.loads(metadata["layers"])
    uses = [Use(str(one["class"]), one["name"] or "the module", dict(one.get("settings") or {})) for one in layers]
    loss, optimizer = (str(json.loads(metadata.get(key, '""'))) for key in ("loss", "optimizer"))
    arguments = json.loads(metadata.get("optimizer_arguments", "null"))
    # a loss that is a module may have settings, which the file does not tell; a function has none
    uses.append(Use(loss, "the loss", None if loss.startswith("nn_") else {}))
    uses.append(Use(optimizer, "the optimizer", arguments if isinstance(arguments, dict) else None))
    return uses


def _told(name: str, said: str) -> bool:
    """Whether words name a layer, loss or optimizer: `embedding(12, 5)`, `cross entropy`, `sgd lr .05`."""
    kind, _, word = name.partition("_")
    return kind in ("nn", "optim") and bool(word) and word.removesuffix("_loss") in said


def _once(uses: list[Use]) -> list[Use]:
    """Each use once, where several have the same name and arguments."""
    return [use for i, use in enumerate(uses) if use not in uses[:i]]
