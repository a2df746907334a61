"""A parity report as one HTML file that needs no network."""

import html
import json

from pygpt.parity.compare import Line
from pygpt.parity.explanation import explain
from pygpt.parity.report import Report, limit_text, number, shape_text, verdict

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 68rem; padding: 0 1rem; color: #1b1f24 }
table { border-collapse: collapse; width: 100%; font-size: 13px }
th, td { text-align: right; padding: .2rem .6rem; border-bottom: 1px solid #e4e7eb; font-variant-numeric: tabular-nums }
th:first-child, td:first-child { text-align: left; font-family: ui-monospace, monospace }
tr.over { background: #fdecea } tr.first { background: #f8c9c4; font-weight: 600 }
.box { border-left: 5px solid #2e7d32; background: #eef7ee; padding: .6rem 1rem; margin: 1rem 0 }
.box.bad { border-color: #c62828; background: #fdecea }
summary { cursor: pointer } pre { white-space: pre-wrap; font-size: 12px }
"""


def report_html(reports: list[Report]) -> str:
    """All reports on one page."""
    parts = [_section(report) for report in reports]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width"><title>pygpt parity</title>'
        f"<style>{_STYLE}</style></head><body><h1>Port and R, quantity by quantity</h1>\n"
        + "\n".join(parts)
        + "</body></html>\n"
    )


def _section(report: Report) -> str:
    return (
        f"<h2>{_e(report.title)}</h2><p>Source of the expected values: <b>{_e(report.source)}</b>; "
        f"{_e(report.strictness)}.</p>{_box(report)}{_table(report)}<details><summary>Settings and provenance</summary>"
        f"<pre>{_e(json.dumps(report.facts, indent=1))}</pre></details>"
    )


def _box(report: Report) -> str:
    lines, found = report.comparison.lines, explain(report.comparison)
    if found is None:
        return f'<div class="box">All {len(lines)} quantities are within their limits.</div>'
    first = report.comparison.first_divergence
    assert first is not None
    return (
        f'<div class="box bad"><b>First divergence: {_e(first.name)}</b><br>{_e(verdict(first))}<br>'
        f"{_e(found.inputs)}<br>This usually means: {_e(found.usual_causes)}.</div>"
    )


def _table(report: Report) -> str:
    names = ("quantity", "shape", "max |diff|", "relative", "ulp", "limit", "where", "expected", "got")
    head = "".join(f"<th>{name}</th>" for name in names)
    first = report.comparison.first_divergence
    rows = "\n".join(_row(line, line is first) for line in report.comparison.lines)
    note = "limit: r stands for a share of each value, m for a share of the tensor's largest; values to 9 digits"
    return f"<table><thead><tr>{head}</tr></thead><tbody>\n{rows}</tbody></table><p><small>{note}</small></p>"


def _row(line: Line, first: bool) -> str:
    kind = ' class="first"' if first else "" if line.agrees else ' class="over"'
    values = (
        ["", line.problem, ""]
        if line.problem
        else [",".join(map(str, line.where)), f"{line.expected:.9g}", f"{line.actual:.9g}"]
    )
    sizes = [number(line.absolute), number(line.relative), number(line.ulp), limit_text(line.limit)]
    cells = "".join(f"<td>{_e(text)}</td>" for text in [line.name, shape_text(line), *sizes, *values])
    return f"<tr{kind}>{cells}</tr>"


def _e(text: str) -> str:
    return html.escape(text)
