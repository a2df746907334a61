"""Results for services: Gradescope's and PrairieLearn's `results.json`, JUnit XML (sources: docs/grading.md)."""

import json
from collections.abc import Sequence
from typing import Any
from xml.etree import ElementTree

from pygpt.grading.grade import GRADED, UNGRADABLE
from pygpt.grading.words import Words

_PRAIRIELEARN_MOST = 1_000_000


def gradescope(report: dict[str, Any]) -> str:
    """`results.json` of Gradescope: scores as numbers, `number` as text, a score at the top."""
    content = {
        "score": float(report["score"]),
        "execution_time": round(report["seconds"]),
        "output": _summary(report),
        "output_format": "text",
        "test_output_format": "text",
        "test_name_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "extra_data": {"seed": report["seed"], "state": report["state"], "sha256": report["sha256"]},
        "tests": [
            {
                "name": check["title"],
                "number": str(number),
                "score": float(check["score"]),
                "max_score": float(check["max_score"]),
                "status": "passed" if check["status"] == "passed" else "failed",
                "output": _details(check, report["lang"]),
                "tags": [check["stage"]],
                "visibility": "visible",
            }
            for number, check in enumerate(report["checks"], start=1)
        ],
    }
    return _json(content)


def prairielearn(report: dict[str, Any]) -> str:
    """`results.json` of PrairieLearn: score from 0 to 1; what cannot be graded costs no attempt; at most 1 MB."""
    graded, total = report["state"] == GRADED, report["max_score"]
    content: dict[str, Any] = {
        "gradable": graded,
        "score": report["score"] / total if total else 0.0,
        "message": _summary(report),
        "tests": [
            {
                "name": check["title"],
                "description": check["rationale"],
                "points": check["score"],
                "max_points": check["max_score"],
                "message": "" if check["status"] == "passed" else check["hint"],
                "output": _details(check, report["lang"]),
            }
            for check in report["checks"]
        ],
    }
    if not graded:
        content["format_errors"] = [report["message"]]
    if len(_json(content).encode()) > _PRAIRIELEARN_MOST:
        for test in content["tests"]:
            test["output"] = test["output"][:1000]
    return _json(content)


def junit(reports: Sequence[dict[str, Any]]) -> str:
    """JUnit XML: a suite a submission, a case a check; an unusable submission is one case with an error.

    Surefire's schema wants a time of every case; checks are not timed one by one.
    """
    root = ElementTree.Element("testsuites", name="pygpt grade")
    for report in reports:
        cases = report["checks"]
        suite = ElementTree.SubElement(
            root,
            "testsuite",
            name=report["submission"],
            tests=str(len(cases) + (report["state"] != GRADED)),
            failures=str(sum(check["status"] != "passed" for check in cases)),
            errors=str(int(report["state"] != GRADED)),
            skipped="0",
            time=f"{report['seconds']:.2f}",
        )
        if report["state"] != GRADED:
            case = ElementTree.SubElement(suite, "testcase", classname=report["submission"], name="grade", time="0")
            ElementTree.SubElement(case, "error", type=report["state"], message=report["message"])
        for check in cases:
            case = ElementTree.SubElement(suite, "testcase", classname=report["submission"], name=check["id"], time="0")
            if check["status"] != "passed":
                failure = ElementTree.SubElement(case, "failure", type=check["status"], message=check["actual"])
                failure.text = _details(check, report["lang"])
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _summary(report: dict[str, Any]) -> str:
    w = Words(report["lang"])
    lines = [f"{w(report['state'])}: {report['score']:g} / {report['max_score']:g}", report["message"]]
    if report["state"] == UNGRADABLE or report["unsafe"]:
        lines.append(report["unsafe"] or "")
    lines.append(w.padding(report["padding_row"]) if report["padding_row"] else "")
    lines.append(f"{w('seed')} {report['seed']}")
    return "\n".join(line for line in lines if line)


def _details(check: dict[str, Any], lang: str) -> str:
    w = Words(lang)
    lines = [check["rationale"]]
    for item in check["items"]:
        if not item["passed"]:
            lines += [f"{item['name']}: {w('expected')} {item['expected']}", f"  {w('got')} {item['actual']}"]
    if check["hint"]:
        lines.append(f"{w('hint')}: {check['hint']}")
    return "\n".join(lines)


def _json(content: dict[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False) + "\n"
