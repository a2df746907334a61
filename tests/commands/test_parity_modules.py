"""`parity check --model`: what is wrong with a port, a map or a file is said in a sentence, with exit code 2."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from safetensors import safe_open
from safetensors.torch import save_file

RECORDED = Path(__file__).parent.parent.parent / "parity_tests" / "modules"
OLDER = RECORDED / "older_form.safetensors"
PORT = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.bn, self.b = nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Linear(5, 3)

    def forward(self, x):
        return self.b(torch.tanh(self.bn(self.a(x))))

def build():
    return Net()
"""
Cli = Callable[..., Result]


@pytest.fixture
def port(tmp_path: Path) -> Callable[[str], Path]:
    def written(text: str = PORT) -> Path:
        (tmp_path / "port.py").write_text(text, encoding="utf-8")
        return tmp_path / "port.py"

    return written


def test_the_older_form_is_read_too(cli: Cli, port: Callable[..., Path]) -> None:
    done = cli("parity", "check", OLDER, "--model", port())
    assert done.exit_code == 0, done.output
    assert "step4.sgd_momentum.bn.running_var" in done.output


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (PORT.replace("def build", "def buildd"), "has no function build. Did you mean 'buildd'?"),
        (PORT.replace("return Net()", "return 3"), "build() must return a torch.nn.Module, not int"),
        (PORT.replace("return Net()", "return Nett()"), "build() stops with NameError: name 'Nett' is not defined"),
        (PORT + "1 +", "does not load: SyntaxError"),
        (
            PORT.replace("import torch\n", "import torhc\n", 1),
            "does not load: ModuleNotFoundError: No module named 'torhc'",
        ),
    ],
)
def test_a_port_that_does_not_load_or_build_is_told(text: str, told: str, cli: Cli, port: Callable[..., Path]) -> None:
    done = cli("parity", "check", OLDER, "--model", port(text))
    assert done.exit_code == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_a_forward_that_stops_is_a_divergence(cli: Cli, port: Callable[..., Path]) -> None:
    done = cli("parity", "check", OLDER, "--model", port(PORT.replace("self.b(torch", "self.b(1 / 0 + torch")))
    assert done.exit_code == 1
    assert "first divergence: output: forward() in eval mode stops: ZeroDivisionError: division by zero" in done.output


def test_what_does_not_go_together_is_told(cli: Cli, port: Callable[..., Path], tmp_path: Path) -> None:
    def refused(*arguments: object) -> str:
        done = cli("parity", "check", *arguments)
        assert done.exit_code == 2
        return done.stderr

    course = RECORDED.parent / "recordings" / "tiny_gpt.safetensors"
    assert "is a recording of a module: name your port, --model" in refused(OLDER)
    assert "is not a recording of a module" in refused(course, "--model", port())
    assert "there is no file" in refused(OLDER, "--model", tmp_path / "none.py")
    assert "--weight-map and --engine go with --model" in refused(OLDER, "--engine", "plain")
    (tmp_path / "map.json").write_text('{"a.weight": "W"}', encoding="utf-8")
    assert "there is no parameter W" in refused(OLDER, "--model", port(), "--weight-map", tmp_path / "map.json")
    (tmp_path / "map.json").write_text("a = W", encoding="utf-8")
    assert "cannot be read as JSON" in refused(OLDER, "--model", port(), "--weight-map", tmp_path / "map.json")


def test_a_recording_that_lacks_what_it_names_is_told(cli: Cli, port: Callable[..., Path], tmp_path: Path) -> None:
    with safe_open(RECORDED / "mlp.safetensors", "pt") as file:
        tensors, metadata = {name: file.get_tensor(name) for name in file.keys()}, dict(file.metadata())  # noqa: SIM118
    for broken in (
        {"train_steps": "-3"},
        {"calls": "["},
        {"inputs": '[{"name": "", "tensor": "input.9"}]'},
        {"threads": "0"},
    ):
        save_file(tensors, tmp_path / "broken.safetensors", {**metadata, **broken})
        done = cli("parity", "check", tmp_path / "broken.safetensors", "--model", port())
        assert done.exit_code == 2, broken
        assert "Traceback" not in done.stderr


def test_the_port_s_own_optimizer_is_judged_option_by_option(cli: Cli, port: Callable[..., Path]) -> None:
    example = (RECORDED.parent.parent / "examples" / "models" / "mlp.py").read_text("utf-8")
    own = "\n\nimport torch\n\ndef optimizer(parameters):\n    return torch.optim.AdamW(parameters, lr=1e-3{})\n"
    done = cli(
        "parity", "check", RECORDED / "mlp.safetensors", "--model", port(example + own.format(", weight_decay=0.1"))
    )
    assert done.exit_code == 1
    assert "first divergence: step1." in done.output
    assert "weight_decay of the port's optimizer is 0.1: R has 0.01" in done.output
