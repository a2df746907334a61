"""Finding submissions, and the copy that is graded."""

from pathlib import Path

import pytest

from pygpt.classroom.finding import find
from pygpt.errors import PygptError
from pygpt.grading.submission import Submission, UnusableError, is_r, staged


def test_a_class_is_a_folder_without_init(tmp_path: Path) -> None:
    for name in ("ana.py", "b.ipynb", "notes.txt", ".hidden.py"):
        (tmp_path / name).write_text("")
    (tmp_path / "caio").mkdir()
    (tmp_path / "caio" / "model.py").write_text("")
    (tmp_path / "link.py").symlink_to(tmp_path / "ana.py")
    assert [s.name for s in find((tmp_path,))] == ["ana", "b", "caio"]
    assert [s.name for s in find((tmp_path,), folder_is_one=True)] == [tmp_path.name]
    (tmp_path / "caio" / "__init__.py").write_text("")
    assert [s.name for s in find((tmp_path / "caio",))] == ["caio"]
    with pytest.raises(PygptError, match="there is no submission"):
        find((tmp_path / "nobody.py",))


def test_a_folder_of_many_files_says_what_to_do(tmp_path: Path) -> None:
    for name in ("a.py", "b.py"):
        (tmp_path / name).write_text(f"class GPT: '{name}'")
    with pytest.raises(UnusableError) as unusable, staged(Submission(tmp_path, "x")):
        pass
    assert unusable.value.message.render("en") == "2 files could be meant (a.py, b.py): call yours submission.py"


GPT, REST = "class GPT: pass\n", "def loss(logits, y): pass\n"
FOLDERS = {
    "a folder in a folder": (
        {"work/final/gpt.py": GPT, "work/__MACOSX/gpt.py": GPT, "notes.txt": ""},
        "work/final/gpt.py",
    ),
    "beside a training": ({"gpt.py": GPT, "treino.py": f"from gpt import *\n{REST}"}, "gpt.py"),
    "a notebook and its export": ({"two.py": GPT, "two.ipynb": '{"source": ["class GPT:"]}'}, "two.ipynb"),
    "an exercise a file": ({"e2.py": GPT, "e3.py": "class GPT_NoAttn: pass\n"}, "e2.py"),
    "the same twice": ({"gpt.py": GPT, "gpt copy.py": GPT}, "gpt copy.py"),
    "main imports it": ({"main.py": "from src.gpt import GPT\n", "src/gpt.py": GPT}, "src/gpt.py"),
    "an older one deeper": ({"gpt.py": GPT, "old/gpt.py": f"{GPT}\n"}, "gpt.py"),
    "a name that is asked for": ({"a.py": GPT, "model.py": f"{GPT}\n"}, "model.py"),
    "a package": ({"__init__.py": "from .gpt import *\n", "gpt.py": GPT}, "."),
    "a package that says nothing": ({"__init__.py": "", "gpt.py": GPT}, "gpt.py"),
    "none defines it": ({"port.py": "from shapes import *\n"}, "port.py"),
}
UNUSABLE = {
    "R alone": ({"port.Rmd": "```{r}"}, "This is R"),
    "nothing": ({"notes.txt": ""}, "there is no .py and no .ipynb file"),
    "two": ({"a.py": GPT, "b.py": f"{GPT}\n"}, "2 files could be meant (a.py, b.py)"),
}


def made(folder: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    return folder


@pytest.mark.parametrize(("files", "loaded"), FOLDERS.values(), ids=FOLDERS)
def test_the_file_that_defines_the_models_is_taken(tmp_path: Path, files: dict[str, str], loaded: str) -> None:
    with staged(Submission(made(tmp_path / "x", files), "x")) as copy:
        assert copy.path == copy.root / "x" / loaded


@pytest.mark.parametrize(("files", "words"), UNUSABLE.values(), ids=UNUSABLE)
def test_where_none_or_several_do_it_is_said(tmp_path: Path, files: dict[str, str], words: str) -> None:
    with pytest.raises(UnusableError) as unusable, staged(Submission(made(tmp_path / "x", files), "x")):
        pass
    assert words in unusable.value.message.render("en")


@pytest.mark.parametrize(("name", "words"), [("a.R", "This is R"), ("a.qmd", "This is R"), ("a.txt", "is no .py")])
def test_other_files_are_refused_by_name(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / name).write_text("")
    with pytest.raises(UnusableError) as unusable, staged(Submission(tmp_path / name, "x")):
        pass
    assert words in unusable.value.message.render("en")


def test_files_that_belong_together_are_one_students(tmp_path: Path) -> None:
    one = made(
        tmp_path / "one", {"gpt.py": GPT, "tables.py": "import gpt\n", "run.py": "from tables import x\n", "d.csv": ""}
    )
    two = made(tmp_path / "two", {"two.py": GPT, "two.ipynb": "{}"})
    several = made(tmp_path / "class", {"ana.py": GPT, "ana.ipynb": "{}", "caio.py": GPT})
    alone = made(tmp_path / "alone", {"ana.py": GPT})
    assert [s.path for s in find((one, two))] == [one, two]
    assert len(find((several,))) == 3
    assert [s.name for s in find((alone,))] == ["ana"]


def test_what_is_too_large_is_not_read(tmp_path: Path) -> None:
    made(tmp_path, {"a.py": GPT, "b.py": ""})
    with (tmp_path / "b.py").open("wb") as file:
        file.truncate(1 << 34)
    with pytest.raises(UnusableError) as unusable, staged(Submission(tmp_path, "x")):
        pass
    assert "too large" in unusable.value.message.render("en")


@pytest.mark.parametrize(
    ("text", "r"),
    [
        ("GPT <- nn_module(\n", True), ("f <- function(x) x", True), ('{"kernelspec": {"name": "ir"}}', True),
        ('{"language": "R"}', True), ("class GPT: pass", False), ('{"kernelspec": {"name": "python3"}}', False),
    ],
)  # fmt: skip
def test_r_is_recognised(tmp_path: Path, text: str, r: bool) -> None:
    (tmp_path / "a.py").write_text(text)
    assert is_r(tmp_path / "a.py") is r
