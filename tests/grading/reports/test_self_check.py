"""What students are told of their own port, and what Gradescope shows of checks that not everyone sees."""

import json
from dataclasses import replace

import pytest

from pygpt.classroom.services import gradescope
from pygpt.grading.reports.self_check import self_check
from pygpt.grading.rubric import read_rubric
from tests.grading.test_report import CHECK, REPORT

RIGHT = replace(CHECK, id="loads.parts", stage="loads", title="The parts are there", status="passed", hint="")
WRONG = replace(CHECK, rationale="what R does", expected="1.234", hint="do this")
LATER = replace(WRONG, id="forward.norm_eps", title="Later", rationale="later rationale", hint="later hint")


def test_what_is_right_and_the_first_thing_to_mend_without_points_or_what_was_expected() -> None:
    lines = self_check(replace(REPORT, checks=(RIGHT, WRONG, LATER), message="a cell was left out"))
    assert lines[0] == "ana: 1 of 3 checks are right"
    assert lines[1:5] == [
        "    a cell was left out",
        "  right: Loads: The parts are there",
        "  not yet: Forward: FFN",
        "  not yet: Forward: Later",
    ]
    assert lines[6:] == ["Mend this first: FFN", "    what R does", "    GPT; GPT: got 3", "    hint: do this"]
    told = "\n".join(lines)
    assert not [words for words in ("later", "1.234", "1 at position 2", "4.0", "8.0", " / ") if words in told]


def test_all_right_or_not_gradable_leaves_nothing_to_mend_first() -> None:
    assert self_check(replace(REPORT, checks=(RIGHT,)))[-1] == "  right: Loads: The parts are there"
    broken = replace(REPORT, state="ungradable", checks=(), message="SyntaxError", lang="pt")
    assert self_check(broken) == ["ana: não avaliável", "    SyntaxError"]


@pytest.mark.parametrize("visibility", ["hidden", "after_due_date", "after_published"])
@pytest.mark.parametrize("name", ["forward", "forward.ffn"])
def test_gradescope_is_told_who_sees_a_check_and_where_one_is_hidden_no_total(visibility: str, name: str) -> None:
    report = replace(REPORT, checks=(RIGHT, WRONG), message="At most 4 points in all, since FFN is not passed.")
    open_to_all = json.loads(gradescope(report, read_rubric()))
    assert [test["visibility"] for test in open_to_all["tests"]] == ["visible", "visible"]
    assert "graded, 4 / 8" in open_to_all["output"]
    assert report.message in open_to_all["output"]
    results = json.loads(gradescope(report, replace(read_rubric(), visibility={name: visibility})))
    assert [test["visibility"] for test in results["tests"]] == ["visible", visibility]
    assert (results["score"], results["visibility"]) == (4.0, "visible")
    assert results["output"].startswith("padding row: R's")
    assert not [words for words in ("4 / 8", "At most", "start here") if words in results["output"]]


def test_a_check_that_only_others_see_is_not_among_these() -> None:
    report = replace(REPORT, checks=(RIGHT,))
    results = json.loads(gradescope(report, replace(read_rubric(), visibility={"forward": "hidden"})))
    assert "graded, 4 / 8" in results["output"]


def test_what_is_hidden_is_nowhere_said_to_be_mended_first() -> None:
    report = replace(REPORT, checks=(WRONG, LATER))
    assert "start here: Forward: FFN" in json.loads(gradescope(report, read_rubric()))["output"]
    hidden = json.loads(gradescope(report, replace(read_rubric(), visibility={"forward.ffn": "hidden"})))
    assert "start here: Forward: Later" in hidden["output"]
    assert "FFN" not in hidden["output"]
