"""What is alike in a class: copies in disguise are found, what all have from the course is not counted."""

import json
import random
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pygpt.classroom.similarity import _passages, _tokens, alike
from pygpt.classroom.template import template
from pygpt.grading.submission import Submission
from tests.grading.helpers import SUBMISSIONS

CORRECT = (SUBMISSIONS / "correct.py").read_text()
APART = {name: (SUBMISSIONS / f"{name}.py").read_text() for name in ("correct", "other_names", "own_algebra")}
"""Right ports that were written apart."""
_OWN_NAMES = ("wte", "wpe", "drop0", "scale2", "scale3", "FFN", "mask", "ids", "value", "feed_forward", "h", "q", "j")


def in_disguise(source: str) -> str:
    """A copy with other names, in another order, without its comments, laid out and spaced otherwise."""
    for i, name in enumerate(_OWN_NAMES):
        source = re.sub(rf"\b{name}\b", f"meu_{i}", source)
    imports, *parts = re.split(r"\n\n\n", re.sub(r"#.*", "", source))
    random.Random(1).shuffle(parts)
    return "\n\n".join([imports, "# all my own work", *parts]).replace(" = ", "  =  ").replace("    ", "\t") + "\n"


def own_work(seed: int) -> str:
    """A function that no one else writes."""
    drawn = random.Random(seed)
    lines = (" ".join(f"a {drawn.choice('+-*/%@&|^')}" for _ in range(12)) + " a" for _ in range(10))
    return "def own(a):\n" + "\n".join(f"    a = {line}" for line in lines)


def compare(
    folder: Path, sources: Mapping[str, str], same: tuple[str, ...] = ()
) -> list[tuple[tuple[str, ...], float | None]]:
    """What is alike among files with these contents; those of `same` have one SHA-256."""
    submissions = []
    for name, source in sources.items():
        path = folder / (name if "." in name else f"{name}.py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
        submissions.append(Submission(path, name))
    digests = {name: "same" if name in same else name for name in sources}
    return [(found.names, found.share) for found in alike(submissions, digests)]


def test_ports_that_were_written_apart_are_not_alike(tmp_path: Path) -> None:
    assert compare(tmp_path, APART) == []


@pytest.mark.parametrize("name", APART)
def test_a_copy_in_disguise_is_found_by_name_and_share(tmp_path: Path, name: str) -> None:
    ((names, share),) = compare(tmp_path, APART | {"copy": in_disguise(APART[name])})
    assert names == (name, "copy")
    assert share is not None
    assert 0.75 <= share < 1


def test_the_same_files_are_said_to_be_and_the_first_stands_for_all(tmp_path: Path) -> None:
    sources = {"ana": CORRECT, "bia": CORRECT, "caio": CORRECT, "davi": in_disguise(CORRECT)}
    (same, none), (near, share) = compare(tmp_path, sources, same=("ana", "bia", "caio"))
    assert (same, none, near) == (("ana", "bia", "caio"), None, ("ana", "davi"))
    assert share is not None


def test_what_the_starting_file_holds_is_not_counted(tmp_path: Path) -> None:
    sources = {"ana": template("en"), "bia": template("pt"), "empty": "", "blank": "\n"}
    assert compare(tmp_path, sources, same=("ana", "bia")) == []
    # nor does it make alike what was written into it
    assert compare(tmp_path, {name: template("pt") + source for name, source in APART.items()}) == []


def test_what_most_of_a_class_shares_is_not_counted_but_a_copy_in_it_is(tmp_path: Path) -> None:
    skeleton = (SUBMISSIONS / "hand_attention.py").read_text()  # the course's own, longer than what is written into it
    own = {f"s{i}": f"{skeleton}\n\n\n{own_work(i)}" for i in range(8)}
    assert compare(tmp_path, own) == []
    assert [names for names, _ in compare(tmp_path, own | {"copy": in_disguise(own["s3"])})] == [("s3", "copy")]


def test_notebooks_and_folders_are_read_and_links_are_not(tmp_path: Path) -> None:
    book = json.dumps({"cells": [
        {"cell_type": "markdown", "source": "# Mine"},
        *({"cell_type": "code", "source": part.splitlines(keepends=True)} for part in ("!pip install x", CORRECT)),
    ]})  # fmt: skip
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "port.py").write_text(CORRECT)
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "port.py").symlink_to(tmp_path / "folder" / "port.py")
    (tmp_path / "book.ipynb").write_text(book)
    submissions = [Submission(tmp_path / name, name) for name in ("folder", "book.ipynb", "links", "nothing")]
    found = alike(submissions, {submission.name: None for submission in submissions})
    assert [(one.names, one.share) for one in found] == [(("folder", "book.ipynb"), 1.0)]


@pytest.mark.parametrize(
    "book",
    [
        "",
        "[]",
        "{}",
        '{"cells": 1}',
        '{"cells": [1]}',
        "[" * 100_000,
        '{"cells": [{"cell_type": "code", "source": 1}]}',
    ],
)
def test_a_damaged_notebook_is_alike_to_nothing(tmp_path: Path, book: str) -> None:
    assert compare(tmp_path, {"a.ipynb": book, "b.ipynb": book, "c": CORRECT}, same=("a.ipynb", "b.ipynb")) == []


def test_names_numbers_texts_comments_and_layout_do_not_count() -> None:
    one = 'def f(a, b=1.5e3):  # hi\n    """Doc."""\n    return rb"x" + self.wpe[a]\n'
    other = "def other ( x , y = 0 ) :\n\n\treturn  'yes' \\\n + me . thing [ z ]"
    assert list(_tokens(one)) == list(_tokens(other))
    assert list(_tokens("x = 'unclosed\ny")) == ["name", "=", "text", "name"]
    assert list(_tokens("if x")) != list(_tokens("in x"))


@given(st.text(st.sampled_from("'\"\\\n rbf#x1({.é"), max_size=300))
def test_any_text_is_read(code: str) -> None:
    assert "".join(_tokens(code)).isprintable()
    assert isinstance(_passages(code), frozenset)
