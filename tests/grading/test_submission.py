"""Finding submissions, and the copy that is graded."""

from pathlib import Path

import pytest

from pygpt.errors import PygptError
from pygpt.grading.submission import Submission, UnusableError, find, staged


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
        (tmp_path / name).write_text("")
    with pytest.raises(UnusableError) as unusable, staged(Submission(tmp_path, "x")):
        pass
    assert "submission.py" in unusable.value.message.render("en")
