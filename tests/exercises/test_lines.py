"""On which line a key of a TOML file stands, however it is written."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pygpt.exercises.lines import line_of

TEXT = '''a = 1
# a comment

[model]
n = 2
x.y = 3
"a b" = 4
text = """
[fake]
n = 5
"""
list = [
  { e = 1 },
  { e = 2 },
]
last = 9

[other]
z = { q = 1 }
[[rows]]
k = 1

[[rows]]
k = 2'''


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        (("a",), 1),
        (("model",), 4),
        (("model", "n"), 5),
        (("model", "x", "y"), 6),
        (("model", "a b"), 7),
        (("model", "text"), 8),
        (("model", "list", 1, "e"), 12),  # a list of several lines begins where its key stands
        (("model", "last"), 16),
        (("other", "z", "q"), 19),
        (("rows", 0, "k"), 21),
        (("rows", 1), 23),
        (("rows", 1, "k"), 24),
        (("nowhere",), None),
        (("model", "fake"), None),
    ],
)
def test_by_hand(keys: tuple[str | int, ...], line: int | None) -> None:
    assert line_of(TEXT, keys) == line


TEXTS = st.text(st.characters(codec="ascii", exclude_categories=["C"]) | st.just("\n"), max_size=30)


@given(st.lists(TEXTS, min_size=1, max_size=12), st.data())
def test_every_key_is_where_it_was_written(values: list[str], data: st.DataObject) -> None:
    lines: list[str] = []
    at = {}
    for n, value in enumerate(values):
        lines += [""] * data.draw(st.integers(0, 2))
        at[f"k{n}"] = len(lines) + 1
        lines += [f"k{n} = [", f"  {json.dumps(value)}]"] if data.draw(st.booleans()) else [f"k{n} = {n}"]
    for key, line in at.items():
        assert line_of("\n".join(lines), (key,)) == line
