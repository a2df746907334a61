"""Cells of notebooks and scripts: what is Python stays as it is, what is not is left out, lines keep their numbers."""

import ast
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pygpt.isolation.reading.cells import Cell, Note, _statements, defined, read

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
CELL = st.fixed_dictionaries(
    {}, optional={"cell_type": st.just("code") | ANYTHING, "source": st.lists(st.text(max_size=9)) | ANYTHING}
)
NOTEBOOK = st.fixed_dictionaries({"cells": st.lists(CELL | ANYTHING, max_size=3) | ANYTHING})
PYTHON = "n = (5\n% 3\n% 2)\ntext = '''\n%magic\n!ls\n?x\n'''\nback = 7 \\\n% 4\n"
COMMANDS = [
    "%matplotlib inline", "!ls", "!pip install a \\\n  b \\\n  c", "files = !ls *.txt", "out = %sx ls", "nn.Linear?",
    "?nn.Linear", "nn.Linear??", "%timeit 1 + 1", "%cd \\\n  /tmp", "!!ls", "if True:\n    !ls", "",
    "try:\n    import math\nexcept ImportError:\n    %pip install \\\n      math",
]  # fmt: skip


def notebook(path: Path, *cells: str, **more: Any) -> Path:
    code = [{"cell_type": "code", "source": cell.splitlines(keepends=True)} for cell in cells]
    path.write_text(json.dumps({"cells": code, "nbformat": 4, **more}), encoding="utf-8")
    return path


def names(cells: list[Cell]) -> list[str]:
    return [target.id for cell in cells for s in cell.body for target in ast.walk(s) if isinstance(target, ast.Name)]


