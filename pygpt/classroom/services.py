"""Results for services: Gradescope's and PrairieLearn's `results.json`, JUnit XML (sources: docs/grading.md)."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

from pygpt.files import json_text
from pygpt.grading.report import CheckReport, GradeReport
from pygpt.grading.reports.text import details, foot, start_here, summary
from pygpt.grading.rubric import VISIBILITIES, Rubric

_PRAIRIELEARN_MOST = 1_000_000


def gradescope(report: GradeReport, rubric: Rubric) -> str:
    """`results.json` of Gradescope: scores as numbers, `number` as text, a score at the top.

    Where the rubric hides a check, Gradescope shows no total: the overview says then only what goes with what is seen.
    """
    seen = tuple(check for check in report.checks if rubric.seen(check.id) == VISIBILITIES[0])
    overview = summary(report)
    if len(seen) < len(report.checks):
        lines = [start_here(replace(report, checks=seen)), report.unsafe or "", *foot(report)]
        overview = "\n".join(line for line in lines if line)
    tests = [
        {
            "name": check.title,
            "number": str(number),
            "score": check.score,
            "max_score": check.max_score,
            "status": "passed" if check.status == "passed" else "failed",
            "output": _details(check, report.lang),
            "tags": [check.stage],
            "visibility": rubric.seen(check.id),
        }
        for number, check in enumerate(report.checks, start=1)
    ]
    content = {
        "score": report.score,
        "execution_time": round(report.seconds),
        "output": overview,
        "output_format": "text",
        "test_output_format": "text",
        "test_name_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "extra_data": {"seed": report.seed, "state": report.state, "sha256": report.sha256},
        "tests": tests,
    }
    return json_text(content)


def prairielearn(report: GradeReport) -> str:
    """`results.json` of PrairieLearn: score from 0 to 1; what cannot be graded costs no attempt; at most 1 MB."""
    graded = report.state == "graded"
    tests = [
        {
            "name": check.title,
            "description": check.rationale,
            "points": check.score,
            "max_points": check.max_score,
            "message": "" if check.status == "passed" else check.hint,
            "output": _details(check, report.lang),
        }
        for check in report.checks
    ]
    content: dict[str, Any] = {
        "gradable": graded,
        "score": report.score / report.max_score if report.max_score else 0.0,
        "message": summary(report),
        "tests": tests,
    }
    if not graded:
        content["format_errors"] = [report.message]
    if len(json_text(content).encode()) > _PRAIRIELEARN_MOST:
        content["tests"] = [test | {"output": str(test["output"])[:1000]} for test in tests]
    return json_text(content)


def junit(reports: Sequence[GradeReport]) -> str:
    """JUnit XML: a suite a submission, a case a check; an unusable submission is one case with an error.

    Surefire's schema wants a time of every case; checks are not timed one by one.
    """
    root = ElementTree.Element("testsuites", name="pygpt grade")
    for report in reports:
        ungraded = report.state != "graded"
        suite = ElementTree.SubElement(
            root,
            "testsuite",
            name=report.submission,
            tests=str(len(report.checks) + ungraded),
            failures=str(sum(check.status != "passed" for check in report.checks)),
            errors=str(int(ungraded)),
            skipped="0",
            time=f"{report.seconds:.2f}",
        )
        if ungraded:
            case = _case(suite, report, "grade")
            ElementTree.SubElement(case, "error", type=report.state, message=report.message)
        for check in report.checks:
            case = _case(suite, report, check.id)
            if check.status != "passed":
                failure = ElementTree.SubElement(case, "failure", type=check.status, message=check.actual)
                failure.text = _details(check, report.lang)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _case(suite: ElementTree.Element, report: GradeReport, name: str) -> ElementTree.Element:
    return ElementTree.SubElement(suite, "testcase", classname=report.submission, name=name, time="0")


def _details(check: CheckReport, lang: str) -> str:
    return "\n".join(details(check, lang))
