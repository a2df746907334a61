"""The starting file that students get."""

import ast
from collections.abc import Callable

import pytest
from click.testing import Result

from pygpt.grading.rubric import PARTS
from pygpt.output.messages import LANGUAGES

Cli = Callable[..., Result]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_template_is_python_and_names_every_part(cli: Cli, lang: str) -> None:
    output = cli("grade", "template", "--lang", lang).output
    tree = ast.parse(output)
    assert {node.name for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)} == set(PARTS)
    assert max(map(len, output.splitlines())) <= 120
    without_words = ast.dump(_without_docstrings(tree))
    assert without_words == ast.dump(_without_docstrings(ast.parse(cli("grade", "template").output)))
    assert ("h' = h + MHA(LN(h)), depois h'" in output) is (lang == "pt")


def _without_docstrings(tree: ast.AST) -> ast.AST:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            assert ast.get_docstring(node) or node.name in ("__init__", "forward")  # type: ignore[union-attr]
            node.body = node.body[1 if ast.get_docstring(node) else 0 :]
    return tree
