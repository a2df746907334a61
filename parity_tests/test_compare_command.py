"""`parity compare`, its reports, and what a first divergence is said to mean."""

import json
import sys
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result

from pygpt.checkpoints import open_run
from pygpt.commands import main
from pygpt.files import shipped
from pygpt.models import build_model
from pygpt.parity import compare
from pygpt.parity.explanation import explain
from pygpt.parity.html import report_html
from pygpt.parity.ladder import Task, climb
from pygpt.parity.recordings import RECORDED
from pygpt.parity.report import Report, report_text
from pygpt.r.errors import RDiedError
from pygpt.r.process import run_script
from pygpt.r.session import RSession
from pygpt.settings import ModelSettings

SMALL = ["--block-size", "8", "--n-embd", "8", "--vocab-size", "9", "--steps", "2", "--tokens", "4"]


def cli(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments], catch_exceptions=False)


@pytest.mark.parametrize("model", ["gpt", "gpt_noattn"])
def test_the_oracle_agrees_and_the_files_say_so(model: str, r: RSession, tmp_path: Path) -> None:
    files = ["--json", tmp_path / "r.json", "--html", tmp_path / "r.html"]
    result = cli("parity", "compare", "--model", model, *SMALL, *files)
    assert result.exit_code == 0, result.output
    assert "quantities are within their limits" in result.output
    report = json.loads((tmp_path / "r.json").read_text())["checks"][0]
    assert report["agrees"] is True
    assert report["source"].startswith("oracle")
    page = (tmp_path / "r.html").read_text()
    assert page.count("<tr>") == len(report["quantities"]) + 1
    assert page.count(">within<") == len(report["quantities"])
    assert "<caption>" in page
    assert "http" not in page.replace("http-equiv", "")


def test_a_run_is_compared_by_its_weights_and_named(r: RSession, tmp_path: Path) -> None:
    train = ["--corpus", "sample", "--share", "0.03", "--block-size", "8", "--n-embd", "8", "--max-steps", "3"]
    run, files = tmp_path / "run", ["--json", tmp_path / "r.json", "--html", tmp_path / "r.html"]
    assert cli("train", *train, "--padding-row", "corrected", "--out", run).exit_code == 0
    result = cli("parity", "compare", "--run", run, "--steps", 2, *files)
    assert result.exit_code == 0, result.output
    report = json.loads((tmp_path / "r.json").read_text())["checks"][0]
    assert str(run) in report["title"]
    assert report["facts"]["run_weights"] == str(run)
    assert report["facts"]["padding_row"] == "corrected"
    assert str(run) in (tmp_path / "r.html").read_text()
    # the trained weights, not the drawn ones, are what the first quantity after the ids is made of
    drawn = climb(Task(open_run(run).model, "corrected", steps=2))
    trained = climb(Task.of_run(run, steps=2))
    assert not torch.equal(drawn["act.embedding"], trained["act.embedding"])
    assert cli("parity", "compare", "--run", run, "--n-embd", 8).exit_code == 2


STUB = """#!{python}
import shutil, sys
asked = dict(zip(sys.argv[2::2], sys.argv[3::2]))
print(*sys.argv[1:], file=open({log!r}, "a"))
for model in [asked["--model"]] if "--model" in asked else ["gpt", "gpt_noattn"]:
    for name in {recorded}:
        made = f"{{asked['--out']}}/{{name}}_{{model}}.safetensors"
        shutil.copy({recordings!r} + f"/tiny_{{model}}.safetensors", made)
"""


