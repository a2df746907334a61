"""A port as its writer has it: a Python file with a function that builds the module. It is the user's own code."""

import importlib.util
import inspect
import json
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn

from pygpt.errors import PygptError
from pygpt.output.spelling import did_you_mean

_NAME = "pygpt_checked_port"


@dataclass(frozen=True)
class Port:
    """What a port's file gives."""

    file: Path
    build: Callable[..., Any]
    loss: Callable[..., Any] | None = None
    """`loss(output, target)`, where the file defines one."""
    optimizer: Callable[..., Any] | None = None
    """`optimizer(parameters)`, where the file defines one: it is then judged in place of `--engine`'s."""
    weight_map: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """The file's own `weight_map`, as a submission has it."""

    def built(self, args: Mapping[str, Any], seed: int) -> nn.Module:
        """A new module, after `torch.manual_seed(seed)`; it gets those of `args` that it takes.

        Raises:
            PygptError: it fails, or gives no module.
        """
        takes = inspect.signature(self.build).parameters
        any_name = any(one.kind is one.VAR_KEYWORD for one in takes.values())
        given = {name: value for name, value in args.items() if any_name or name in takes}
        torch.manual_seed(seed)
        try:
            module = self.build(**given)
        except Exception as error:
            raise PygptError(
                "{file} does not build: {function}({given}) stops with {why}",
                file=self.file, function=self.build.__name__,
                given=", ".join(f"{name}={value!r}" for name, value in given.items()), why=told(error, self.file),
            ) from error  # fmt: skip
        if not isinstance(module, nn.Module):
            raise PygptError(
                "{file}: {function}() must return a torch.nn.Module, not {kind}",
                file=self.file, function=self.build.__name__, kind=type(module).__name__,
            )  # fmt: skip
        return module

    def not_taken(self, args: Mapping[str, Any]) -> list[str]:
        """The recording's arguments that `build` does not take."""
        takes = inspect.signature(self.build).parameters
        if any(one.kind is one.VAR_KEYWORD for one in takes.values()):
            return []
        return [name for name in args if name not in takes]


def load_port(spec: str) -> Port:
    """The port that `port.py:build` names; without a colon the function is `build`.

    Raises:
        PygptError: there is no such file or function, or the file stops when it is run.
    """
    path, _, function = spec.rpartition(":") if ":" in spec and not spec.endswith(".py") else (spec, "", "build")
    file = Path(path)
    if not file.is_file():
        raise PygptError("--model {spec}: there is no file {file}", spec=spec, file=file)
    code = _run(file)
    if not callable(getattr(code, function, None)):
        names = [name for name, value in vars(code).items() if callable(value) and not name.startswith("_")]
        raise PygptError(
            "--model {spec}: {file} has no function {function}.{meant}",
            spec=spec, file=file, function=function, meant=did_you_mean(function, names),
        )  # fmt: skip
    hooks = {name: getattr(code, name, None) for name in ("loss", "optimizer")}
    mapped = getattr(code, "weight_map", None) or {}
    return Port(
        file, getattr(code, function),
        weight_map=_as_weight_map(mapped, file),
        **{name: hook for name, hook in hooks.items() if inspect.isfunction(hook)},
    )  # fmt: skip


def read_weight_map(path: Path) -> dict[str, list[str]]:
    """R's parameters with the port's, from a JSON file; `weight_map = {…}`, as reports print it, is read, too.

    Raises:
        PygptError: the file cannot be read, or is no such table.
    """
    try:
        text = path.read_text("utf-8")
        said = json.loads(text.strip().removeprefix("weight_map").lstrip().removeprefix("="))
    except (OSError, ValueError) as error:
        raise PygptError("--weight-map: {path} cannot be read as JSON ({why})", path=path, why=error) from error
    return _as_weight_map(said, path)


def _as_weight_map(said: object, path: Path) -> dict[str, list[str]]:
    lists = {k: [v] if isinstance(v, str) else list(v) for k, v in said.items()} if isinstance(said, dict) else None
    if lists is None or not all(isinstance(one, str) for key, names in lists.items() for one in (key, *names)):
        raise PygptError(
            "{path}: a weight map is a table of R's names and yours; a list of yours makes up one of R's",
            path=path,
        )  # fmt: skip
    return lists


def _run(file: Path) -> ModuleType:
    module_spec = importlib.util.spec_from_file_location(_NAME, file)
    if module_spec is None or module_spec.loader is None:
        raise PygptError("--model: {file} is not a Python file", file=file)
    code = importlib.util.module_from_spec(module_spec)
    folder = str(file.resolve().parent)
    sys.path.insert(0, folder)
    sys.modules[_NAME] = code  # dataclasses look themselves up there
    try:
        module_spec.loader.exec_module(code)
    except (Exception, SystemExit) as error:
        raise PygptError("{file} does not load: {why}", file=file, why=told(error, file)) from error
    finally:
        sys.path.remove(folder)
    return code


def told(error: BaseException, file: Path) -> str:
    """An error's kind and first line, with the last line of the port that it came through."""
    lines = str(error).strip().splitlines()
    where = line_in(file, traceback.extract_tb(error.__traceback__))
    if isinstance(error, SyntaxError) and error.lineno:
        where = f"line {error.lineno}"
    return f"{type(error).__name__}: {lines[0] if lines else ''}" + (f" ({file.name}, {where})" if where else "")


def line_in(file: Path, stack: "list[traceback.FrameSummary] | traceback.StackSummary") -> str:
    """`line 12`, the innermost place of a stack that is in the port's file; empty where none is."""
    own = str(file.resolve())
    lines = [frame.lineno for frame in stack if frame.filename in (own, str(file))]
    return f"line {lines[-1]}" if lines else ""
