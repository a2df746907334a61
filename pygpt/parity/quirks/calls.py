"""Calls in source code: PyTorch's in a Python file, read from its syntax, and R torch's in R code. Nothing is run."""

import ast
import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pygpt.errors import PygptError

UNKNOWN = object()
"""The value of an argument that is computed."""


@dataclass(frozen=True)
class Use:
    """A layer, function or operator that occurs."""

    name: str
    where: str
    """`line 12`, or a layer's name."""
    arguments: Mapping[str, Any] | None = field(default_factory=dict)
    """Those that are known to be given; None where nothing is known of them."""


def python_calls(path: Path) -> list[Use]:
    """What a Python file calls, by the last part of each name, and where it slices.

    Raises:
        PygptError: it cannot be read, or is not Python.
    """
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise PygptError("cannot read {path}: {why}", path=path, why=error.strerror) from error
    except (SyntaxError, ValueError, RecursionError) as error:
        raise PygptError("{path} is not a Python file: {why}", path=path, why=error) from error
    uses = [use for node in ast.walk(tree) for use in _uses(node)]
    return sorted(uses, key=lambda use: int(use.where.split()[1]))


def _uses(node: ast.AST) -> Iterator[Use]:
    where = f"line {getattr(node, 'lineno', 0)}"
    if isinstance(node, ast.Call):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name:
            yield Use(name, where, _given(name, node))
    elif isinstance(node, ast.Subscript) and any(isinstance(part, ast.Slice) for part in ast.walk(node.slice)):
        yield Use("[:]", where)


def _given(name: str, call: ast.Call) -> dict[str, Any] | None:
    if any(isinstance(a, ast.Starred) for a in call.args) or any(k.arg is None for k in call.keywords):
        return None
    given = {parameter: _value(a) for parameter, a in zip(positions(name), call.args, strict=False)}
    return given | {k.arg: _value(k.value) for k in call.keywords if k.arg}


def _value(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except ValueError:
        return UNKNOWN


def signature(name: str) -> inspect.Signature | None:
    """Of PyTorch's layer, function, optimizer or scheduler of this name; None where it is none or tells none."""
    import torch
    from torch import nn, optim

    for room in (nn, nn.functional, optim, optim.lr_scheduler, torch):
        if hasattr(room, name):
            try:
                return inspect.signature(getattr(room, name))
            except (TypeError, ValueError):
                return None
    return None


def positions(name: str) -> list[str]:
    """The arguments of PyTorch's `name` that can be given by their place, in order."""
    known = signature(name)
    if known is None:
        return []
    return [p.name for p in known.parameters.values() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]


def r_calls(text: str, names: Mapping[str, str]) -> list[Use]:
    """What R code uses of `names`: R's names, each with PyTorch's for the same (its arguments have R's places)."""
    code = _without_comments(text)
    uses = []
    for name, python_name in names.items():
        before = r"(?<![\w.])" if name[0].isalpha() else ""
        after = r"(?![\w.])" if name[-1].isalnum() else ""
        for match in re.finditer(before + re.escape(name) + after, code):
            arguments = _r_arguments(code[match.end() :], positions(python_name))
            uses.append(Use(name, f"line {code.count(chr(10), 0, match.start()) + 1}", arguments))
    return sorted(uses, key=lambda use: int(use.where.split()[1]))


def _without_comments(text: str) -> str:
    """R code without its comments and without what stands in its strings; lines stay."""
    pattern = r"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|#[^\n]*"
    return re.sub(pattern, lambda m: "" if m[0][0] == "#" else '"' + "\n" * m[0].count("\n") + '"', text)


def _r_arguments(rest: str, places: Sequence[str]) -> dict[str, Any] | None:
    """The arguments of a call whose parenthesis `rest` begins with; none where it is not called here."""
    if not rest.lstrip().startswith("("):
        return {}
    given: dict[str, Any] = {}
    unnamed = iter(places)
    for argument in _parts(rest.lstrip()[1:]):
        name, sign, value = argument.partition("=")
        if sign and re.fullmatch(r"[\w.]+", name.strip()) and not value.startswith("="):
            given[name.strip()] = _r_value(value.strip())
        elif argument.strip() == "...":
            return None
        else:
            given[next(unnamed, "")] = _r_value(argument.strip())
    return given


def _parts(text: str) -> list[str]:
    """Up to the closing parenthesis, parted at the commas that are in no other parentheses."""
    depth, parts = 0, [""]
    for sign in text:
        if sign in ")]}" and depth == 0:
            break
        depth += (sign in "([{") - (sign in ")]}")
        if sign == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += sign
    return [part for part in parts if part.strip()]


def _r_value(text: str) -> Any:
    words = {"NULL": None, "TRUE": True, "FALSE": False, "T": True, "F": False}
    if text in words:
        return words[text]
    return float(text.rstrip("L")) if re.fullmatch(r"-?\d+(\.\d*)?(e-?\d+)?L?", text) else UNKNOWN
