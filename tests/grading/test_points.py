"""From the checks' points to the grade: some checks alone, a total, caps and gates, days late."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pygpt.classroom.batch import grade_all
from pygpt.errors import PygptError
from pygpt.grading.check import STAGES
from pygpt.grading.checks import CHECKS
from pygpt.grading.grade import GradingJob
from pygpt.grading.points import asked, capped, counted, in_total, late, most_points, narrowed, needed, public
from pygpt.grading.report import CheckReport, GradeReport
from pygpt.grading.rubric import Rubric, read_rubric
from pygpt.grading.submission import Submission
from tests.grading.helpers import CORRECT, SEED, mutated, needs_isolation
from tests.grading.test_report import REPORT

IDS = [check.id for check in CHECKS]
PARTS = "GPT", "GPT_NoAttn"


def of(rubric: Rubric, **status: str) -> tuple[float, list[str]]:
    """The score and what bounds it, of a port that passes every check but those named (`forward_ffn="failed"`)."""
    reports = []
    for check in asked(rubric):
        worth, result = in_total(rubric, rubric.points[check.id]), status.get(check.id.replace(".", "_"), "passed")
        score = {"passed": worth, "partial": worth / 2, "failed": 0.0}[result]
        reports.append(
            CheckReport(check.id, check.stage, check.id, result, score, worth, "", "", "", "", ())  # type: ignore[arg-type]
        )
    exam: Any = SimpleNamespace(rubric=rubric, models=["gpt"], explained=lambda _: True)
    score, told = capped(exam, reports)
    return score, [sentence.render("en") for sentence in told]


def test_a_gate_bounds_the_whole_where_its_check_or_stage_is_not_passed() -> None:
    rubric = read_rubric()
    gated = replace(rubric, gates={"causality": 60.0, "padding.row": 90.0})
    assert of(gated) == (100, [])
    assert of(gated, padding_row="failed") == (
        90, ["At most 90 points in all, since this is not passed: The padding row gets no gradient."]
    )  # fmt: skip
    assert of(gated, causality_train="partial") == (
        60, ["At most 60 points in all, since this is not passed: Causality."]
    )  # fmt: skip
    # the lower of two; and none is told of that bounds nothing
    assert of(gated, causality_eval="failed", padding_row="failed")[0] == 60
    others = {
        check.id.replace(".", "_"): "failed" for check in asked(rubric) if check.stage in ("forward", "gradients")
    }
    assert of(gated, padding_row="failed", **others) == (100 - 42 - 8 - 4, [])
    assert of(rubric, causality_train="partial") == (98, [])


@pytest.mark.parametrize("parts", [PARTS, ("GPT",), read_rubric().parts])
def test_a_total_rescales_points_and_a_gate_is_of_it(parts: tuple[str, ...]) -> None:
    plain = replace(read_rubric(), parts=parts)
    rubric = replace(plain, total=10.0, gates={"causality": 6.0})
    assert most_points(rubric) == 10
    assert of(rubric)[0] == pytest.approx(10)
    score, told = of(rubric, causality_eval="failed")
    assert score == 6
    assert told == ["At most 6 points in all, since this is not passed: Causality."]
    if parts == plain.parts == read_rubric().parts:
        assert in_total(rubric, plain.points["forward.attention"]) == 1.0


def test_without_a_total_no_point_changes_a_bit() -> None:
    rubric = read_rubric()
    assert most_points(rubric) == 100
    assert all(in_total(rubric, points) is points for points in rubric.points.values())


@given(st.lists(st.sampled_from([*STAGES, *IDS]), min_size=1, max_size=4))
def test_some_checks_alone_are_counted_with_what_they_read_before_them(names: list[str]) -> None:
    rubric = read_rubric()
    narrow = narrowed(rubric, names)
    ids = [check.id for check in counted(narrow)]
    assert ids == [id for id in IDS if {id, id.split(".")[0]} & {*names}]
    run = [check.id for check in needed(narrow)]
    assert {*ids} <= {*run}
    for check in needed(narrow):  # what a check reads has run before it
        assert {*check.after} <= {*run[: run.index(check.id)]}
    # nothing else runs: what is not counted is read by something that runs
    assert all(any(id in check.after for check in needed(narrow)) for id in {*run} - {*ids})
    # neither the whole nor another part is taken for it
    assert narrow.sha256 != rubric.sha256
    assert (narrow.sha256 == narrowed(rubric, IDS[:1]).sha256) == (ids == IDS[:1])
    assert narrowed(rubric, []) == rubric


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("causalty", "no check or stage 'causalty'. Did you mean 'causality'?"),
        ("forward.fnn", "Did you mean 'forward.ffn'?"),
        ("", "no check or stage ''. The stages are loads, builds"),
        ("vocabulary.encode", "does not ask for what vocabulary.encode is about: see its [parts]"),
        ("generation", "does not ask for what generation is about"),
    ],
)
def test_what_is_no_check_or_not_asked_for_is_refused(name: str, words: str) -> None:
    with pytest.raises(PygptError) as refused:
        narrowed(replace(read_rubric(), parts=PARTS), ["causality", name])
    assert words in str(refused.value)


def test_students_check_what_everyone_sees() -> None:
    rubric = replace(read_rubric(), visibility={"training": "hidden", "forward.ffn": "after_due_date"})
    ids = {check.id for check in counted(public(rubric))}
    assert {*IDS} - ids == {"training.loss", "training.step", "training.curve", "forward.ffn"}
    with pytest.raises(PygptError, match="hides all"):
        public(replace(rubric, visibility=dict.fromkeys(STAGES, "hidden")))


GRADES = st.builds(replace, st.just(REPORT), score=st.integers(0, 100).map(float), max_score=st.just(100.0))
LATE = st.fixed_dictionaries({"points": st.integers(0, 20).map(float), "percent": st.integers(0, 50).map(float)})
DAYS = st.integers(0, 20).map(lambda n: n / 2)


@given(GRADES, LATE, DAYS, DAYS)
def test_days_late_take_off_what_the_rubric_says_but_no_more_than_there_is(
    report: GradeReport, rule: dict[str, float], days: float, others: float
) -> None:
    rubric = replace(read_rubric(), late=rule)
    less = late(report, days, rubric)
    off = days * (rule["points"] + rule["percent"])  # of 100 points, a percent is a point
    assert less.score == pytest.approx(max(0.0, report.score - off))
    assert (less.days_late, less.score + less.deducted) == (days, pytest.approx(report.score))
    # whatever was taken off before
    assert late(late(report, others, rubric), days, rubric) == less
    assert late(less, 0.0, rubric) == report


@needs_isolation
def test_a_check_says_alone_what_it_says_in_the_whole(tmp_path: Any) -> None:
    changes = [("nn.GELU()", 'nn.GELU(approximate="tanh")'), ("diagonal=1", "diagonal=2"), (", padding_idx=0", "")]
    (tmp_path / "port.py").write_text(mutated(CORRECT.read_text(), *changes))
    submission, rubric = Submission(tmp_path / "port.py", "port"), replace(read_rubric(), parts=PARTS)
    (whole,) = grade_all([submission], GradingJob(rubric, SEED))
    for names in (["causality"], ["forward.ffn", "padding.row"], ["builds"]):
        (part,) = grade_all([submission], GradingJob(narrowed(rubric, names), SEED))
        expected = tuple(check for check in whole.checks if {check.id, check.stage} & {*names})
        assert part.checks == expected
        assert (part.score, part.max_score) == (sum(c.score for c in expected), sum(c.max_score for c in expected))
        assert part.only == tuple(check.id for check in counted(narrowed(rubric, names)))
        assert part.rubric_sha256 != whole.rubric_sha256
