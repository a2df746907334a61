"""One self-contained HTML page a submission: the checks, and the ladder with its first divergence marked."""

from collections.abc import Sequence
from html import escape
from typing import Any

from pygpt.grading.reports.text import head
from pygpt.grading.words import Words

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; color: #222; }
table { border-collapse: collapse; width: 100%; margin: 1rem 0; }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #ddd; vertical-align: top; }
td.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
tr.failed td:first-child { border-left: .4rem solid #b3261e; }
tr.partial td:first-child { border-left: .4rem solid #c77700; }
tr.passed td:first-child { border-left: .4rem solid #2e7d32; }
tr.first { background: #fff3cd; font-weight: 600; }
.unsafe { background: #b3261e; color: #fff; padding: .6rem; }
dl { margin: .3rem 0; } dt { font-weight: 600; } dd { margin: 0 0 .3rem 1rem; overflow-wrap: anywhere; }
@media (prefers-color-scheme: dark) { body { background: #111; color: #eee; } tr.first { color: #111; } }
"""


def page(report: dict[str, Any]) -> str:
    """The page. Nothing in it is loaded from elsewhere or run, and every text is escaped."""
    w = Words(report["lang"])
    lang = "pt-BR" if report["lang"] == "pt" else "en"
    parts = [
        f'<!doctype html>\n<html lang="{lang}"><head><meta charset="utf-8">',
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">",
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(report['submission'])}</title><style>{_STYLE}</style></head><body>",
        f"<h1>{escape(head(report))}</h1>",
    ]
    if report["unsafe"]:
        parts.append(f'<p class="unsafe">{escape(report["unsafe"])}</p>')
    if report["message"]:
        parts.append(f"<p>{escape(report['message'])}</p>")
    parts += [_ladder(model, rows, w) for model, rows in report["ladders"].items()]
    if report["checks"]:
        parts.append(f"<table><thead><tr><th>{w('check')}</th><th>{w('points')}</th></tr></thead><tbody>")
        parts += [_check(check, w) for check in report["checks"]]
        parts.append("</tbody></table>")
    if report["padding_row"]:
        parts.append(f"<p>{escape(w.padding(report['padding_row']))}</p>")
    parts.append(f"<p>{w('seed')} {report['seed']}</p></body></html>\n")
    return "\n".join(parts)


def _check(check: dict[str, Any], w: Words) -> str:
    details = ""
    if check["status"] != "passed":
        rows = [
            f"<dt>{escape(i['name'])}</dt><dd>{w('expected')}: {escape(i['expected'])}<br>"
            f"{w('got')}: {escape(i['actual'])}</dd>"
            for i in check["items"]
            if not i["passed"]
        ]
        hint = f"<p>{w('hint')}: {escape(check['hint'])}</p>"
        details = f"<p>{escape(check['rationale'])}</p><dl>{''.join(rows)}</dl>{hint}"
    return (
        f'<tr class="{check["status"]}"><td><b>{escape(w.stage(check["stage"]))}: {escape(check["title"])}</b>{details}'
        f'</td><td class="n">{check["score"]:g} / {check["max_score"]:g}</td></tr>'
    )


def _ladder(model: str, rows: Sequence[dict[str, Any]], w: Words) -> str:
    columns = ("quantity", "expected", "got", "difference", "verdict")
    header = "".join(f"<th>{w(name)}</th>" for name in columns)
    body = "".join(
        f'<tr class="{"first" if row["first_divergence"] else ""}"><td>{escape(row["quantity"])}</td>'
        f'<td class="n">{_number(row["expected"])}</td><td class="n">{_number(row["actual"])}</td>'
        f'<td class="n">{_number(row["difference"])}</td><td>{escape(row["verdict"])}</td></tr>'
        for row in rows
    )
    return f"<h2>{w('ladder')} {escape(model)}</h2><table><thead><tr>{header}</tr></thead><tbody>{body}</tbody></table>"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"