@pytest.fixture
def stub_r(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An R whose recorder copies pygpt's small recordings. Returns the file its calls are written down in."""
    folder, log = tmp_path / "bin", tmp_path / "calls"
    folder.mkdir()
    recordings = str(shipped("parity_tests/recordings"))
    for name in ("R", "Rscript"):
        stub = STUB.format(python=sys.executable, log=str(log), recordings=recordings, recorded=RECORDED)
        (folder / name).write_text(stub)
        (folder / name).chmod(0o755)
    monkeypatch.delenv("R_HOME", raising=False)
    monkeypatch.setenv("PATH", str(folder))
    return log


@pytest.mark.parametrize("model", ["gpt", "gpt_noattn"])
def test_r_torch_records_the_model_asked_for_and_no_file_that_is_gone_is_named(
    model: str, stub_r: Path, tmp_path: Path
) -> None:
    files = ["--json", tmp_path / "r.json", "--html", tmp_path / "r.html"]
    result = cli("parity", "compare", "--source", "torch", "--model", model, *files)
    assert result.exit_code in (0, 1), result.output  # 1 where this processor's kernels are not the recordings'
    (call,) = stub_r.read_text().splitlines()
    script, *options = call.split()
    assert Path(script).name == "record.R"
    assert options[options.index("--model") + 1] == model
    assert options[options.index("--threads") + 1] == "1"
    checks = json.loads((tmp_path / "r.json").read_text())["checks"]
    titles = [f"R torch, live: {name} {model}, R 4.2.2, torch 0.17.0" for name in RECORDED]
    assert [check["title"] for check in checks] == titles
    assert {check["source"] for check in checks} == {"torch"}
    temporary = options[options.index("--out") + 1]
    for told in (result.output, (tmp_path / "r.json").read_text(), (tmp_path / "r.html").read_text()):
        assert temporary not in told
        assert titles[0] in told


def test_the_recorder_takes_a_model_and_no_other_word(r: RSession, tmp_path: Path) -> None:
    with pytest.raises(RDiedError, match=r"record\.R: exit code 2"):
        run_script(shipped("r_reference/record.R"), "--out", str(tmp_path), "--model", "lstm")


@pytest.mark.parametrize("model", ["gpt_noattn"])
def test_recorded(model: str) -> None:
    result = cli("parity", "compare", "--source", "recorded", "--model", model)
    assert result.exit_code == 0, result.output
    assert "source: recorded" in result.output


def test_r_torch_live(r_torch: RSession) -> None:
    """Forward, gradients, the stream run and generation, recorded now and compared: equal to the bit."""
    for model in ("gpt", "gpt_noattn"):
        for r_threads in (1, 4):
            result = cli("parity", "compare", "--source", "torch", "--model", model, "--r-threads", r_threads)
            assert result.exit_code == 0, result.output


@pytest.mark.usefixtures("without_r")
@pytest.mark.parametrize("command", [["compare", *SMALL], ["compare", "--source", "torch"], ["record"]])
def test_without_r_it_says_what_to_install(command: list[str]) -> None:
    result = cli("parity", *command)
    assert result.exit_code == 2
    assert "apt-get install r-base-core" in result.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--source", "recorded", "--n-embd", "8"], "only --model can be chosen"),
        (["--source", "recorded", "--run", "x"], "only --model can be chosen"),
        (["--source", "recorded", "--r-threads", "4"], "R on 1 thread"),
        (["--source", "torch", "--r-threads", "0"], "r_threads = 0"),
        (["--r-threads", "1025"], "r_threads = 1025"),
        (["--batch", "0"], "batch = 0"),
        (["--steps", "1"], "steps = 1"),
        (["--lr", "-1"], "lr = -1"),
        (["--n-embd", "9"], "not divisible"),
        (["--run", "nowhere"], "holds no run"),
    ],
)
def test_bad_requests(options: list[str], words: str) -> None:
    result = cli("parity", "compare", *options)
    assert result.exit_code == 2
    assert words in result.stderr


def test_a_setting_of_another_kind_in_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text('lr = "quick"\n')
    result = cli("parity", "compare", "--config", tmp_path / "settings.toml")
    assert result.exit_code == 2
    assert "lr = 'quick' is not a number" in result.stderr


def divergent(*names: str, over: str) -> Report:
    values = {name: torch.ones(2) for name in names}
    comparison = compare(values, values | {over: torch.tensor([1.0, 1.5])})
    return Report("<b>t</b>", "made up", "zero", comparison, {"k": "<script>"})


@pytest.mark.parametrize(
    ("over", "inputs", "cause"),
    [
        ("ids", "first thing computed", "ids off by one"),
        ("act.block1.attn_weights", "act.block1.scale1 agreed", "mask turned round"),
        ("act.block1.ffn", "act.block1.scale2 agreed", "GELU by tanh"),
        ("act.block1.scale1", "act.embedding agreed", "LayerNorms exchanged"),
        ("act.block2.scale1", "act.block1.output agreed", "LayerNorms exchanged"),
        ("grad.wte.weight", "loss agreed", "wrong padding row"),
        ("generated", "", "temperature"),
    ],
)
def test_a_divergence_is_explained(over: str, inputs: str, cause: str) -> None:
    block = ["scale1", "attn_weights", "attn", "scale2", "ffn", "output"]
    names = ["ids", "act.embedding", *(f"act.block{j}.{part}" for j in (1, 2) for part in block)]
    report = divergent(*names, "act.logits", "loss", "grad.wte.weight", "generated", over=over)
    explanation = explain(report.comparison)
    assert explanation is not None
    assert explanation.name == over
    assert inputs in explanation.inputs
    assert cause in explanation.usual_causes
    text = "\n".join(line for line, _ in report_text(report))
    assert f"first divergence: {over}: at [1] expected 1, got 1.5" in text
    page = report_html([report])
    assert f"First divergence: {over}" in page
    assert cause.split(";")[0] in page
    assert "<script>" not in page
    assert "<b>t</b>" not in page


def test_two_models_are_compared_by_name() -> None:
    shape = ModelSettings(block_size=8, n_embd=8, vocab_size=9)
    torch.manual_seed(1)
    first, second = build_model(shape), build_model(shape)
    second.load_state_dict(first.state_dict())
    assert compare(first, second).agrees
    with torch.no_grad():
        second.FFN[1][2].bias += 1e-3
    divergence = compare(first, second).first_divergence
    assert divergence is not None
    assert divergence.name == "init.FFN.1.2.bias"
    assert not compare(first, build_model(shape)).agrees
