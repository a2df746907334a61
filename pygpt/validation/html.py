"""A report as one self-contained HTML file: no script, nothing loaded from elsewhere."""

import base64
import json
from html import escape

from pygpt.validation import figure
from pygpt.validation.course import PROMPT
from pygpt.validation.report import Report, Sample, Section, provenance
from pygpt.validation.wording import Table, claim_lines, heading, loss_table, published_lines, text_table, verdict_lines
from pygpt.validation.words import say

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 75rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
h1, h2 { line-height: 1.2; }
h2 { margin-top: 2.5rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .2rem .5rem; font-size: .95rem; text-align: right; white-space: nowrap; }
th { border-bottom: 2px solid #888; }
td { border-bottom: 1px solid #ddd; }
.left { text-align: left; }
.note { color: #555; font-size: .9rem; }
.good, .bad { padding: .1rem .6rem; border-left: .3rem solid #2a7d2a; margin: .3rem 0; }
.bad { border-color: #c22; background: #fdeaea; }
.verdict { font-weight: bold; font-size: 1.2rem; }
img { max-width: 100%; }
.texts { display: grid; grid-template-columns: repeat(auto-fit, minmax(20rem, 1fr)); gap: 1rem; }
pre { background: #f6f6f6; padding: .8rem; max-height: 30rem; overflow: auto; white-space: pre-wrap;
  font-size: .85rem; }
"""


def page(report: Report, lang: str) -> str:
    """The report as a page in a language."""
    title = escape(say(lang, "title"))
    parts = [f"<h1>{title}</h1>"]
    if report.good is not None:
        parts.append(_line(say(lang, "good" if report.good else "bad"), report.good, "verdict"))
    parts += [_section(section, lang) for section in report.sections]
    claim = claim_lines(report, lang)
    parts += [_line(line, good) for line, good in claim]
    parts += [f"<h2>{say(lang, 'figure')}</h2>", _image(report, lang)]
    parts += [f"<h2>{say(lang, 'texts')}</h2>", _texts(report, lang)]
    facts = json.dumps(provenance(report), ensure_ascii=False, indent=1)
    parts += [f"<h2>{say(lang, 'provenance')}</h2>", f"<pre>{escape(facts)}</pre>"]
    return (
        f'<!doctype html>\n<html lang="{lang}">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(parts)
        + "\n</body>\n</html>\n"
    )


def _section(section: Section, lang: str) -> str:
    verdict = [_line(line, good) for line, good in verdict_lines(section, lang)]
    published = [f"<p>{escape(line)}</p>" for line in published_lines(section, lang)]
    return "\n".join(
        [
            f"<h2>{escape(heading(section, lang))}</h2>",
            *verdict,
            _table(loss_table(section, lang), left=2),
            f'<p class="note">{escape(say(lang, "precision"))}</p>',
            *published,
        ]
    )


def _texts(report: Report, lang: str) -> str:
    table = text_table(report, lang)
    shares = [_table(table, left=1), f'<p class="note">{escape(say(lang, "texts_note"))}</p>'] if table[1] else []
    texts = "\n".join(_text(sample, lang) for sample in report.samples if sample.model)
    return "\n".join([*shares, f'<div class="texts">\n{texts}\n</div>'])


def _text(sample: Sample, lang: str) -> str:
    assert sample.model
    name = f"{say(lang, sample.source)}, {say(lang, sample.model)}"
    return f"<div><h3>{escape(name)}</h3><pre><b>{escape(PROMPT)}</b>{escape(sample.text)}</pre></div>"


def _image(report: Report, lang: str) -> str:
    data = base64.b64encode(figure.image(report, lang, "png")).decode("ascii")
    return f'<img alt="{escape(say(lang, "figure"))}" src="data:image/png;base64,{data}">'


def _table(table: Table, left: int) -> str:
    header, rows = table

    def cells(row: list[str], tag: str) -> str:
        side = [' class="left"' if i < left else "" for i in range(len(row))]
        return "".join(f"<{tag}{s}>{escape(cell)}</{tag}>" for s, cell in zip(side, row, strict=True))

    body = "\n".join(f"<tr>{cells(row, 'td')}</tr>" for row in rows)
    return f'<div class="wide"><table>\n<tr>{cells(header, "th")}</tr>\n{body}\n</table></div>'


def _line(text: str, good: bool, extra: str = "") -> str:
    kind = f"{'good' if good else 'bad'} {extra}".strip()
    return f'<p class="{kind}">{escape(text)}</p>'
