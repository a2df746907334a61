"""The file that runs inside: it needs nothing of pygpt, and reads any notebook or says why not."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pygpt.grading.rubric import PARTS
from pygpt.isolation import child


def test_the_child_needs_nothing_of_pygpt() -> None:
    code = (
        "import ast, sys\n"
        "for name in sys.argv[1:]:\n"
        "    for node in ast.walk(ast.parse(open(name).read())):\n"
        "        if isinstance(node, (ast.Import, ast.ImportFrom)):\n"
        "            names = [a.name for a in node.names] + [getattr(node, 'module', None) or '']\n"
        "            assert not [n for n in names if n.startswith('pygpt')], (name, names)\n"
    )
    folder = Path(sys.modules["pygpt"].__file__ or "").parent / "isolation"
    files = [str(folder / f"{name}.py") for name in ("child", "parameters", "seccomp", "wire")]
    assert all(map(os.path.exists, files))
    assert subprocess.run([sys.executable, "-c", code, *files], check=False).returncode == 0


def test_it_knows_the_parts_that_a_rubric_can_ask_for() -> None:
    assert child._PARTS == PARTS


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
CELL = st.fixed_dictionaries(
    {}, optional={"cell_type": st.just("code") | ANYTHING, "source": st.lists(st.text(max_size=9)) | ANYTHING}
)
NOTEBOOK = st.fixed_dictionaries({"cells": st.lists(CELL | ANYTHING, max_size=3) | ANYTHING})


@given((NOTEBOOK | ANYTHING).map(lambda content: json.dumps(content).encode()) | st.binary(max_size=40))
def test_any_notebook_is_read_or_named_as_none(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "book.ipynb"
        path.write_bytes(content)
        cells: Any = []
        why = "this is no Jupyter notebook"
        try:
            cells = child._cells(path)
        except ValueError as error:
            why = str(error)
        assert why.startswith("this is no Jupyter notebook")
        assert all(isinstance(cell, str) for cell in cells)


def test_a_notebook_nested_too_deep_is_named(tmp_path: Path) -> None:
    (tmp_path / "book.ipynb").write_text('{"cells": ' + "[" * 100_000)
    with pytest.raises(ValueError, match="this is no Jupyter notebook"):
        child._cells(tmp_path / "book.ipynb")
