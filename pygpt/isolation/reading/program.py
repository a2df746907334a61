"""Running what a submission's parts need, a statement at a time; what fails or is not needed is left out and noted."""

import __future__

import ast
import builtins
import contextlib
import importlib.machinery
import importlib.util
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from .cells import Cell, Note, defined, read
from .needed import Definition, Statement, blocks, executed, flat, judge

_ANNOTATIONS = __future__.annotations.compiler_flag
_MOST = 200
_STDLIB = sys.stdlib_module_names
_WORKS = (ast.Call, ast.For, ast.AsyncFor, ast.While, ast.Await)
_IMPORTS = (ast.Import, ast.ImportFrom)
Describe = Callable[[BaseException], str]


def load(
    path: Path, root: Path, parts: tuple[str, ...], seconds: float, describe: Describe
) -> tuple[ModuleType, list[Note]]:
    """Run a submission: a script, a notebook, or a package (a folder with `__init__.py`).

    Args:
        root: the folder that holds all that was handed in. Parts that `path` lacks are taken from other files there.
        parts: names that will be asked for.
        seconds: for all; statements that are no definitions get a share of them.
        describe: an exception in words.

    Raises:
        ValueError: a notebook that is none.
    """
    program = _Program(path, root, parts, seconds, describe)
    module = program.entry()
    for other in sorted(root.rglob("*")):
        lacking = [name for name in parts if not hasattr(module, name)]
        if not lacking or other.suffix not in (".py", ".ipynb") or other.with_suffix("") == path.with_suffix(""):
            continue
        if other.is_file() and defined(other.read_bytes(), lacking):
            given = program.module(other.stem, other, parts).__dict__
            taken = [name for name in lacking if name in given]
            module.__dict__.update({name: given[name] for name in taken})
            program.notes += [Note("taken", other.name, 0, 0, 0, ", ".join(taken))] if taken else []
    return module, program.notes[:_MOST]


