"""Ports of a module that is not the course's, held against what R torch gave: right ones whole, wrong ones by stage."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from pygpt.errors import PygptError
from pygpt.grading.grade import GradingJob, grade
from pygpt.grading.report import GradeReport
from pygpt.grading.submission import Submission
from pygpt.module_grading.grading import rubric_for
from tests.grading.helpers import needs_isolation

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
RECORDING = HERE / "residual.safetensors"
RIGHT = (HERE / "residual.py").read_text(encoding="utf-8")
SAME = "import torch\n" + RIGHT
SEQUENTIAL = """
from torch import nn

def build(vocab, d, p, n):
    class Residual(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Sequential(
                nn.LayerNorm(d), nn.Linear(d, 2 * d), nn.GELU(), nn.Linear(2 * d, d), nn.Dropout(p)
            )

        def forward(self, x):
            return x + self.inner(x)

    return nn.Sequential(nn.Embedding(vocab, d, padding_idx=0), *(Residual() for _ in range(n)), nn.Linear(d, vocab))
"""
Cli = Callable[..., Result]


def graded(source: str, folder: Path) -> GradeReport:
    (folder / "port.py").write_text(source, encoding="utf-8")
    job = GradingJob(rubric_for(RECORDING, None), 1, recording=RECORDING)
    report = grade(Submission(folder / "port.py", "port"), job)
    assert report.state == "graded", report.message
    return report


def lost(report: GradeReport) -> dict[str, tuple[str, ...]]:
    """The items that did not pass, by check."""
    return {
        check.id: tuple(item.name for item in check.items if not item.passed)
        for check in report.checks
        if check.status != "passed"
    }


def mutated(*change: str) -> str:
    old, new = change
    assert old in SAME
    return SAME.replace(old, new)


@needs_isolation
@pytest.mark.parametrize(
    "source",
    [
        SAME,
        SEQUENTIAL,
        mutated("padding_idx=0", "padding_idx=1"),  # R's slip, mirrored by hand
        mutated("self.act(self.fc1", "nn.functional.gelu(self.fc1"),
        mutated("def build(vocab, d, p, n):", "def build(vocab, d, p, n, unused=3):"),
    ],
)
def test_right_ports(source: str, tmp_path: Path) -> None:
    report = graded(source, tmp_path)
    assert lost(report) == {}
    assert report.score == pytest.approx(100)


@needs_isolation
@pytest.mark.parametrize(
    "name", ["autoencoder", *(pytest.param(name, marks=pytest.mark.slow) for name in ("cnn", "gpt", "lstm", "mlp"))]
)
def test_the_examples_are_right(name: str) -> None:
    """Several outputs and a loss of its own; batch norms; tied weights; gates."""
    recording = ROOT / "parity_tests" / "modules" / f"{name}.safetensors"
    job = GradingJob(rubric_for(recording, None), 1, recording=recording)
    report = grade(Submission(ROOT / "examples" / "models" / f"{name}.py", name), job)
    assert lost(report) == {}


@needs_isolation
@pytest.mark.parametrize(
    ("change", "items", "words"),
    [
        (("LayerNorm(d)", "LayerNorm(d, eps=1e-3)"), ("blocks.0.ln", "blocks.1.ln"), "eps is 0.001, in R 1e-05"),
        (("GELU()", 'GELU(approximate="tanh")'), ("blocks.0.act", "blocks.1.act"), "approximate is tanh, in R none"),
        (("Dropout(p)", "Dropout(p / 2)"), ("blocks.0.drop", "blocks.1.drop"), "p is 0.1, in R 0.2"),
        ((", padding_idx=0", ""), ("emb",), "padding_idx is None, in R 0"),
    ],
)
def test_a_setting_is_paid_once_and_named(
    change: tuple[str, str], items: tuple[str, ...], words: str, tmp_path: Path
) -> None:
    report = graded(mutated(*change), tmp_path)
    assert lost(report) == {"forward.parts": items}
    assert next(check.actual for check in report.checks if check.id == "forward.parts") == words


@needs_isolation
@pytest.mark.parametrize(
    ("change", "checks", "first"),
    [
        (("return x + self", "return self"), {"forward.parts", "forward.output", "gradients.weights"}, "act.blocks.0"),
        (("self.drop(self.fc2(self.act(self.fc1(self.ln(x)))))", "self.fc2(self.drop(self.act(self.fc1(self.ln(x)))))"),
         {"training.first", "training.last"}, "train_loss1"),
        (("h = self.emb(x)", "h = self.emb(x).detach()"), {"gradients.weights", "training.first", "training.last"},
         "grad.emb.weight"),
        (("self.drop(self.fc2", "(self.fc2"), {"training.first", "training.last"}, "train_loss1"),
        (("return self.head(h)", "return torch.zeros(*x.shape, 11) + 0 * self.head(h)"), {"forward.output"}, "output"),
        (("Linear(d, vocab)", "Linear(d, vocab, bias=False)"), {"builds.weights", "forward.parts"}, "parameters"),
        (("return self.head(h)", "return self.head(h) + torch.randn(3, 5, 11) / 99"), {"forward.output"}, "output"),
        (("return self.head(h)", "return h.mean()"), {"forward.output", "gradients.weights"}, "output"),
        (("return self.head(h)", "raise KeyError(3)"), {"forward.output", "gradients.weights"}, "output"),
        (("return self.head(h)", "return self.head(h) * float('nan')"), {"forward.output"}, "output"),
    ],
)  # fmt: skip
def test_wrong_ports(change: tuple[str, str], checks: set[str], first: str, tmp_path: Path) -> None:
    report = graded(mutated(*change), tmp_path)
    assert checks <= lost(report).keys()
    assert [row.quantity for row in report.ladders["Net"] if row.first_divergence] == [first]
    assert report.score < 90


@needs_isolation
@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("x = 1", "build is not defined"),
        ("def build(**_):\n    return 3", "build() must return a torch.nn.Module, not int"),
        ("def build(**_):\n    raise ValueError('no')", "ValueError: no (submission.py, line 2)"),
        ("from torch import nn\ndef build(**_):\n    return nn.Linear(3000, 3000)", "numbers"),
        ("import os\ndef build(**_):\n    os._exit(0)", "the submission's process ended"),
        (SAME + "\nweight_map = {'nothing': 'head.weight'}", "R's module has no nothing"),
    ],
)
def test_what_is_no_module_is_the_students_error(source: str, words: str, tmp_path: Path) -> None:
    report = graded(source, tmp_path)
    assert report.score <= 2
    assert any(words in check.actual for check in report.checks)


@needs_isolation
def test_the_sandbox_never_sees_what_r_gave(tmp_path: Path) -> None:
    """A port that looks for R's numbers everywhere, and keeps all that it is given, has none of them to give back."""
    spy = mutated(
        "return self.head(h)",
        "import gc; held = [o for o in gc.get_objects() if isinstance(o, torch.Tensor) and o.shape == (3, 5, 11)];"
        " return held[0] if held else self.head(h) * 0",
    )
    report = graded(spy, tmp_path)
    assert "forward.output" in lost(report)


@needs_isolation
def test_a_class(tmp_path: Path, cli: Cli) -> None:
    students = tmp_path / "class"
    students.mkdir()
    (students / "ana.py").write_text(SAME, encoding="utf-8")
    (students / "bia.py").write_text(mutated("return x + self", "return self"), encoding="utf-8")
    out = tmp_path / "out"
    result = cli("grade", "run", students, "--recording", RECORDING, "--out", out, "--lang", "pt")
    assert result.exit_code == 0, result.output
    scores = {name: json.loads((out / f"{name}.json").read_text(encoding="utf-8"))["score"] for name in ("ana", "bia")}
    assert scores["ana"] == pytest.approx(100)
    assert scores["bia"] < 60
    assert "o módulo calcula o que o do R calcula" in (out / "bia.html").read_text(encoding="utf-8")


def test_what_does_not_go_together(tmp_path: Path, cli: Cli) -> None:
    with pytest.raises(PygptError, match="safetensors"):
        rubric_for(HERE / "residual.R", None)
    port = HERE / "residual.py"
    assert "not with --recording" in cli("grade", "run", port, "--recording", RECORDING, "--only", "forward").output
    (tmp_path / "r.toml").write_text("[caps]\nunexplained = 3\n", encoding="utf-8")
    assert "caps" in cli("grade", "run", port, "--recording", RECORDING, "--rubric", tmp_path / "r.toml").output
