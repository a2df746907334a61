"""The file that runs inside: it needs nothing of pygpt."""

import os
import subprocess
import sys
from pathlib import Path


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
    files = [str(folder / f"{name}.py") for name in ("child", "any_module", "parameters", "seccomp", "wire")]
    files += map(str, (folder / "reading").glob("*.py"))
    assert all(map(os.path.exists, files))
    assert subprocess.run([sys.executable, "-c", code, *files], check=False).returncode == 0
