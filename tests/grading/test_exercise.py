"""Grading by an exercise: its models, sizes, points and parts."""

import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from pygpt.exercises.opening import course_files, files
from pygpt.grading.grade import GradingJob, grade
from pygpt.grading.points import asked, most_points
from pygpt.grading.rubric import exercise_rubric, read_rubric
from pygpt.grading.submission import Submission
from tests.exercises.small import SMALL
from tests.grading.helpers import CORRECT, SEED, mutated, needs_isolation
from tests.validation.helpers import Cli, refused

OWN = """
[grading.points]
"forward.attention" = 20
[grading.parts]
asked = ["GPT", "generate"]
[grading.sizes]
n_layer = [1]
n_head = [4]
head_width = [16]
"""


@pytest.fixture
def own(cli: Cli, tmp_path: Path) -> Path:
    """An exercise of one model of one layer and four heads."""
    assert cli("exercise", "new", tmp_path / "own", *SMALL).exit_code == 0
    file = tmp_path / "own" / "exercise.toml"
    file.write_text(file.read_text() + OWN)
    return file


def test_the_courses_own_exercise_is_the_default() -> None:
    both, default = exercise_rubric(course_files()), read_rubric()
    assert replace(both, values=default.values) == default
    assert {model: settings.block_size for model, settings in default.own.items()} == {"gpt": 64, "gpt_noattn": 64}


def test_points_parts_and_sizes_come_from_the_file(own: Path) -> None:
    rubric = exercise_rubric(files(own))
    assert rubric.points == read_rubric().points | {"forward.attention": 20}
    assert rubric.parts == ("GPT", "generate")
    assert {part for check in asked(rubric) for part in check.needs} <= {"GPT", "generate"}
    assert rubric.sizes["n_layer"] == (1,)
    assert rubric.own["gpt"].n_embd == 8
    assert rubric.sha256 != read_rubric().sha256


def test_without_parts_the_exercises_models_are_asked_for(own: Path) -> None:
    own.write_text(own.read_text().replace('[grading.parts]\nasked = ["GPT", "generate"]\n', ""))
    assert "GPT" in exercise_rubric(files(own)).parts
    assert "GPT_NoAttn" not in exercise_rubric(files(own)).parts


@needs_isolation
def test_a_port_of_one_layer_is_graded(own: Path, tmp_path: Path) -> None:
    rubric = exercise_rubric(files(own))
    source = CORRECT.read_text()
    # a port of this exercise alone: it has one layer, whatever it is told
    init = "def __init__(self, block_size, n_embd, N_Layers, nvoc, Head, p0=0.1):"
    one = mutated(source, (init, init + "\n        assert N_Layers == 1"))
    for name, text, lost in (("right", one, 0.0), ("wrong", mutated(one, ("scale2[j](", "scale1[j](")), 4.0)):
        (tmp_path / f"{name}.py").write_text(text)
        report = grade(Submission(tmp_path / f"{name}.py", name), GradingJob(rubric, SEED))
        assert report.state == "graded", report.message
        assert report.max_score == most_points(rubric)
        assert report.max_score - report.score == pytest.approx(lost), [
            (check.id, check.score, check.max_score) for check in report.checks if check.score < check.max_score
        ]


def test_the_command_takes_one_or_the_other(cli: Cli, own: Path, tmp_path: Path) -> None:
    printed = cli("grade", "rubric", "--exercise", own).output
    assert '"forward.attention" = 20 ' in printed
    (tmp_path / "r.toml").write_text("[points]\n")
    both = ["--exercise", own, "--rubric", tmp_path / "r.toml"]
    refused(cli("grade", "run", CORRECT, *both), "--rubric and --exercise do not go together")
    own.write_text(own.read_text().replace("n_layer = [1]", "n_layer = [0]"))
    refused(cli("grade", "run", CORRECT, "--exercise", own), "[grading], line", "sizes.n_layer = [0]")


def test_the_autograder_holds_the_exercise(cli: Cli, own: Path, tmp_path: Path) -> None:
    done = cli("grade", "gradescope-zip", tmp_path / "a.zip", "--exercise", own)
    assert done.exit_code == 0, done.output
    with zipfile.ZipFile(io.BytesIO((tmp_path / "a.zip").read_bytes())) as archive:
        assert archive.read("exercise/exercise.toml") == own.read_bytes()
        assert "--exercise /autograder/source/exercise/exercise.toml" in archive.read("run_autograder").decode()
        assert json.loads(archive.read("data/exercise_2.truth.json"))["format"] == 1
