"""Grading one submission: load it, run every check, and put all that was found into one report.

The report is plain data (format 1, see docs/grading.md); every kind of output is made from it alone.
"""

import time
import traceback
from typing import Any

import torch

import pygpt
from pygpt.errors import PygptError
from pygpt.grading.checks import CHECKS
from pygpt.grading.exam import Check, Exam, Item, Verdict
from pygpt.grading.isolation.sandbox import stays_root
from pygpt.grading.isolation.session import AnswerError, Session
from pygpt.grading.ladder import ladder_rows
from pygpt.grading.messages import Message, plain, say
from pygpt.grading.port import Port
from pygpt.grading.rubric import Rubric
from pygpt.grading.submission import Submission, UnusableError, staged

FORMAT = 1
GRADED, UNGRADABLE, GRADER_ERROR = "graded", "ungradable", "grader_error"
NOT_PROTECTED = say(
    "graded with --unsafe: the submission could read and write files, use the network and see other processes"
)
AS_ROOT = say("it ran as root, since no other user may read Python and torch here")


def grade(submission: Submission, rubric: Rubric, seed: int, lang: str, unsafe: bool = False) -> dict[str, Any]:
    """The report of one submission. Nothing that a submission does raises an error here."""
    began = time.monotonic()
    report = _empty(submission, rubric, seed, lang, unsafe)
    try:
        torch.set_num_threads(1)
        with staged(submission) as (path, digest):
            report["sha256"] = digest
            with Session(path, rubric.limits, unsafe) as session, Session(path, rubric.limits, unsafe) as apart:
                _examine(report, session, apart, rubric, seed, lang)
    except (UnusableError, AnswerError) as failed:
        report |= {"state": UNGRADABLE, "message": failed.message.render(lang)}
    except PygptError as error:
        report |= {"state": GRADER_ERROR, "message": plain(str(error))}
    except Exception as error:  # a fault of the grader itself must not end a class
        last = traceback.extract_tb(error.__traceback__)[-1]
        report |= {
            "state": GRADER_ERROR,
            "message": plain(f"{type(error).__name__}: {error} ({last.name}:{last.lineno})"),
        }
    report["seconds"] = round(time.monotonic() - began, 2)
    return report


def failed_report(
    submission: Submission, rubric: Rubric, seed: int, lang: str, unsafe: bool, words: str
) -> dict[str, Any]:
    """The report where the grader itself failed."""
    return _empty(submission, rubric, seed, lang, unsafe) | {"message": plain(words)}


def asked(rubric: Rubric) -> list[Check]:
    """The checks that this rubric asks for, whatever the submission has, in the order in which they run."""
    return [check for check in CHECKS if all(part in rubric.parts for part in check.needs)]


def _examine(report: dict[str, Any], session: Session, apart: Session, rubric: Rubric, seed: int, lang: str) -> None:
    session.load()
    if not {"GPT", "GPT_NoAttn"} & set(session.parts) & set(rubric.parts):
        raise AnswerError(say("neither GPT nor GPT_NoAttn is defined"))
    exam = Exam(Port(session), Port(apart), rubric, seed)
    for check in asked(rubric):
        missing = [part for part in check.needs if part not in session.parts]
        if missing:
            verdict = Verdict(False, say("{part}", part=missing[0]), say("{part} is not defined", part=missing[0]))
            exam.items[check.id] = [Item(say("{part}", part=missing[0]), verdict)]
        else:
            exam.items[check.id] = list(check.run(exam))
    stages = list(dict.fromkeys(check.id.split(".")[0] for check in CHECKS))
    shown = sorted(asked(rubric), key=lambda check: stages.index(check.id.split(".")[0]))
    report["checks"] = [_check(check, exam.items[check.id], rubric, lang) for check in shown]
    report["score"] = round(sum(check["score"] for check in report["checks"]), 4)
    report |= {"state": GRADED, "padding_row": exam.padding_row, "ladders": ladder_rows(exam, lang)}


def _empty(submission: Submission, rubric: Rubric, seed: int, lang: str, unsafe: bool) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "pygpt": pygpt.__version__,
        "submission": submission.name,
        "sha256": None,
        "state": GRADER_ERROR,
        "message": "",
        "score": 0.0,
        "max_score": sum(rubric.points[check.id] for check in asked(rubric)),
        "seed": seed,
        "rubric_sha256": rubric.sha256,
        "lang": lang,
        "unsafe": _stamp(lang) if unsafe else None,
        "padding_row": None,
        "seconds": 0.0,
        "checks": [],
        "ladders": {},
    }


def _stamp(lang: str) -> str:
    return "; ".join(m.render(lang) for m in (NOT_PROTECTED, *([AS_ROOT] if stays_root() else [])))


def _check(check: Check, items: list[Item], rubric: Rubric, lang: str) -> dict[str, Any]:
    points, passed = rubric.points[check.id], sum(item.verdict.passed for item in items)
    status = "passed" if passed == len(items) else "partial" if passed else "failed"
    shown = next((item for item in items if not item.verdict.passed), items[0])

    def words(message: Message) -> str:
        return message.render(lang)

    return {
        "id": check.id,
        "stage": check.id.split(".")[0],
        "title": words(check.title),
        "status": status,
        "score": points * passed / len(items),
        "max_score": points,
        "rationale": words(check.rationale),
        "expected": words(shown.verdict.expected),
        "actual": words(shown.verdict.actual),
        "hint": "" if status == "passed" else words(check.hint),
        "items": [
            {
                "name": words(item.name),
                "passed": item.verdict.passed,
                "expected": words(item.verdict.expected),
                "actual": words(item.verdict.actual),
            }
            for item in items
        ],
    }
