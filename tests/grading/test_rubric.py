"""The rubric: what is refused, and that it explains itself."""

import contextlib
import re
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from hypothesis import given
from hypothesis import strategies as st

from pygpt.errors import PygptError
from pygpt.grading.explained import explained
from pygpt.grading.rubric import read_rubric
from pygpt.output.messages import LANGUAGES
from tests.grading.helpers import CORRECT

Cli = Callable[..., Result]


@pytest.mark.parametrize(
    ("rubric", "words"),
    [
        ("[points]\nnonsense = 1\n", "unknown key points.nonsense"),
        ("[nonsense]\n", "unknown table"),
        ('[points]\n"loads.parts" = -1\n', "not a number from 0"),
        ('[parts]\nasked = ["Encoder"]\n', "must hold GPT or GPT_NoAttn"),
        ('[parts]\nasked = ["GPT", "GPT"]\n', "each once"),
        ('[parts]\nasked = ["GTP"]\n', "some of GPT, GPT_NoAttn"),
        ('[points]\n"forward.atention" = 1\n', "unknown key points.forward.atention"),
        ("points = 1\n", "points must be a table"),
        ("[limits]\ncheck_seconds = nan\n", "limits.check_seconds = nan is not a number above 0"),
        ("[limits]\nfiles = 0\n", "limits.files = 0"),
        ("[", "not a TOML file"),
        (
            "[capps]\n",
            "[capps]; known are: points, caps, total, gates, late, visibility, parts, sizes, tolerances, limits. "
            "Did you mean 'caps'?",
        ),
        ("[gates]\ncausalty = 60\n", "Did you mean 'causality'?"),
        ('[gates]\n"causality" = "60"\n', "gates.causality = '60' is not a number"),
        ("[total]\npoint = 10\n", "Did you mean 'points'?"),
        ("[total]\npoints = -1\n", "total.points = -1 is not a number from 0"),
        ("[late]\npercent = true\n", "late.percent = True is not a number"),
        (
            '[visibility]\ntraining = "hide"\n',
            "visibility.training = 'hide' is none of visible, hidden, after_due_date, "
            "after_published. Did you mean 'hidden'?",
        ),
        ('[visibility]\n"forward.fnn" = "hidden"\n', "Did you mean 'forward.ffn'?"),
    ],
)
def test_bad_rubrics(cli: Cli, tmp_path: Path, rubric: str, words: str) -> None:
    (tmp_path / "r.toml").write_text(rubric)
    result = cli("grade", "run", CORRECT, "--rubric", tmp_path / "r.toml")
    assert result.exit_code == 2
    assert words in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_rubric_explains_itself_and_is_one(cli: Cli, tmp_path: Path, lang: str) -> None:
    output = cli("grade", "rubric", "--lang", lang).output
    assert '"forward.attention" = 10 ' in output
    assert ("100 points in all" if lang == "en" else "100 pontos ao todo") in output
    (tmp_path / "again.toml").write_text(output)
    assert read_rubric(tmp_path / "again.toml") == read_rubric()
    # what is said of each key is said in the language, and of every one
    comments = re.findall(r"^(?:\S+ = [^\[].*)$", output, re.MULTILINE)
    tables = ("points", "caps", "total", "late", "tolerances", "limits")
    assert len(comments) == sum(len(read_rubric().values[table]) for table in tables)
    assert all("  # " in line for line in comments)


def test_the_rubric_of_a_file_is_the_default_with_its_changes(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('[points]\n"forward.attention" = 12.5\n')
    output = cli("grade", "rubric", "--rubric", tmp_path / "mine.toml").output
    assert '"forward.attention" = 12.5 ' in output
    assert "102.5 points in all" in output
    (tmp_path / "again.toml").write_text(output)
    assert read_rubric(tmp_path / "again.toml") == read_rubric(tmp_path / "mine.toml")


def test_gates_and_visibilities_by_check_and_by_stage_explain_themselves(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(
        '[gates]\ncausality = 60\n"padding.row" = 90\n[total]\npoints = 10\n[late]\npercent = 20\n'
        '[visibility]\ntraining = "hidden"\n"training.loss" = "after_published"\n'
    )
    rubric = read_rubric(tmp_path / "mine.toml")
    output = cli("grade", "rubric", "--rubric", tmp_path / "mine.toml").output
    for line in (
        r"causality = 60 +# Causality",
        r'"padding\.row" = 90 +# The padding row gets no gradient',
        r"points = 10 +# 10, for instance",
        r"percent = 20 +# of the most",
        r'training = "hidden" +# Training',
        r'"training\.loss" = "after_published" +# The loss',
    ):
        assert re.search(f"^{line}", output, re.MULTILINE), line
    (tmp_path / "again.toml").write_text(output)
    assert read_rubric(tmp_path / "again.toml") == rubric
    # the check's own word wins over its stage's, and what is not named is seen by all
    seen = [rubric.seen(check) for check in ("training.loss", "training.step", "forward.ffn")]
    assert seen == ["after_published", "hidden", "visible"]


KEYS = st.sampled_from(
    ['"forward.ffn"', "forward", "points", "logits", "asked", "memory_mib", "check_seconds", '"forward.fnn"', "x"]
)
VALUES = st.sampled_from(
    ["1", "-1", "0", "nan", "inf", "1e300", "9" * 5000, "true", '"1"', "[]", '["GPT"]', '["GPT", "GPT"]', "[[1]]",
     "{}", '"hidden"', "2026-01-01", "[" * 3000, '"\\ud800"', "1_0"]
)  # fmt: skip
TABLES = st.sampled_from(
    ["[points]", "[gates]", "[total]", "[visibility]", "[parts]", "[tolerances]", "[limits]", "[x]", "", "[[points]]"]
)
LINES = st.lists(TABLES | st.tuples(KEYS, VALUES).map(" = ".join), max_size=6).map("\n".join)


@given(LINES.map(str.encode) | st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_any_rubric_is_read_or_refused(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rubric.toml"
        path.write_bytes(content)
        with contextlib.suppress(PygptError):
            rubric = read_rubric(path)
            path.write_text(explained(rubric, "pt"))
            assert read_rubric(path) == rubric


@pytest.mark.parametrize("path", [".", "nothing.toml"])
def test_a_rubric_that_is_no_file(path: str) -> None:
    with pytest.raises(PygptError, match="cannot read the rubric"):
        read_rubric(Path(path))
