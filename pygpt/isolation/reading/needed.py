"""Which statements of a program its parts need, by the names that each changes and uses. Nothing is run to know it.

A statement is needed if it changes a name that is needed: binds it, stores into it, calls its methods, hands it to a
function for the effect, or calls a function that does one of these. The names that it uses are then needed, too.
A training is never needed.
"""

import ast
import symtable
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
_Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
_TRAINS = {"backward", "train_step"}
"""Functions whose callers train."""
_SHOWS = {"print", "display", "len", "type", "help", "repr"}
"""Functions that change nothing of what they are given."""
_ANYTHING = {"exec", "globals"}
"""Functions after which any name may be another."""


@dataclass
class Statement:
    """A statement of a module, or a header (`if`, `with`, `try`) and the statements below it."""

    node: ast.stmt
    changes: set[str]
    uses: set[str]
    trains: bool
    sets: bool
    """Whether it is for its effect on a library: `torch.set_default_dtype(...)`."""
    below: list[list["Statement"]] = field(default_factory=list)
    """By block, as `blocks` gives them."""
    kept: bool = False
    needed: bool = False
    """Else it is kept because it may do something, and may fail."""


def blocks(node: ast.stmt) -> list[list[ast.stmt]]:
    """The lists of statements below a header, which are judged one by one; a loop is one with its body."""
    match node:
        case ast.If():
            return [node.body, node.orelse]
        case ast.With():
            return [node.body]
        case ast.Try():
            return [node.body, *(handler.body for handler in node.handlers), node.orelse, node.finalbody]
    return []


def judge(body: list[ast.stmt], parts: Iterable[str] | None) -> list[Statement]:
    """The statements of a module, those that its parts need marked.

    Args:
        parts: the names that will be asked for; None for all that it has.
    """
    effects = _Effects(body)
    statements = [effects.statement(node) for node in body]
    every = {name for s in flat(statements) for name in s.changes}
    needed = every if parts is None else {*parts}
    while sum(_keep(s, needed) for s in statements):
        pass
    for s in statements:  # what may do something, and needs nothing that is not there anyway
        defines = isinstance(s.node, Definition | ast.Import | ast.ImportFrom)
        s.kept |= defines or (s.sets and not s.trains and s.uses & every <= needed | effects.imported)
    return statements


def executed(*nodes: ast.AST) -> Iterator[ast.AST]:
    """What runs when these are run: of functions that are defined, the decorators and defaults."""
    waiting = list(nodes)
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, _Function):
            waiting += [*getattr(node, "decorator_list", ()), *node.args.defaults]
            waiting += [default for default in node.args.kw_defaults if default is not None]
        else:
            waiting += ast.iter_child_nodes(node)


def _keep(s: Statement, needed: set[str]) -> bool:
    """Keep it if it is needed; whether that is new."""
    below = sum(_keep(one, needed) for block in s.below for one in block) > 0
    if s.needed or not (below or (s.changes & needed and not s.trains)):
        return below
    s.kept = s.needed = True
    needed |= s.uses
    return True


def flat(statements: Iterable[Statement]) -> Iterator[Statement]:
    """With those below."""
    for s in statements:
        yield s
        for block in s.below:
            yield from flat(block)