class _Program:
    def __init__(self, path: Path, root: Path, parts: tuple[str, ...], seconds: float, describe: Describe) -> None:
        self.path, self.root, self.parts, self.describe = path, root, parts, describe
        self.notes: list[Note] = []
        self.block = False  # of statements that were not run: nothing was run since the last one
        self.longest, self.left = seconds / 6, seconds / 2
        self.folders = [folder for folder in (path, *path.parents) if folder.is_dir() and folder.is_relative_to(root)]
        self.modules: dict[Path, ModuleType] = {}
        # As Jupyter has them. A submission's own files come first where it imports, and last for all others.
        own = {"__import__": self._import, "get_ipython": lambda: None, "display": lambda *_, **__: None}
        self.builtins = {**vars(builtins), **own}
        sys.path += map(str, self.folders)
        sys.path_hooks.insert(0, self._finder)
        sys.argv = [str(path)]

    def entry(self) -> ModuleType:
        """What was handed in."""
        if not self.path.is_dir():
            return self.module("__main__", self.path, self.parts)
        loader = _Loader(self.path.name, str(self.path / "__init__.py"), self, self.parts)
        spec = importlib.util.spec_from_loader(self.path.name, loader, is_package=True)
        assert spec is not None
        module = sys.modules[self.path.name] = importlib.util.module_from_spec(spec)
        loader.exec_module(module)
        return module

    def module(self, name: str, path: Path, parts: tuple[str, ...] | None) -> ModuleType:
        """A file as a module; each is run once."""
        if path not in self.modules:
            module = self.modules[path] = ModuleType(name)
            if name == "__main__":
                sys.modules[name] = module
                spec = importlib.machinery.PathFinder.find_spec(path.stem)
                if spec is not None and spec.origin == str(path):  # and no library has the name
                    sys.modules[path.stem] = module
            module.__file__ = str(path)
            module.__package__ = ".".join(path.parent.relative_to(self.root).parts)
            self.run(path, module.__dict__, parts)
        return self.modules[path]

    def run(self, path: Path, namespace: dict[str, Any], parts: tuple[str, ...] | None) -> None:
        """Run what is needed of a file; `parts` as `judge` has it."""
        namespace["__builtins__"] = self.builtins
        cells, notes = read(path)
        self.notes += notes
        statements = judge([node for cell in cells for node in cell.body], parts)
        used = {name for s in flat(statements) if s.needed for name in s.uses}
        flags, rest, failed = 0, iter(statements), list[tuple[Cell, Statement, Note]]()
        for cell in cells:
            self.block = False
            for s in [next(rest) for _ in cell.body]:
                if isinstance(s.node, ast.ImportFrom) and s.node.module == "__future__":
                    flags |= getattr(__future__, s.node.names[0].name).compiler_flag
                for unused in _not_kept(s):
                    self._note_unused(cell, unused)
                note = self._execute(cell, s, namespace, flags, used) if s.kept else None
                failed += [(cell, s, note)] if note is not None else []
        for cell, s, note in failed:  # once more, for cells that were run in another order than they stand in
            late = cell.number and s.needed and note.why.startswith("NameError")
            again = self._execute(cell, s, namespace, flags, used) if late else note
            self.notes += [again] if again is not None else []
        self.block = False

    def _execute(self, cell: Cell, s: Statement, namespace: dict[str, Any], flags: int, used: set[str]) -> Note | None:
        """Run a statement; what is to be said of it if it fails."""
        node, self.block = _pruned(s), False
        name, first, last = cell.name, node.lineno, node.end_lineno or node.lineno
        try:
            if isinstance(node, Definition):
                try:
                    exec(compile(ast.Module([node], []), name, "exec", flags, True), namespace)
                except (NameError, AttributeError, TypeError):  # of an annotation alone, it may be
                    if flags & _ANNOTATIONS:
                        raise
                    exec(compile(ast.Module([node], []), name, "exec", flags | _ANNOTATIONS, True), namespace)
            else:
                code = compile(ast.Module([node], []), name, "exec", flags, True)
                with contextlib.nullcontext() if isinstance(node, _IMPORTS) else self._limited():
                    exec(code, namespace)
        except BaseException as error:
            if _commands(node):
                kind = "command"
            elif isinstance(node, _IMPORTS) or isinstance(error, ImportError):
                star = isinstance(node, ast.ImportFrom) and node.names[0].name == "*"
                kind = "missing" if star or any(one.changes & used for one in flat([s])) else "import"
            else:
                kind = "failed" if s.needed or isinstance(node, Definition) else "unused"
            tells = kind in ("missing", "failed") or (kind == "import" and not isinstance(error, ModuleNotFoundError))
            why = self.describe(error) if tells else ""
            return cell.note(kind, first, last, why)
        return None

    @contextlib.contextmanager
    def _limited(self) -> Iterator[None]:
        """Raise TimeoutError in what takes too long; the less is long, the more others have taken."""
        seconds, began = min(self.longest, max(self.left, 1.0)), time.monotonic()

        def stop(*_: object) -> None:
            raise TimeoutError(f"not done after {seconds:.3g} s")

        before = signal.signal(signal.SIGALRM, stop)
        try:
            signal.setitimer(signal.ITIMER_REAL, seconds)
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
            self.left -= time.monotonic() - began

    def _note_unused(self, cell: Cell, node: ast.stmt) -> None:
        """What works, and was not run; neighbours in one note."""
        kind = "command" if _commands(node) else "unused"
        if not any(isinstance(part, _WORKS) for part in executed(node)):
            return
        first, last = node.lineno, node.end_lineno or node.lineno
        if kind == "unused" and self.block:
            first = self.notes.pop().first
        self.notes.append(cell.note(kind, first, last))
        self.block = kind == "unused"

    def _import(self, name: str, given: Any = None, local: Any = None, names: Any = (), level: int = 0) -> Any:
        # Who has a file by the name of one of Python's modules means it, if it holds what is asked for.
        for file in (folder / f"{name}.py" for folder in self.folders if level == 0 and name in _STDLIB):
            module = self.module(name, file, None) if file.is_file() else None
            public = {n for n in vars(module) if n[0] != "_"} if module else set()
            if public and {*(names or ())} - {"*"} <= public:
                return module
        return builtins.__import__(name, given, local, names, level)

    def _finder(self, folder: str) -> Any:
        if not Path(folder).is_relative_to(self.root):
            raise ImportError(folder)
        loader = lambda name, path: _Loader(name, path, self, None)  # noqa: E731
        return importlib.machinery.FileFinder(folder, (loader, [".py"]))  # type: ignore[arg-type]


class _Loader(importlib.machinery.SourceFileLoader):
    """Of a submission's other files: they are read as the first is, and all that they define is needed."""

    def __init__(self, name: str, path: str, program: _Program, parts: tuple[str, ...] | None) -> None:
        super().__init__(name, path)
        self.program, self.parts = program, parts

    def exec_module(self, module: ModuleType) -> None:
        self.program.modules[Path(self.path)] = module
        self.program.run(Path(self.path), module.__dict__, self.parts)


def _commands(node: ast.stmt) -> bool:
    """Whether IPython's transformer made it of a magic or of a command of the shell."""
    return not blocks(node) and any(isinstance(n, ast.Name) and n.id == "get_ipython" for n in executed(node))


def _not_kept(s: Statement) -> Iterator[ast.stmt]:
    """The outermost statements that are not run; what stands below `__name__ == "__main__"` is meant not to be."""
    if isinstance(s.node, ast.If) and "__name__" in s.uses:
        return
    if not s.kept:
        yield s.node
    for block in s.below if s.kept else ():
        for one in block:
            yield from _not_kept(one)


def _pruned(s: Statement) -> ast.stmt:
    """The statement without what is not kept below it."""
    for block, below in zip(blocks(s.node), s.below, strict=True):
        if block:
            block[:] = [_pruned(one) for one in below if one.kept] or [ast.copy_location(ast.Pass(), s.node)]
    return s.node
