"""A model's parameters and all their names, in torch's order, without asking what a submission may have overridden.

Loaded by child.py, which stands alone: only the standard library is used.
"""

from collections.abc import Iterator
from typing import Any

_MOST = 10_000


def every(model: Any, kind: str = "_parameters") -> Iterator[tuple[str, Any]]:
    """Every name of every parameter; one that has several comes several times.

    Args:
        kind: `_buffers` for these.

    Raises:
        ValueError: there are more than 10,000.
    """
    names, open_ = 0, [("", model, frozenset[int]())]
    while open_:
        prefix, module, above = open_.pop()
        for name, p in _items(module, kind):
            if p is not None:
                names += 1
                yield f"{prefix}{name}", p
        above |= {id(module)}  # a module may hold itself
        below = [(n, m) for n, m in _items(module, "_modules") if m is not None and id(m) not in above]
        open_ += [(f"{prefix}{n}.", m, above) for n, m in reversed(below)]
        if max(names, len(open_), len(above)) > _MOST:
            raise ValueError(f"the model has more than {_MOST} parameters")


def named(model: Any) -> dict[str, Any]:
    """Each parameter under the first of its names."""
    first: dict[int, tuple[str, Any]] = {}
    for name, p in every(model):
        first.setdefault(id(p), (name, p))
    return dict(first.values())


def _items(module: Any, kind: str) -> list[tuple[str, Any]]:
    held = object.__getattribute__(module, kind)
    return [*(dict.items(held) if isinstance(held, dict) else held.items())]  # a scripted module's is no dict
