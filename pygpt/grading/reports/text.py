"""Reports for a terminal: one submission in full; a class as a table and what fails most."""

import textwrap
from collections import Counter
from collections.abc import Sequence
from typing import Any

from pygpt.grading.words import Words

_MARKS = {"passed": "+", "partial": "~", "failed": "-"}


def one(report: dict[str, Any], width: int = 100) -> list[str]:
    """Every check, what was expected and what came, and the ladder where something diverges."""
    w = Words(report["lang"])
    lines = [head(report), *([f"!! {report['unsafe']}"] if report["unsafe"] else [])]
    if report["message"]:
        lines += _wrapped(report["message"], width, 2)
    stage = None
    for check in report["checks"]:
        if check["stage"] != stage:
            stage = check["stage"]
            lines.append(w.stage(stage))
        points = f"{check['score']:g}/{check['max_score']:g}"
        lines.append(f"  {_MARKS[check['status']]} {check['title']}  {points}")
        if check["status"] == "passed":
            continue
        lines += _wrapped(check["rationale"], width, 6)
        for item in (i for i in check["items"] if not i["passed"]):
            lines += _wrapped(f"{item['name']}: {w('expected')} {item['expected']}", width, 6)
            lines += _wrapped(f"{' ' * len(item['name'])}  {w('got')} {item['actual']}", width, 6)
        lines += _wrapped(f"{w('hint')}: {check['hint']}", width, 6)
    for model, rows in report["ladders"].items():
        lines += _ladder(model, rows, w)
    if report["padding_row"]:
        lines.append(w.padding(report["padding_row"]))
    lines.append(f"{w('seed')} {report['seed']}, {report['seconds']:.1f} s")
    return lines


def head(report: dict[str, Any]) -> str:
    """One line: name, state, score."""
    w = Words(report["lang"])
    return f"{report['submission']}: {w(report['state'])}, {report['score']:g} / {report['max_score']:g}"


def of_class(reports: Sequence[dict[str, Any]], lang: str) -> list[str]:
    """A line a submission, then which check fails most."""
    w = Words(lang)
    width = max((len(report["submission"]) for report in reports), default=0)
    lines = []
    for report in reports:
        failed = [check["id"] for check in report["checks"] if check["status"] != "passed"]
        shown = ", ".join(failed[:4]) + (" …" if len(failed) > 4 else "") or report["message"]
        score = f"{report['score']:7.2f} / {report['max_score']:g}"
        lines.append(f"{report['submission']:{width}}  {score}  {w(report['state'])}  {shown}")
    most = Counter(c["id"] for r in reports for c in r["checks"] if c["status"] != "passed").most_common(8)
    if most:
        lines.append(w("what fails most"))
        lines += [f"  {count:4}  {name}" for name, count in most]
    scores = [report["score"] for report in reports]
    if scores:
        lines.append(f"{w('mean')} {sum(scores) / len(scores):.2f}, {len(scores)} {w('submissions')}")
    return lines


def _ladder(model: str, rows: Sequence[dict[str, Any]], w: Words) -> list[str]:
    if all(row["agrees"] for row in rows):
        return []
    width = max(len(row["quantity"]) for row in rows)
    lines = [f"{w('ladder')} {model}"]
    for row in rows:
        gap = "-" if row["difference"] is None else f"{row['difference']:.2e}"
        mark = ">" if row["first_divergence"] else " "
        lines.append(f" {mark} {row['quantity']:{width}}  {gap:>9}  {row['verdict']}")
    return lines


def _wrapped(words: str, width: int, indent: int) -> list[str]:
    space = " " * indent
    return textwrap.wrap(words, width, initial_indent=space, subsequent_indent=space + "  ") or [space]