class _Effects:
    """What the functions of a program change beyond their own names, and which of them train."""

    def __init__(self, body: list[ast.stmt]) -> None:
        nodes = [node for statement in body for node in ast.walk(statement)]
        self.imported = {
            alias.asname or alias.name.partition(".")[0]
            for node in nodes
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in node.names
        }
        functions = [node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
        calls = [(f.name, _called(executed(*f.body))) for f in functions]
        self.trainers = {*_TRAINS}
        self.changes: defaultdict[str, set[str]] = defaultdict(set)
        for f in functions:
            _, used, declared = _names(f)
            self.changes[f.name] |= declared | (used & self._stored(executed(*f.body)))
        for _ in functions:  # as deep as calls can go
            before = len(self.trainers), sum(map(len, self.changes.values()))
            for name, called in calls:
                self.trainers |= {name} if called & self.trainers else set()
                self.changes[name] |= set().union(*(self.changes[other] for other in called if other in self.changes))
            if before == (len(self.trainers), sum(map(len, self.changes.values()))):
                break

    def statement(self, node: ast.stmt) -> Statement:
        """What a statement of the module changes and uses."""
        header = _header(node)
        nodes = list(executed(header))
        bound, used, _ = _names(header)
        called = _called(nodes)
        changes = bound | self._stored(nodes)
        changes = changes.union(*(self.changes[name] for name in called if name in self.changes))
        trains = bool(called & self.trainers)
        below = [[self.statement(one) for one in block] for block in blocks(node)]
        if called & _ANYTHING:
            changes |= {*_TRAINS}  # a name that is always needed
        target = node.value.func if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) else None
        sets = _root(target) in self.imported or bool(self._stored(nodes) & self.imported)
        return Statement(node, changes, used, trains, sets, below)

    def _stored(self, nodes: Iterable[ast.AST]) -> set[str]:
        """Names of what is stored into, whose methods are called, or that is handed over for the effect."""
        roots: set[str | None] = set()
        for node in nodes:
            if isinstance(node, ast.Attribute | ast.Subscript) and not isinstance(node.ctx, ast.Load):
                roots.add(_root(node))
            elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
                call, root = node.value, _root(node.value.func)
                if isinstance(call.func, ast.Attribute) and root not in self.imported:
                    roots.add(root)
                elif root not in _SHOWS:
                    roots |= {_root(a) for a in [*call.args, *(keyword.value for keyword in call.keywords)]}
        return {root for root in roots if root is not None}


def _header(node: ast.stmt) -> ast.stmt:
    match node:
        case ast.If():
            header: ast.stmt = ast.Assert(node.test)
        case ast.With():
            header = ast.With(node.items, [ast.Pass()])
        case ast.Try():
            handlers = [ast.ExceptHandler(h.type, h.name, [ast.Pass()]) for h in node.handlers]
            header = ast.Try([ast.Pass()], handlers, [], [ast.Pass()])
        case _:
            return node
    return ast.copy_location(header, node)


def _called(nodes: Iterable[ast.AST]) -> set[str]:
    """Names of what is called, decorators among them; of a method, its own."""
    called: list[ast.AST] = []
    for node in nodes:
        called += [node.func] if isinstance(node, ast.Call) else getattr(node, "decorator_list", [])
    return {str(getattr(c, "id", getattr(c, "attr", ""))) for c in called}


def _root(node: ast.AST | None) -> str | None:
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Starred):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def _names(node: ast.stmt) -> tuple[set[str], set[str], set[str]]:
    """Of a statement: names that it binds, names of the module that it or a function in it uses, or declares global."""
    try:
        top = symtable.symtable(ast.unparse(node), "", "exec")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set(), set(), set()
    bound = {s.get_name() for s in top.get_symbols() if s.is_assigned() or s.is_imported()}
    used, declared, tables = set(), set(), [top]
    while tables:
        table = tables.pop()
        tables += table.get_children()
        for symbol in table.get_symbols():
            if table.get_type() != "function" or symbol.is_global():  # a class may begin with `x = x`
                used |= {symbol.get_name()} if symbol.is_referenced() else set()
                declared |= {symbol.get_name()} if symbol.is_declared_global() and symbol.is_assigned() else set()
    # A symbol table takes `x += 1` for no use of x, and what a loop counts by for one from outside of it.
    used |= declared | {str(_root(node.target)) for node in ast.walk(node) if isinstance(node, ast.AugAssign)} & bound
    counts = node.target if isinstance(node, ast.For) else ast.Pass()
    return bound, used - {name.id for name in ast.walk(counts) if isinstance(name, ast.Name)}, declared
