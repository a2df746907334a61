"""What was left out, as a student reads it; and right ports, whole with all that stands around them."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pygpt.grading.grade import GradingJob, grade
from pygpt.grading.left_out import sentences
from pygpt.grading.report import GradeReport
from pygpt.grading.rubric import read_rubric
from pygpt.grading.submission import Submission
from tests.grading.helpers import CORRECT, SEED, mutated, needs_isolation
from tests.isolation.reading.test_cells import notebook

NOTES = (
    "foreign\ta.ipynb\t5\t1\t1\t%%bash\t",
    "command\ta.ipynb\t1\t2\t2\t!ls\t",
    "import\tb.py\t0\t3\t3\timport tqdm\t",
    "unused\ta.ipynb\t10\t1\t4\tfor i in range(3):\t",
    "unused\ta.ipynb\t2\t7\t7\tplot()\t",
    "taken\tb.py\t0\t0\t0\tEncoder, loss\t",
)


def said(*notes: str, lang: str = "en", entry: str = "a.ipynb") -> str:
    return " ".join(sentence.render(lang) for sentence in sentences(notes, entry))


def test_a_sentence_for_each_kind_in_the_order_of_the_file() -> None:
    assert said(*NOTES) == (
        "Left out, since these cells are not Python: cell 5, line 1: %%bash. "
        "Left out, since these are commands of the notebook: cell 1, line 2: !ls. "
        "Left out, since these imports fail here and nothing that is graded needs them: b.py, line 3: import tqdm. "
        "Not run, since nothing that is graded needs it: cell 2, line 7: plot(); cell 10, line 1: for i in range(3):. "
        "Taken from other files: b.py: Encoder, loss."
    )
    assert "célula 2, linha 7: plot(); célula 10" in said(*NOTES, lang="pt")


def test_a_script_is_told_where_such_code_belongs() -> None:
    note = "unused\ta.py\t0\t79\t90\tmodel = GPT()\t"
    assert said(note, entry="a.py").endswith(
        'lines 79 to 90: model = GPT(). What trains, reads or prints belongs below if __name__ == "__main__":'
    )
    assert 'abaixo de if __name__ == "__main__":' in said(note, lang="pt")


def test_many_are_counted_and_the_same_is_said_once() -> None:
    notes = [f"failed\ta.py\t0\t{i}\t{i}\tx = {i}\tKeyError: {i}" for i in range(1, 30)]
    words = said(*notes, *notes, entry="a.py")
    assert "line 6: x = 6 (KeyError: 6); 23 more." in words
    assert "x = 7" not in words


@given(st.lists(st.text(max_size=30) | st.sampled_from(NOTES).map(lambda note: note.replace("1", "x")), max_size=4))
def test_notes_that_no_grader_wrote_say_nothing_or_plain_words(notes: list[str]) -> None:
    assert said(*notes).isprintable()


def graded(path: Path, lang: str = "en") -> GradeReport:
    return grade(Submission(path, path.stem), GradingJob(read_rubric(), SEED, lang))


@needs_isolation
def test_a_right_notebook_is_whole(tmp_path: Path) -> None:
    device, modulo = ("torch.arange(k)", "torch.arange(k, device=CFG.device)"), ("i + 1 for", "i + shift[0]\n% 2 for")
    port = mutated(CORRECT.read_text(), device, modulo)
    cells = (
        "%matplotlib inline\n!pip install einops \\\n    tqdm\nfrom tqdm import tqdm\nshift = []\nshift.append(1)",
        "%%bash\nls",
        "from dataclasses import dataclass\nimport torch\n@dataclass\nclass Config:\n"
        "    device: str = 'cuda' if torch.cuda.is_available() else 'cpu'\nCFG = Config()",
        port,
        "text = open('Shakespeare.txt').read()\nmodel = GPT(64, 128, 4, 99, 4)\nwhile True:\n    print(model)",
        "for epoch in range(3)",
        "GPT?",
    )
    report = graded(notebook(tmp_path / "book.ipynb", *cells), "pt")
    assert (report.state, report.score) == ("graded", 100)
    for words in ("célula 2, linha 1: %%bash", "célula 1, linha 4: from tqdm", "célula 5, linha 1: text", "célula 6"):
        assert words in report.message


@needs_isolation
@pytest.mark.parametrize("lang", ["en", "pt"])
def test_newer_syntax_and_r_are_told(tmp_path: Path, lang: str) -> None:
    port, r = tmp_path / "port.py", tmp_path / "r.ipynb"
    port.write_text(CORRECT.read_text() + "\ndef later[T: (x := 1)](x: T) -> T:\n    return lambda: (yield from +)\n")
    notebook(r, "library(torch)\nGPT <- nn_module(\n  initialize = function(block_size) {\n  }\n)")
    newer, in_r = graded(port, lang), graded(r, lang)
    assert newer.state == in_r.state == "ungradable"
    assert "Python 3." in newer.message
    assert {"en": "This is R", "pt": "Isto é R"}[lang] in in_r.message
