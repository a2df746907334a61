"""A file as cells of Python: a notebook's code cells, or a script as one. Python that parses is never changed."""

import ast
import importlib.util
import json
import linecache
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

# Of IPython's cell magics, those whose cell is run where the others are; what the rest hold is not the notebook's.
_PYTHON = re.compile(r"%%(time|timeit|capture|prun|memit|(writefile|file)\s.*\.py)\b")
_MAGIC = re.compile(r"(?:[ \t]*(?:#.*)?\n)*[ \t]*(%%\w.*)")
# What stands between the cells of an export: jupytext and VS Code, nbconvert, Databricks.
_MARK = re.compile(r"^# (?:%%|In\[|COMMAND -)", re.MULTILINE)
_EMPTY = re.compile(r"(?:[ \t\f]*\n)*")
_NO_PYTHON = (SyntaxError, ValueError, RuntimeError, MemoryError)
"""What parsing raises."""


class Note(NamedTuple):
    """Something that was left out, for the report."""

    kind: str
    """`left_out.py` has a sentence for each."""
    file: str
    cell: int
    """From 1; 0 in a script."""
    first: int
    last: int
    """Lines."""
    quote: str
    why: str = ""


@dataclass(frozen=True)
class Cell:
    """The statements of a cell. Lines are counted in the cell; in a script, in the file."""

    file: Path
    number: int
    lines: list[str]
    body: list[ast.stmt]

    @property
    def name(self) -> str:
        """As tracebacks call it."""
        return f"{self.file}:cell {self.number}" if self.number else str(self.file)

    def note(self, kind: str, first: int, last: int = 0, why: str = "") -> Note:
        """Of lines of this cell, quoting the first."""
        quote = self.lines[first - 1].strip() if 0 < first <= len(self.lines) else ""
        return Note(kind, self.file.name, self.number, first, last or first, quote, why)


def read(path: Path) -> tuple[list[Cell], list[Note]]:
    """The cells of a file that are Python, and notes of the others.

    Raises:
        ValueError: a notebook that is none.
    """
    notebook = path.suffix == ".ipynb"
    cells, notes = [], []
    data = path.read_bytes()
    try:
        texts = _of_notebook(data) if notebook else _of_script(data)
    except (UnicodeDecodeError, SyntaxError) as error:
        line = data.decode("utf-8", "replace").partition("\ufffd")[0].count("\n") + 1
        return [], [Note("encoding", path.name, 0, line, line, "", f"{type(error).__name__}: {error}")]
    for number, text in enumerate(texts, start=1):
        cell = Cell(path, number if notebook else 0, text.split("\n"), [])
        if notebook:  # as Jupyter does: inspect.getsource, and so torch.jit, find it
            linecache.cache[cell.name] = (len(text), None, text.splitlines(keepends=True), cell.name)
        magic = _MAGIC.match(text)
        try:
            if magic and not _PYTHON.match(magic[1]):
                notes.append(cell.note("foreign", text.count("\n", 0, magic.start(1)) + 1))
            else:
                cell.body.extend(_statements(text))
                cells.append(cell)
        except _NO_PYTHON as error:
            line = (isinstance(error, SyntaxError) and error.lineno) or 1
            why = f"{type(error).__name__}: {error.msg if isinstance(error, SyntaxError) else error}"
            notes.append(cell.note("syntax", line, why=why))
    return cells, notes


def _of_notebook(data: bytes) -> list[str]:
    try:
        book = json.loads(data)
        # Format 3 has sheets, and another name for what a cell holds.
        cells = book["cells"] if "cells" in book else [cell for sheet in book["worksheets"] for cell in sheet["cells"]]
        code = [cell for cell in cells if cell.get("cell_type") == "code"]
        texts = ["".join(cell["source"] if "source" in cell else cell["input"]) for cell in code]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ValueError(f"this is no Jupyter notebook: {type(error).__name__}: {error}") from None
    return [re.sub(r"\r\n?", "\n", text) for text in texts]


def _of_script(data: bytes) -> list[str]:
    """Its text; where that does not parse and marks its cells, each of them, after as many lines as in the file."""
    text = importlib.util.decode_source(data)
    starts = [mark.start() for mark in _MARK.finditer(text)]
    if starts:
        try:
            _statements(text)
        except _NO_PYTHON:
            parts = zip([0, *starts], [*starts, len(text)], strict=True)
            return ["\n" * text.count("\n", 0, a) + text[a:b] for a, b in parts]
    return [text]


def _statements(text: str) -> list[ast.stmt]:
    """As they are; where that is no Python, with IPython's commands as the calls that IPython makes of them.

    Raises:
        SyntaxError and others (_NO_PYTHON): it is no Python with or without these commands.
    """
    try:
        body = ast.parse(text).body
    except SyntaxError:
        body = ast.parse(_without_commands(text)).body
    return [part for statement in body for part in _parts(statement)]


def _without_commands(text: str) -> str:
    from IPython.core.inputtransformer2 import TransformerManager

    class KeepsLines(TransformerManager):
        """A command over several lines becomes one: empty lines stand in for the rest, so that numbers stay."""

        def do_one_token_transform(self, lines: list[str]) -> tuple[bool, list[str]]:
            changed, new = super().do_one_token_transform(lines)  # type: ignore[no-untyped-call]
            at = next((i for i, (a, b) in enumerate(zip(lines, new, strict=False)) if a != b), len(new) - 1) + 1
            return changed, [*new[:at], *["\n"] * (len(lines) - len(new)), *new[at:]]

    magic = _MAGIC.match(text)
    if magic:  # one whose cell is Python
        text = text[: magic.start(1)] + text[magic.end() :]
    begins = _EMPTY.match(text).end()  # type: ignore[union-attr]
    return "\n" * text.count("\n", 0, begins) + KeepsLines().transform_cell(text[begins:])  # type: ignore[no-untyped-call]


def _parts(statement: ast.stmt) -> list[ast.stmt]:
    """An import of several names as several imports, and what `%time` times; else the statement itself."""
    match statement:
        case ast.Import(names):
            parts: list[ast.stmt] = [ast.Import([name]) for name in names]
        case ast.ImportFrom(module, names, level):
            parts = [ast.ImportFrom(module, [name], level) for name in names]
        case ast.Expr(ast.Call(ast.Attribute(_, "run_line_magic"), [ast.Constant("time"), ast.Constant(str(timed))])):
            parts = ast.parse(timed).body
        case _:
            return [statement]
    for node in (node for part in parts for node in ast.walk(part)):
        ast.copy_location(node, statement)
    return parts


def defined(data: bytes, names: Iterable[str]) -> set[str]:
    """Which of the names a file with this content seems to define, at the start of a line; nothing is parsed."""
    some = "|".join(names).encode()
    defining = _lines(rb"(?:(?:class|def)\s+(%b)\b|(%b)\s*=(?!=))" % (some, some), data)
    return {(match[1] or match[2]).decode() for match in defining}


def imported(data: bytes) -> set[str]:
    """Names of the modules that a file with this content seems to import."""
    return {match[1].decode() for match in _lines(rb"(?:from|import)\s+(\w+)", data)}


def _lines(pattern: bytes, data: bytes) -> Iterator[re.Match[bytes]]:
    """Matches at the start of a line, in a script or in the text of a notebook."""
    data = data.replace(b"\\n", b"\n")  # a cell may be one text
    return re.finditer(rb'(?:^|"(?:source|input)":)[\s",\[]*' + pattern, data, re.MULTILINE)
