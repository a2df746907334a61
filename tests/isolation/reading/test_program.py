"""Programs as they are run: what is there afterwards, and what is said of the rest."""

import json
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pygpt.isolation import reading
from tests.isolation.reading.test_cells import notebook

# In a process of its own, since a program changes the one that runs it; of pygpt only these files.
RUN = """
import importlib.util, json, sys, time
from pathlib import Path
folder, entry, root = map(Path, sys.argv[1:])
within = {"submodule_search_locations": [str(folder)]}
spec = importlib.util.spec_from_file_location("reading", folder / "__init__.py", **within)
sys.modules["reading"] = reading = importlib.util.module_from_spec(spec)
spec.loader.exec_module(reading)
parts = ("GPT", "GPT_NoAttn", "Encoder", "weight_map")
began = time.monotonic()
module, notes = reading.load(entry, root, parts, 3.0, repr)
def value(part):
    try: return part() if callable(part) else part
    except NameError as error: return str(error)
told = {name: value(getattr(module, name)) for name in parts if hasattr(module, name)}
print(json.dumps([told, [list(note) for note in notes], time.monotonic() - began]), file=sys.__stdout__)
"""
Loaded = tuple[dict[str, Any], list[tuple[str, int, int, int, str, str]], float]
Load = Callable[..., Loaded]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Run files, the first of them as the submission; what its parts give, the notes, and the seconds."""

    def run(**files: str) -> Loaded:
        paths = []
        for name, text in files.items():
            path = tmp_path / name.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            if "/" in name or not name.startswith("book"):
                path = path.with_suffix(".py")
                path.write_text(textwrap.dedent(text))
            else:
                path = notebook(path.with_suffix(".ipynb"), *textwrap.dedent(text).lstrip("\n").split("---\n"))
            paths.append(path)
        command = [sys.executable, "-c", RUN, str(Path(reading.__file__).parent), str(paths[0]), str(tmp_path)]
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
        assert done.returncode == 0, done.stderr
        told, notes, seconds = json.loads(done.stdout)
        return (
            told,
            [(kind, cell, first, last, quote, why) for kind, _, cell, first, last, quote, why in notes],
            seconds,
        )

    return run


def test_a_script_with_all_that_works_at_import(load: Load) -> None:
    told, notes, _ = load(
        port="""
        from __future__ import annotations
        import argparse, nothing_of_this_name, math
        from nothing.of.this import name
        p = argparse.ArgumentParser()
        p.add_argument("--n", default=3)
        args = p.parse_args()
        get_ipython().run_line_magic("matplotlib", "inline")
        device = "cuda" if math.inf < 0 else "cpu"
        def GPT(x: Unknown = 1): return [device, args.n]
        text = open("Shakespeare.txt").read()
        prompt = input("Prompt: ")
        for i in range(10**9):
            print(i)
        if __name__ == "__main__":
            Encoder = lambda: "below the guard"
            print("not told")
        """
    )
    assert told == {"GPT": ["cpu", 3], "Encoder": "below the guard"}
    assert notes == [
        ("command", 0, 8, 8, 'get_ipython().run_line_magic("matplotlib", "inline")', ""),
        ("unused", 0, 11, 14, 'text = open("Shakespeare.txt").read()', ""),
        ("import", 0, 3, 3, "import argparse, nothing_of_this_name, math", ""),
        ("import", 0, 4, 4, "from nothing.of.this import name", ""),
    ]


def test_a_notebook_with_all_that_notebooks_have(load: Load) -> None:
    told, notes, _ = load(
        book="""
        !pip install a \\
            b
        import nothing_of_this_name as plt
        IN_COLAB = "google.colab" in str(get_ipython())
        ---
        %%bash
        ls
        ---
        %%time
        if IN_COLAB:
            place = "drive"
        else:
            place = "here"
        display(place)
        ---
        class GPT(Base):
            def __call__(self): return place
        GPT = GPT()
        ---
        class Base: pass
        ---
        def Encoder(): return place.upper()
        plt.plot([1, 2])
        ---
        GPT?
        for epoch in range(3)
        ---
        raise RuntimeError("must not run")
        """
    )
    assert told == {"GPT": "here", "Encoder": "HERE"}
    assert [note[:3] for note in notes] == [
        ("foreign", 2, 1), ("syntax", 7, 2), ("command", 1, 1), ("unused", 3, 6), ("unused", 8, 1),
        ("import", 1, 3), ("unused", 6, 2),
    ]  # fmt: skip


def test_what_is_needed_and_fails_is_told_with_its_reason(load: Load) -> None:
    told, notes, _ = load(
        port="""
        from nothing_of_this_name import rearrange
        from nothing_of_this_name import *
        text = open("/nowhere/text").read()
        def GPT(): return rearrange
        def Encoder(text=text): pass
        weight_map = {"a": "b"}
        """
    )
    assert told == {"GPT": "name 'rearrange' is not defined", "weight_map": {"a": "b"}}
    missing = "ModuleNotFoundError(\"No module named 'nothing_of_this_name'\")"
    assert notes == [
        ("missing", 0, 2, 2, "from nothing_of_this_name import rearrange", missing),
        ("missing", 0, 3, 3, "from nothing_of_this_name import *", missing),
        ("failed", 0, 4, 4, 'text = open("/nowhere/text").read()', "FileNotFoundError(2, 'No such file or directory')"),
        ("failed", 0, 6, 6, "def Encoder(text=text): pass", "NameError(\"name 'text' is not defined\")"),
    ]


def test_what_is_needed_has_a_limit_of_time(load: Load) -> None:
    told, notes, seconds = load(
        port="""
        import time
        device = "cpu"
        time.sleep(device or 9)
        def wait(device): time.sleep(60)
        wait(device)
        for i in range(10**12): device = device
        def GPT(): return device
        """
    )
    assert told == {"GPT": "cpu"}
    slow = "TimeoutError('not done after 0.5 s')"
    assert [(note[0], note[2], note[5]) for note in notes] == [
        ("unused", 4, ""),
        ("failed", 6, slow),
        ("failed", 7, slow),
    ]
    assert seconds < 10


def test_exits_and_signals_of_what_is_needed_end_nothing(load: Load) -> None:
    told, _, _ = load(
        port="""
        import sys
        sys.exit(3)
        def GPT(): return "there"
        class Other: raise KeyboardInterrupt
        """
    )
    assert told == {"GPT": "there"}


def test_other_files_are_read_alike_and_lend_what_is_lacking(load: Load) -> None:
    told, notes, _ = load(
        gpt="""
        from sizes import *
        import token, random
        def GPT(): return [SIZE, token.layer, random.random() < 1]
        """,
        sizes="SIZE = 3\nopen('/nowhere/x')\nwhile True: step().backward()\n",
        token="layer = 'own'\n",
        random="raise SystemExit('no port needs this')\n",
        treino="from gpt import *\nimport gpt\nEncoder = lambda: gpt.GPT()[0]\nwhile True: print(GPT())\n",
        parts__deep="from . import more\nGPT_NoAttn = lambda: more.x\n",
        parts__more="x = 'relative'\n",
    )
    assert told == {"GPT": [3, "own", True], "GPT_NoAttn": "relative", "Encoder": 3}
    assert [(note[0], note[4]) for note in notes] == [
        ("unused", "open('/nowhere/x')"),
        ("unused", "raise SystemExit('no port needs this')"),
        ("taken", "GPT_NoAttn"),
        ("unused", "while True: print(GPT())"),
        ("taken", "Encoder"),
    ]


def test_a_notebooks_source_can_be_inspected(load: Load) -> None:
    """As torch.jit.script does."""
    told, _, _ = load(book="import inspect\n---\n\ndef f():\n    return 1\n---\nGPT = lambda: inspect.getsource(f)\n")
    assert told == {"GPT": "def f():\n    return 1\n"}
