"""Submissions of a class that are alike: by their files, and by the passages that their code shares.

A passage is a run of tokens, without comments, layout and the names, numbers and texts in it (the idea of MOSS:
Schleimer, Wilkerson and Aiken: Winnowing, SIGMOD 2003). What the starting file holds is not counted, nor what most of a
class shares. Ports of one program are alike anyhow: of the 13 that were tried, those written apart shared up to 0.65 of
their passages, copies with other names, another order and a new line at every tenth 0.85 and more.
"""

import json
import keyword
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, islice
from pathlib import Path

from pygpt.classroom.template import template
from pygpt.grading.submission import SUFFIXES, Submission
from pygpt.output.messages import LANGUAGES

_RUN = 12
_ALIKE = 0.75
_FEWEST = 60
"""Passages; a submission that has fewer of its own is not compared."""
_MANY = 5
"""What more submissions share, and more than half of the class, comes from the course."""
_MOST_CHARACTERS, _MOST_FILES = 200_000, 300

# What has no name here is no token; texts in three quotes are mostly comments. Each branch takes all that it has looked
# at, so no submission can make it slow: 200,000 equal characters keep Pygments busy for minutes. `tokenize` ends at an
# error, and an edit distance (rapidfuzz) does not see what was put in another order.
_TOKEN = re.compile(
    r"""[\s\\]+|\#[^\n]*|[rbfu]{0,2}(?:\"{3}.*?(?:\"{3}|\Z)|'{3}.*?(?:'{3}|\Z))
    |(?P<text>[rbfu]{0,2}(?:"(?:\\.|[^\\\n"])*"?|'(?:\\.|[^\\\n'])*'?))
    |(?P<number>\d[\w.]*)|(?P<name>\w+)|(?P<sign>.)""",
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)

Passages = frozenset[int]


@dataclass(frozen=True)
class Alike:
    """Submissions that are alike."""

    names: tuple[str, ...]
    share: float | None
    """Of the passages of the shorter one, those that the other has, too; None: the files are the same."""


def alike(submissions: Sequence[Submission], sha256: Mapping[str, str | None]) -> list[Alike]:
    """What is alike, the most alike first; of submissions with the same files, the first stands for all.

    Args:
        sha256: of each submission's files, by its name; None where they could not be read.
    """
    given = frozenset[int]().union(*(_passages(template(lang)) for lang in LANGUAGES))
    own = {s.name: passages for s in submissions if (passages := _passages(_code(s.path)) - given)}
    same: dict[str, list[str]] = {}
    for name in own:
        same.setdefault(sha256[name] or name, []).append(name)
    identical = [Alike(tuple(names), None) for names in same.values() if len(names) > 1]
    times = Counter(passage for passages in own.values() for passage in passages)
    common = {passage for passage, n in times.items() if n > max(_MANY, len(own) / 2)}
    firsts = {names[0]: own[names[0]] - common for names in same.values()}
    firsts = {name: passages for name, passages in firsts.items() if len(passages) >= _FEWEST}
    near = []
    for (one, a), (other, b) in combinations(firsts.items(), 2):
        share = len(a & b) / min(len(a), len(b))
        if share >= _ALIKE:
            near.append(Alike((one, other), share))
    return [*identical, *sorted(near, key=lambda pair: -(pair.share or 0))]


def _passages(code: str) -> Passages:
    tokens = list(_tokens(code))
    return frozenset(hash(tuple(tokens[i : i + _RUN])) for i in range(len(tokens) - _RUN + 1))


def _tokens(code: str) -> Iterator[str]:
    """What is left of code without its author's names, layout and comments; it need not parse."""
    for match in _TOKEN.finditer(code):
        kind, text = match.lastgroup, match[0]
        if kind is None:
            continue
        yield text if kind == "sign" or keyword.iskeyword(text) else kind


def _code(path: Path) -> str:
    """All Python of a submission, the code of its notebooks included; links are left out, as where it is graded."""
    inside = (Path(folder) / name for folder, _, names in os.walk(path) for name in names)
    texts = []
    for file in sorted(islice(inside, _MOST_FILES)) if path.is_dir() else [path]:
        if file.suffix in SUFFIXES and file.is_file() and not file.is_symlink():
            texts.append(_of_notebook(_text(file)) if file.suffix == ".ipynb" else _text(file)[:_MOST_CHARACTERS])
    return "\n".join(texts)[:_MOST_CHARACTERS]


def _text(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            return opened.read(20 << 20).decode("utf-8", "replace")
    except OSError:
        return ""


def _of_notebook(text: str) -> str:
    try:
        cells = json.loads(text)["cells"]
        return "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    except (ValueError, TypeError, KeyError, RecursionError):
        return ""
