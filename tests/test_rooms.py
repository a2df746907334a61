"""The house: no file is long, no import goes in a circle, none climbs."""

import ast
from pathlib import Path

import pygpt

PACKAGE = Path(pygpt.__file__).parent
CHECKOUT = PACKAGE.parent
MOST_LINES = 300
# sourced alone, in anybody's session: it cannot be cut into files
ONE_FILE = {"r_reference/record_module.R": 370}

# From the ground up. A room may take from those before it and from itself; the spine has an order of its own.
FLOORS = (
    ("version", "errors", "memory", "waiting", "determinism", "files", "processes"),
    ("output",),
    ("isolation",),
    (
        "kinds",
        "settings",
        "r_random",
        "vocabulary",
        "encoding",
        "shuffling",
        "text_remarks",
        "corpus",
        "token_cache",
        "large_corpus",
    ),
    (
        "r_semantics",
        "r_optimizers",
        "products",
        "ahead",
        "fused",
        "exactness",
        "rehearsal",
        "models",
        "trace",
        "shares",
        "training",
    ),
    ("cached_forward", "generation", "weights", "losses", "checkpoints"),
    ("r_files",),
    ("figures", "machine", "picking", "runs"),
    ("attention", "r"),
    ("layouts",),
    ("parity", "progress"),
    ("api",),
    ("exercises",),
    ("validation", "grading", "module_grading"),
    ("classroom",),
    ("commands",),
    ("__main__",),
)


def module_of(path: Path) -> str:
    parts = list(path.relative_to(PACKAGE.parent).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in PACKAGE.rglob("*.py")}


def imports(name: str) -> set[str]:
    """The modules of the package that a module imports, wherever in it; not those that only its types need."""
    tree = ast.parse(MODULES[name].read_text(encoding="utf-8"))
    for_types = {
        below
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for statement in node.body
        for below in ast.walk(statement)
    }
    taken: set[str] = set()
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.ImportFrom)
            and node.module
            and node.module.startswith("pygpt")
            and node not in for_types
        ):
            taken |= {
                f"{node.module}.{a.name}" if f"{node.module}.{a.name}" in MODULES else node.module for a in node.names
            }
        elif isinstance(node, ast.Import):
            taken |= {a.name for a in node.names if a.name in MODULES}
    return taken - {name}


GRAPH = {name: imports(name) for name in MODULES}


def room(name: str) -> str:
    return name.split(".")[1] if "." in name else "__init__"


def _most(path: Path) -> int:
    return ONE_FILE.get(path.relative_to(CHECKOUT).as_posix(), MOST_LINES)


def test_no_file_is_long() -> None:
    files = [
        p for folder in ("pygpt", "tests", "parity_tests", "benchmarks") for p in (CHECKOUT / folder).rglob("*.py")
    ]
    files += [*(CHECKOUT / "r_reference").rglob("*.R"), CHECKOUT / "cli.py"]
    long = {str(p.relative_to(CHECKOUT)): n for p in files if (n := p.read_text("utf-8").count("\n")) > _most(p)}
    assert long == {}


def test_every_room_has_its_floor() -> None:
    assert {room(name) for name in MODULES} - {"__init__"} == {name for floor in FLOORS for name in floor}


def test_no_import_climbs() -> None:
    height = {name: i for i, floor in enumerate(FLOORS) for name in floor}
    climbing = [
        f"{name} takes {taken}"
        for name, all_taken in GRAPH.items()
        for taken in all_taken
        # the package's face names what stands above it, and imports it when it is asked for
        if "__init__" not in (room(name), room(taken)) and height[room(taken)] > height[room(name)]
    ]
    assert climbing == []


def test_no_import_goes_in_a_circle() -> None:
    graph = {name: {t for t in taken if t != "pygpt"} for name, taken in GRAPH.items() if name != "pygpt"}
    while leaves := [name for name, taken in graph.items() if not taken & graph.keys()]:
        for name in leaves:
            del graph[name]
    assert graph == {}
