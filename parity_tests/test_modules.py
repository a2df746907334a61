"""Modules that are not the course's: ports of the examples beside what R torch computed, right ones and wrong ones."""

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pygpt.commands import main
from pygpt.determinism import kernel_fingerprint
from pygpt.files import shipped
from pygpt.parity.modules.check import check_module, equal_to_the_bit
from pygpt.parity.recordings import read_recording
from pygpt.r.session import RSession

CHECKOUT = Path(__file__).parent.parent
PORTS = CHECKOUT / "examples" / "models"
RECORDED = Path(__file__).parent / "modules"
EXAMPLES = ("mlp", "cnn", "lstm", "gpt", "autoencoder")


def same_kernels() -> bool:
    """Whether this processor computes as the one that the recordings were made on."""
    recording = read_recording(shipped("parity_tests/recordings/tiny_gpt.safetensors"))
    return recording.provenance["kernel_fingerprint"] == kernel_fingerprint()


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_r_s(name: str) -> None:
    report = check_module(RECORDED / f"{name}.safetensors", str(PORTS / f"{name}.py"))
    assert report.comparison.agrees
    assert len(report.comparison.lines) > 30
    if same_kernels():
        assert equal_to_the_bit(report.comparison) == len(report.comparison.lines)


# name: the example, what is written otherwise in its port, the first divergence, the cause that is found
WRONG: dict[str, tuple[str, list[tuple[str, str]], str, str]] = {
    "eps": ("mlp", [("LayerNorm(n_hidden)", "LayerNorm(n_hidden, eps=1e-3)")], "act.norm", "eps=0.001; with 1e-05"),
    "gelu": ("mlp", [("nn.GELU()", 'nn.GELU(approximate="tanh")')], "act.act", "approximate=tanh; with none"),
    "dropout_place": (
        "mlp",
        [("self.fc2(self.drop(h))", "self.fc2(h)"), ("self.norm(self.fc1(x))", "self.norm(self.drop(self.fc1(x)))")],
        "train_loss1", "dropout in another place: R drops after gelu",
    ),
    "dropout_share": ("mlp", [("nn.Dropout(p)", "nn.Dropout(2 * p)")], "train_loss1", "has p=0.4; with 0.2"),
    "dropout_left_out": ("mlp", [("self.drop(h)", "h")], "train_loss1", "a dropout left out: R drops after gelu"),
    "built_in_another_order": (
        "mlp",
        [("        self.fc1 = nn.Linear(n_in, n_hidden)\n", ""),
         ("(n_hidden, n_out)\n", "(n_hidden, n_out)\n        self.fc1 = nn.Linear(n_in, n_hidden)\n")],
        "init.fc1.bias", "built in another order",
    ),
    "bn_eps": ("cnn", [("BatchNorm2d(n_out)", "BatchNorm2d(n_out, eps=1e-3)")], "act.blocks.0.bn", "with 1e-05"),
    "bn_momentum": (
        "cnn", [("BatchNorm2d(n_out)", "BatchNorm2d(n_out, momentum=0.9)")],
        "step1.blocks.0.bn.running_mean", "momentum=0.9; with 0.1",
    ),
    "relu_left_out": ("cnn", [("functional.relu(self.bn(self.conv(x)))", "self.bn(self.conv(x))")],
                      "in.blocks.0.pool[1]", "relu() left out before blocks.0.pool"),
    "conv_padding_pool": ("cnn", [("MaxPool2d(2)", "AvgPool2d(2)")], "act.blocks.0.pool", "avg_pool2d() where R has"),
    "batch_first": ("lstm", [("batch_first=True", "batch_first=False")], "act.rnn[1]", "batch_first=False; with True"),
    "dim_from_1": ("cnn", [("torch.flatten(x, start_dim=1)", "torch.flatten(x.softmax(2), start_dim=1)")],
                   "in.drop[1]", "softmax() that R's module has not"),
    "mask_off_by_one": ("gpt", [(".triu(1)", ".triu(2)")], "in.layer1[2]", "diagonal=2; with 1"),
    "residual_left_out": ("gpt", [("return x + self.ffn", "return self.ffn")],
                          "act.layer1", "after layer0 (a residual?): R adds what add"),
    "untied": ("gpt", [("        self.head.weight = self.wte.weight\n", "")], "parameters", "R ties head.weight"),
    "padding_none": ("autoencoder", [(", padding_idx=0", "")], "init.emb.weight", "the port has no padding_idx"),
    "padding_as_in_r": ("autoencoder", [("padding_idx=0", "padding_idx=1")], "init.emb.weight", "the port's is row 1"),
    "activation": ("autoencoder", [("2 * n_code), nn.Tanh(), nn.Linear(2 * n_code, n_code)",
                                    "2 * n_code), nn.ReLU(), nn.Linear(2 * n_code, n_code)")],
                   "act.encoder.1", "relu() where R has tanh()"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_port_parts_where_it_is_wrong(name: str, tmp_path: Path) -> None:
    example, changes, first, cause = WRONG[name]
    text = (PORTS / f"{example}.py").read_text("utf-8")
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    (tmp_path / "port.py").write_text(text, encoding="utf-8")
    report = check_module(RECORDED / f"{example}.safetensors", f"{tmp_path / 'port.py'}:build")
    assert report.explanation is not None
    assert report.explanation.name == first
    assert cause in report.explanation.usual_causes


def test_plain_pytorch_s_ways_are_told_from_r_s(tmp_path: Path) -> None:
    by_number = check_module(RECORDED / "cnn.safetensors", str(PORTS / "cnn.py"), engine="plain").explanation
    assert by_number is not None
    assert by_number.name.startswith("step1.")
    assert "adds weight_decay times the parameter's number" in by_number.usual_causes
    row = check_module(RECORDED / "autoencoder.safetensors", str(PORTS / "autoencoder.py"), engine="plain").explanation
    assert row is not None
    assert row.name == "grad.emb.weight"
    assert "the row after the padding row" in row.usual_causes


def test_the_command_says_what_agrees_and_what_does_not(tmp_path: Path) -> None:
    def cli(*arguments: object) -> Result:
        return CliRunner().invoke(main, [str(a) for a in arguments], catch_exceptions=False)

    port = tmp_path / "port.py"
    shutil.copy(PORTS / "gpt.py", port)
    right = cli("parity", "check", RECORDED / "gpt.safetensors", "--model", f"{port}:build")
    assert right.exit_code == 0
    assert "within their limits" in right.output
    assert "layer1.attn.in_proj_bias is layer0.attn.in_proj_bias" in right.output
    port.write_text(port.read_text("utf-8").replace("nn.GELU()", 'nn.GELU("tanh")'), encoding="utf-8")
    wrong = cli("parity", "check", RECORDED / "gpt.safetensors", "--model", port, "--html", tmp_path / "report.html")
    assert wrong.exit_code == 1
    assert "first divergence: act.layer1.ffn.1" in wrong.output
    assert "tried on the port, and so it agrees: layer0.ffn.1" in wrong.output
    assert "with none" in (tmp_path / "report.html").read_text("utf-8")


def test_the_examples_are_recorded_as_they_were(r_torch: RSession, tmp_path: Path) -> None:
    """Live R torch, on the recordings' processor: byte by byte but for the day and the versions."""
    from pygpt.r.process import run_script
    from pygpt.weights import read_tensors

    run_script(PORTS / "record.R", str(tmp_path))
    for name in EXAMPLES:
        now, before = (read_tensors(folder / f"{name}.safetensors")[0] for folder in (tmp_path, RECORDED))
        assert now.keys() == before.keys()
        if same_kernels():
            assert all(now[key].equal(before[key]) for key in now)
