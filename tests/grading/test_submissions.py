"""Kinds of submissions, the carrying over of weights, the class and the command."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from pygpt.errors import PygptError
from pygpt.grading.batch import grade_all
from pygpt.grading.port import r_shapes
from pygpt.grading.rubric import read_rubric
from pygpt.grading.submission import Submission, UnusableError, find, staged
from pygpt.grading.weight_map import UnclearError, carry
from pygpt.settings import ModelSettings
from tests.grading.helpers import CORRECT, lost, needs_isolation

Cli = Callable[..., Result]
SETTINGS = ModelSettings("gpt", block_size=5, n_embd=4, n_layer=2, n_head=2, vocab_size=9, dropout=0.0)
SMALL = '[parts]\nasked = ["GPT_NoAttn", "Encoder", "Decoder"]\n'


def renamed(names: dict[str, str]) -> dict[str, tuple[int, ...]]:
    """R's parameters under other names, in R's order."""
    return {names.get(name.split(".")[0], name.split(".")[0]) + name[len(name.split(".")[0]) :]: shape
            for name, shape in r_shapes(SETTINGS).items()}  # fmt: skip


def test_weights_go_by_name() -> None:
    shapes = r_shapes(SETTINGS)
    carried = carry(shapes, dict(reversed(shapes.items())), {}, {}, SETTINGS)
    assert not carried.missing
    assert {name: pieces[0].name for name, pieces in carried.pieces.items()} == {name: name for name in shapes}


def test_weights_go_by_building_order() -> None:
    own = renamed({"wpe": "place", "wte": "token", "MH": "a", "scale1": "n", "scale2": "m", "scale3": "l",
                   "FFN": "f", "ln_f": "o"})  # fmt: skip
    carried = carry(r_shapes(SETTINGS), own, {}, {}, SETTINGS)
    assert carried.pieces["wte.weight"][0].name == "token.weight"
    assert carried.pieces["scale2.1.bias"][0].name == "m.1.bias"
    assert "building order" in carried.how.template


def test_query_and_key_need_names() -> None:
    shapes = r_shapes(SETTINGS)
    own: dict[str, tuple[int, ...]] = {}
    for name, shape in shapes.items():
        if name.endswith("in_proj_weight"):
            for letter in "abc":
                own[f"{name}.{letter}.weight"], own[f"{name}.{letter}.bias"] = (4, 4), (4,)
        elif not name.endswith("in_proj_bias"):
            own[f"my.{name}"] = shape
    with pytest.raises(UnclearError) as unclear:
        carry(shapes, own, {}, {}, SETTINGS)
    assert "query, key and value" in unclear.value.message.render("en")
    assert "weight_map = {" in unclear.value.message.render("en")


def test_what_fits_twice_is_ambiguous_and_says_what_to_add() -> None:
    settings = ModelSettings("gpt_noattn", block_size=9, n_embd=4, n_layer=1, n_head=2, vocab_size=9, dropout=0.0)
    own = {f"x.{name}": shape for name, shape in r_shapes(settings).items()}
    with pytest.raises(UnclearError) as unclear:
        carry(r_shapes(settings), own, {}, {}, settings)
    assert 'weight_map = {"wpe.weight"' in unclear.value.message.render("en")


@pytest.mark.parametrize(
    ("weight_map", "words"),
    [
        ({"wte.weight": ["nowhere"]}, "no parameter nowhere"),
        ({"wte.weight": ["wpe.weight"]}, "wte.weight has shape (9, 4), yours (5, 4)"),
        ({"wte.weight": []}, "no parameter"),
    ],
)
def test_a_wrong_weight_map_is_named(weight_map: dict[str, list[str]], words: str) -> None:
    with pytest.raises(UnclearError) as unclear:
        carry(r_shapes(SETTINGS), r_shapes(SETTINGS), {}, weight_map, SETTINGS)
    assert words in unclear.value.message.render("en")


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


def notebook(path: Path) -> Path:
    cells = [
        "%matplotlib inline\nimport torch\n!pip install nothing",
        CORRECT.read_text(),
        "model = GPT(8, 8, 1, 9, 2)\nraise RuntimeError('training must not run')\nprint(model)",
        "open('/nowhere/Shakespeare.txt')",
    ]
    content = {"cells": [{"cell_type": "code", "source": c.splitlines(keepends=True)} for c in cells], "nbformat": 4}
    path.write_text(json.dumps(content))
    return path


@needs_isolation
def test_notebooks_packages_and_a_class_that_goes_on(cli: Cli, tmp_path: Path) -> None:
    students, out, rubric = tmp_path / "class", tmp_path / "out", tmp_path / "rubric.toml"
    rubric.write_text(SMALL)
    (students / "package").mkdir(parents=True)
    (students / "package" / "__init__.py").write_text("from .parts import GPT_NoAttn, Encoder, Decoder\n")
    shutil.copy(CORRECT, students / "package" / "parts.py")
    notebook(students / "book.ipynb")
    (students / "broken.py").write_text("def GPT(:")
    command = ["grade", students, "--rubric", rubric, "--out", out, "--seed", 5, "--jobs", 2]
    result = cli(*command, "--lang", "pt")
    assert result.exit_code == 1, result.output
    assert "não avaliável" in result.output
    found = {name: json.loads((out / f"{name}.json").read_text()) for name in ("package", "book", "broken")}
    assert lost(found["package"]) == lost(found["book"]) == {}
    assert found["package"]["max_score"] == found["broken"]["max_score"] < 100
    assert (found["broken"]["state"], found["broken"]["score"]) == ("ungradable", 0)
    assert {"class.csv", "class.xml", "book.html"} <= {p.name for p in out.iterdir()}
    # a second call takes what is there, and grades what is not or has changed
    before = {name: (out / f"{name}.json").stat().st_mtime_ns for name in found}
    (out / "book.json").unlink()
    assert cli(*command, "--lang", "pt").exit_code == 1
    after = {name: (out / f"{name}.json").stat().st_mtime_ns for name in found}
    assert [name for name in found if before[name] != after[name]] == ["book"]
    assert json.loads((out / "book.json").read_text())["score"] == found["book"]["score"]


@needs_isolation
def test_a_grade_can_be_run_again(tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_text(SMALL)
    rubric, submission = read_rubric(tmp_path / "r.toml"), Submission(CORRECT, "correct")
    first, again, other = (
        grade_all([submission], rubric, seed, "en", False, 1, None, lambda _: None)[0] for seed in (1, 1, 2)
    )
    for report in (first, again, other):
        report.pop("seconds")
        assert lost(report) == {}
    assert first == again
    assert first["checks"][3]["expected"] != other["checks"][3]["expected"]


@pytest.mark.parametrize(
    ("rubric", "words"),
    [
        ("[points]\nnonsense = 1\n", "unknown key points.nonsense"),
        ("[nonsense]\n", "unknown table"),
        ('[points]\n"loads.parts" = -1\n', "not a number from 0"),
        ('[parts]\nasked = ["Encoder"]\n', "must hold GPT or GPT_NoAttn"),
        ("[limits]\nfiles = 0\n", "limits.files = 0"),
        ("[", "not a TOML file"),
    ],
)
def test_bad_rubrics(cli: Cli, tmp_path: Path, rubric: str, words: str) -> None:
    (tmp_path / "r.toml").write_text(rubric)
    result = cli("grade", CORRECT, "--rubric", tmp_path / "r.toml")
    assert result.exit_code == 2
    assert words in result.stderr
    assert "Traceback" not in result.output


def test_the_template_is_python_and_names_every_part(cli: Cli) -> None:
    output = cli("grade", "--template").output
    compile(output, "template", "exec")
    for part in read_rubric().parts:
        assert f" {part}(" in output


def test_the_rubric_explains_itself(cli: Cli) -> None:
    output = cli("grade", "--explain-rubric").output
    assert '"forward.attention" = 10' in output
    assert "100 points in all" in output


def test_without_isolation_it_refuses(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pygpt.grading.isolation.sandbox.shutil.which", lambda _: None)
    result = cli("grade", CORRECT)
    assert result.exit_code == 2
    assert "bubblewrap is not installed: apt-get install bubblewrap" in result.stderr
    doctor = cli("grade", "doctor")
    assert doctor.exit_code == 1
    assert "apt-get install bubblewrap" in doctor.output


def test_unsafe_is_stamped_on_the_report(tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_text(SMALL)
    rubric = read_rubric(tmp_path / "r.toml")
    (report,) = grade_all([Submission(CORRECT, "correct")], rubric, 1, "en", True, 1, None, lambda _: None)
    assert report["score"] == report["max_score"], lost(report)
    assert "--unsafe" in report["unsafe"]


def test_the_child_needs_nothing_of_pygpt() -> None:
    code = (
        "import ast, sys\n"
        "for name in sys.argv[1:]:\n"
        "    for node in ast.walk(ast.parse(open(name).read())):\n"
        "        if isinstance(node, (ast.Import, ast.ImportFrom)):\n"
        "            names = [a.name for a in node.names] + [getattr(node, 'module', None) or '']\n"
        "            assert not [n for n in names if n.startswith('pygpt')], (name, names)\n"
    )
    folder = Path(sys.modules["pygpt.grading"].__file__ or "").parent
    files = [str(folder / "child.py"), str(folder / "wire.py")]
    assert subprocess.run([sys.executable, "-c", code, *files], check=False).returncode == 0