@given((NOTEBOOK | ANYTHING).map(lambda content: json.dumps(content).encode()) | st.binary(max_size=40))
def test_any_notebook_is_read_or_named_as_none(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "book.ipynb"
        path.write_bytes(content)
        why = "this is no Jupyter notebook"
        try:
            read(path)
        except ValueError as error:
            why = str(error)
        assert why.startswith("this is no Jupyter notebook")


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_any_script_is_read_or_noted(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "port.py"
        path.write_bytes(content)
        cells, notes = read(path)
        assert len(cells) + len(notes) == 1


def test_a_notebook_nested_too_deep_is_named(tmp_path: Path) -> None:
    (tmp_path / "book.ipynb").write_text('{"cells": ' + "[" * 100_000)
    with pytest.raises(ValueError, match="this is no Jupyter notebook"):
        read(tmp_path / "book.ipynb")


def test_python_that_parses_is_never_changed() -> None:
    assert ast.dump(ast.Module(_statements(PYTHON), [])) == ast.dump(ast.parse(PYTHON))


@given(st.lists(st.sampled_from(COMMANDS), min_size=1, max_size=5))
def test_commands_change_no_python_and_no_line(commands: list[str]) -> None:
    """Whatever commands stand before it, a statement is the same, on the line where it was written."""
    text = "\n".join([*commands, PYTHON])
    alone = ast.parse("\n" * text.count("\n", 0, text.index(PYTHON)) + PYTHON)
    own = _statements(text)[-len(alone.body) :]
    assert ast.dump(ast.Module(own, []), include_attributes=True) == ast.dump(alone, include_attributes=True)


@pytest.mark.parametrize(
    ("first", "run"),
    [
        ("%%time", True), ("%%capture out", True), ("# a comment\n\n%%time", True), ("%%writefile gpt.py", True),
        ("%%bash", False), ("%%R -i x", False), ("%%script false", False), ("%%html", False),
        ("#@title a form\n%%sh", False), ("%%writefile notes.txt", False),
    ],
)  # fmt: skip
def test_cell_magics(tmp_path: Path, first: str, run: bool) -> None:
    cells, notes = read(notebook(tmp_path / "book.ipynb", "before = 1", f"{first}\nin_it = 2", "after = 3"))
    assert names(cells) == ["before", *["in_it"] * run, "after"]
    line = first.count("\n") + 1
    quote = first.split("\n")[-1]
    assert notes == ([] if run else [Note("foreign", "book.ipynb", 2, line, line, quote)])
    if run:
        assert cells[1].body[0].lineno == line + 1


def test_a_cell_that_is_no_python_is_named_and_the_others_stay(tmp_path: Path) -> None:
    cells, notes = read(notebook(tmp_path / "book.ipynb", "x = 1", "y = 2\nfor i in range(3)\n", "z = 3", "", "# no"))
    assert names(cells) == ["x", "z"]
    assert notes == [Note("syntax", "book.ipynb", 2, 2, 2, "for i in range(3)", "SyntaxError: expected ':'")]


def test_what_time_times_is_run() -> None:
    (timed,) = _statements("%time x = f(3)")
    assert ast.unparse(timed) == "x = f(3)"


def test_several_imports_fail_one_by_one() -> None:
    assert [ast.unparse(s) for s in _statements("import a, b.c as d\nfrom e import f, g as h")] == [
        "import a", "import b.c as d", "from e import f", "from e import g as h",
    ]  # fmt: skip


def test_format_3_other_cells_and_byte_order_marks(tmp_path: Path) -> None:
    code = {"cell_type": "code", "input": "x = 1\r\ny = 2"}
    book = json.dumps({"worksheets": [{"cells": [{"cell_type": "raw", "source": "("}, code]}], "nbformat": 3})
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        (tmp_path / "book.ipynb").write_bytes(book.encode(encoding))
        cells, notes = read(tmp_path / "book.ipynb")
        assert (names(cells), notes) == (["x", "y"], [])


@pytest.mark.parametrize("mark", ["# %%", "# In[3]:", "# COMMAND ----------"])
def test_a_script_that_marks_its_cells_loses_the_broken_one(tmp_path: Path, mark: str) -> None:
    (tmp_path / "port.py").write_text(f"{mark}\nx = 1\n{mark}\nfor i in (\n{mark}\ny = 2\n!ls\n")
    cells, notes = read(tmp_path / "port.py")
    assert names(cells)[:2] == ["x", "y"]
    assert [s.lineno for cell in cells for s in cell.body] == [2, 6, 7]
    assert [(note.kind, note.first, note.quote) for note in notes] == [("syntax", 4, "for i in (")]


@pytest.mark.parametrize(
    ("content", "kinds"),
    [
        ("# -*- coding: cp1252 -*-\nx = 'é'\n".encode("cp1252"), []),
        ("\ufeffx = 'é'\r\n\ty = 1 if x else\\\r\n\t2".encode(), ["syntax"]),
        ("\ufeffx = 'é'\r\nif x:\r\n\ty = 1\r\n".encode(), []),
        ("x = 1\n\n# é\n".encode("cp1252"), ["encoding"]),
        ("x = 1".encode("utf-16"), ["encoding"]),
        (b"# coding: nothing\nx = 1", ["encoding"]),
        (b"x = 1\0", ["syntax"]),
    ],
)
def test_encodings(tmp_path: Path, content: bytes, kinds: list[str]) -> None:
    (tmp_path / "port.py").write_bytes(content)
    cells, notes = read(tmp_path / "port.py")
    assert [note.kind for note in notes] == kinds
    assert bool(cells) is not bool(kinds)


def test_the_line_of_another_encoding(tmp_path: Path) -> None:
    (tmp_path / "port.py").write_bytes("x = 1\n\n# é\n".encode("cp1252"))
    assert read(tmp_path / "port.py")[1][0].first == 3


def test_what_a_text_defines() -> None:
    text = b"class GPT(nn.Module):\n  pass\n  def loss(a): pass\nEncoder = f\nDecoder == 3\n# def generate():\n"
    wanted = ("GPT", "GPT_NoAttn", "Encoder", "Decoder", "loss", "generate")
    assert defined(text, wanted) == {"GPT", "Encoder", "loss"}
    lines = text.decode().splitlines(keepends=True)
    for indent in (None, 1):
        assert defined(json.dumps({"source": lines}, indent=indent).encode(), wanted) == {"GPT", "Encoder", "loss"}
    assert defined(json.dumps({"source": "import x\n" + text.decode()}).encode(), wanted) == {"GPT", "Encoder", "loss"}
