"""The register of checks: a misspelt name is an error at once, and nothing counts as passed for want of a result."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pygpt
from pygpt.grading import check as register
from pygpt.grading.check import REGISTERED, STAGES, Case, Check, Item, Outcome, Verdict, check, in_order
from pygpt.grading.checks import CHECKS
from pygpt.grading.exam import Exam, of_models, once
from pygpt.grading.port import Port
from pygpt.grading.rubric import read_rubric
from pygpt.isolation.session import AnswerError
from pygpt.output.messages import say

SOME = say("defined")
RIGHT = Verdict.of(True, SOME, SOME)


class Parts:
    """A submission of which nothing but the parts is asked."""

    def __init__(self, *parts: str) -> None:
        self.session, self.parts = self, parts


def exam(*parts: str) -> Exam:
    port = cast("Port", Parts(*parts))
    return Exam(port, read_rubric(), 1)


def made(id: str, *after: str, judge: Callable[..., Verdict] = lambda _exam: RIGHT, **others: object) -> Check:
    return Check(id, SOME, SOME, SOME, judge, once(SOME), after=after, **others)  # type: ignore[arg-type]


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> dict[str, Check]:
    """The register, a copy that a test may change."""
    own = dict(REGISTERED)
    monkeypatch.setattr(register, "REGISTERED", own)
    monkeypatch.setattr("pygpt.grading.exam.REGISTERED", own)
    return own


def test_a_misspelt_check_has_not_passed_but_is_an_error() -> None:
    finished = exam()
    assert finished.passed("forward.attention")  # not asked for: there is nothing that could have failed
    for ask in (finished.passed, finished.results):
        with pytest.raises(LookupError, match=r"forward\.atention"):
            ask("forward.atention")


def test_a_check_reads_only_those_that_it_follows(registered: dict[str, Check]) -> None:
    def reads(exam: Exam) -> Verdict:
        return Verdict.of(exam.passed("forward.head"), SOME, SOME)

    running = exam()
    with pytest.raises(LookupError, match=r"forward\.head"):
        running.run(made("forward.whole", judge=reads))
    running = exam()
    running.run(made("forward.whole", "forward.head", judge=reads))
    assert running.passed("forward.whole")


@pytest.mark.parametrize(
    ("file", "old", "new", "words"),
    [
        ("changes.py", '"forward.ffn"', '"forward.fnn"', "a change costs forward.fnn: there is no such check"),
        ("forward.py", '"forward.whole"', '"forward.hwole"', "a change costs forward.whole: there is no such check"),
        ("forward.py", 'needs=("GPT"', 'needs=("GTP"', "unknown part"),
        ("dropout.py", '"dropout.eval"', '"droput.eval"', "unknown stage"),
        ("training.py", '"training.loss"', '"training.lost"', "follows training.loss: there is no such check"),
        ("vocabulary.py", '"vocabulary.encode"', '"vocabulary.enc"', "rubric.toml and the checks differ in vocabulary"),
        ("rubric.toml", '"forward.head"', '"forward.haed"', "rubric.toml and the checks differ in forward.ha"),
    ],
)
def test_a_misspelling_or_a_circle_in_a_file_ends_the_import(
    file: str, old: str, new: str, words: str, tmp_path: Path
) -> None:
    package = tmp_path / "pygpt"
    shutil.copytree(Path(pygpt.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    (path,) = (package / "grading").rglob(file)
    assert old in path.read_text(), "stale"
    path.write_text(path.read_text().replace(old, new, 1))
    command = [sys.executable, "-c", "import pygpt.grading.checks"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert words in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("id", "needs", "words"),
    [("forwrad.ffn", (), "stage"), ("forward.ffn", (), "taken"), ("forward.new", ("GTP",), "part")],
)
def test_what_cannot_be_registered(registered: dict[str, Check], id: str, needs: tuple[str, ...], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        check(id, SOME, SOME, SOME, once(SOME), needs)(lambda _exam: RIGHT)
    check("forward.new", SOME, SOME, SOME, once(SOME), ("GPT",))(lambda _exam: RIGHT)
    assert list(registered)[-1] == "forward.new"


def test_circles_and_unknown_checks_have_no_order() -> None:
    with pytest.raises(ValueError, match=r"forward\.b follows forward\.c: there is no such check"):
        in_order([made("forward.a"), made("forward.b", "forward.c")])
    with pytest.raises(ValueError, match=r"in a circle: forward\.b, forward\.c"):
        in_order([made("forward.a"), made("forward.b", "forward.c"), made("forward.c", "forward.b", "forward.a")])
    with pytest.raises(ValueError, match="in a circle"):
        in_order([made("forward.a", "forward.a")])


@given(st.data())
def test_the_order_keeps_what_follows_what_and_else_stage_and_place(data: st.DataObject) -> None:
    stages = data.draw(st.lists(st.sampled_from(list(STAGES)), min_size=1, max_size=8))
    ids = [f"{stage}.c{i}" for i, stage in enumerate(stages)]
    # Each follows some of those before it in a drawn order: so there is no circle.
    order = data.draw(st.permutations(ids))
    after = {id: data.draw(st.sets(st.sampled_from(order[:i]))) if i else set() for i, id in enumerate(order)}
    checks = [made(id, *after[id]) for id in ids]
    ran = [check.id for check in in_order(checks)]
    assert sorted(ran) == sorted(ids)
    assert all(ran.index(earlier) < ran.index(id) for id in ids for earlier in after[id])
    wished = sorted(ids, key=lambda id: (list(STAGES).index(id.split(".")[0]), ids.index(id)))
    for place, id in enumerate(ran):
        # What was wished for earlier and runs later had to wait for something.
        for other in ran[place + 1 :]:
            if wished.index(other) < wished.index(id):
                assert after[other] & set(ran[place:])


def test_the_checks_are_those_of_the_rubric_and_follow_what_they_read() -> None:
    ran = [check.id for check in CHECKS]
    assert sorted(ran) == sorted(read_rubric().points)
    assert all(ran.index(earlier) < ran.index(check.id) for check in CHECKS for earlier in check.after)


def test_a_part_that_is_missing_is_one_item_that_failed(registered: dict[str, Check]) -> None:
    running = exam("GPT")
    running.run(made("training.loss", judge=lambda _exam: pytest.fail("asked all the same"), needs=("GPT", "loss")))
    (item,) = running.results("training.loss")
    assert (item.outcome, item.part, item.model) == (Outcome.WRONG, "loss", None)
    assert not running.passed("training.loss")
    assert not running.passed("training.loss", model="gpt")


def test_a_judge_that_gets_no_answer_has_not_passed() -> None:
    def asks(_exam: Exam) -> Verdict:
        raise AnswerError(say("an answer"))

    running = exam()
    running.run(made("training.loss", judge=asks))
    assert [item.outcome for item in running.results("training.loss")] == [Outcome.NO_ANSWER]


def test_items_say_what_they_are_about_in_fields() -> None:
    running = exam()
    cases = [Case(SOME, "gpt", block, "FFN", (block,)) for block in (1, 2)]
    judged = Check("forward.ffn", SOME, SOME, SOME, lambda _exam, b: Verdict.of(b == 1, SOME, SOME), lambda _: cases)
    running.run(judged)
    assert running.results("forward.ffn") == [
        Item("forward.ffn", SOME, "gpt", 1, "FFN", Outcome.RIGHT, SOME, SOME),
        Item("forward.ffn", SOME, "gpt", 2, "FFN", Outcome.WRONG, SOME, SOME),
    ]
    assert not running.passed("forward.ffn", model="gpt")
    assert running.passed("forward.ffn", model="gpt_noattn")


def test_what_is_paid_elsewhere_counts_as_passed_and_says_so() -> None:
    paid = Verdict.of(False, SOME, SOME).paid()
    assert paid.passed
    assert paid.outcome is Outcome.PAID
    assert "another check has taken the points" in paid.actual.render("en")
    assert [outcome for outcome in Outcome if outcome.passed] == [Outcome.RIGHT, Outcome.PAID]


def test_models_are_those_that_the_rubric_asks_for() -> None:
    assert [case.given for case in of_models(3)(exam())] == [("gpt", 3), ("gpt_noattn", 3)]
    assert [case.model for case in of_models(having="MH")(exam())] == ["gpt"]
