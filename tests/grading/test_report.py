"""The grade as data: format 1 on disk, read back as it was, and nothing else taken for it."""

import contextlib
import dataclasses
import json
from typing import Any, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pygpt.errors import PygptError
from pygpt.grading.report import CheckReport, GradeReport, ItemReport, LadderRow, from_json
from tests.fuzz import damaged

ITEM = ItemReport("GPT", False, "1 at position 2", "3")
CHECK = CheckReport(
    "forward.ffn", "forward", "FFN", "partial", 4.0, 8.0, "why", "1 at position 2", "3", "do this", (ITEM, ITEM)
)
ROW = LadderRow("act.embedding", (2, 3), None, 0.1, (0, 1), None, 1.5, False, True, "first diverges here")
REPORT = GradeReport(
    1, "0.1.0", "ana", "0" * 64, "graded", "", 4.0, 8.0, 7, "1" * 64, "en", None, "r", 3.21, (CHECK,), {"GPT": (ROW,)}
)
# What docs/grading.md says of format 1.
FORMAT_1: dict[Any, str] = {
    GradeReport: "format pygpt submission sha256 state message score max_score seed rubric_sha256 lang unsafe "
    "padding_row seconds checks ladders",
    CheckReport: "id stage title status score max_score rationale expected actual hint items",
    ItemReport: "name passed expected actual",
    LadderRow: "quantity shape difference limit where expected actual agrees first_divergence verdict",
}
OPTIONAL = {"only": ("forward.ffn",), "days_late": 1.5, "deducted": 2.0}
"""Facts that most grades have nothing of."""


@pytest.mark.parametrize("cls", FORMAT_1)
def test_the_fields_on_disk_are_those_of_format_1(cls: Any) -> None:
    optional = [*OPTIONAL] if cls is GradeReport else []
    assert list(get_type_hints(cls)) == [*FORMAT_1[cls].split(), *optional]


def test_optional_facts_are_written_where_there_is_something_and_read_where_there_is_not() -> None:
    assert list(json.loads(REPORT.to_json())) == FORMAT_1[GradeReport].split()
    for name, value in OPTIONAL.items():
        more = dataclasses.replace(REPORT, **{name: value})
        assert json.loads(more.to_json()).keys() - json.loads(REPORT.to_json()).keys() == {name}
        assert from_json(more.to_json()) == more != REPORT


def test_format_1_is_plain_json() -> None:
    read = json.loads(REPORT.to_json())
    assert read["checks"][0]["items"][1] == {
        "name": "GPT",
        "passed": False,
        "expected": "1 at position 2",
        "actual": "3",
    }
    assert read["ladders"]["GPT"][0]["where"] == [0, 1]
    assert (read["ladders"]["GPT"][0]["difference"], read["sha256"], read["unsafe"]) == (None, "0" * 64, None)
    assert REPORT.to_json().startswith('{\n "format": 1,\n "pygpt": "0.1.0",\n')


FINITE = st.floats(allow_nan=False, allow_infinity=False)
WORDS = st.text(st.characters(codec="utf-8"), max_size=6)


@given(
    st.builds(
        GradeReport,
        format=st.just(1),
        pygpt=WORDS,
        submission=WORDS,
        message=WORDS,
        rubric_sha256=WORDS,
        score=FINITE,
        max_score=FINITE,
        seconds=FINITE,
        lang=st.sampled_from(["en", "pt"]),
        sha256=st.none() | WORDS,
        unsafe=st.none() | WORDS,
        checks=st.lists(st.builds(dataclasses.replace, st.just(CHECK), score=FINITE, title=WORDS)).map(tuple),
        ladders=st.dictionaries(
            WORDS, st.lists(st.builds(dataclasses.replace, st.just(ROW), difference=FINITE)).map(tuple), max_size=2
        ),
    )
)
def test_what_is_written_is_read_back(report: GradeReport) -> None:
    assert from_json(report.to_json()) == report


def changed(**fields: object) -> str:
    return json.dumps(json.loads(REPORT.to_json()) | fields)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        '{"format": 1}',
        changed(format=2),
        changed(format=True),
        changed(format="1"),
        changed(seed=1.0),
        changed(score="4"),
        changed(score=10**400),
        changed(state="passed"),
        changed(lang="xx"),
        changed(unsafe=False),
        changed(padding_row="both"),
        changed(other=1),
        changed(only="forward.ffn"),
        changed(days_late="2"),
        changed(ladders={"GPT": [None]}),
        changed(checks=[json.loads(REPORT.to_json())["checks"][0] | {"stage": "backward"}]),
        changed(checks=[json.loads(REPORT.to_json())["checks"][0] | {"items": [{"name": "x", "passed": 1}]}]),
        changed(message="\ud800"),
        REPORT.to_json().replace("3.21", "NaN"),
        REPORT.to_json().replace("3.21", "1e999"),
        REPORT.to_json().replace("3.21", "9" * 5000),
        REPORT.to_json()[:-20],
        "[" * 100_000,
    ],
)
def test_what_is_no_grade_is_refused(text: str) -> None:
    with pytest.raises(PygptError, match="not a grade in format 1: "):
        from_json(text)


def test_it_says_where() -> None:
    with pytest.raises(PygptError, match=r"checks\[0\]\.items\[0\]\.passed"):
        from_json(REPORT.to_json().replace('"passed": false', '"passed": "no"'))


@given(damaged(REPORT.to_json().encode()))
def test_any_damage_is_a_report_or_refused(content: bytes) -> None:
    with contextlib.suppress(PygptError, UnicodeDecodeError):
        read = from_json(content.decode())
        assert from_json(read.to_json()) == read
