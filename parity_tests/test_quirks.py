"""The table of R torch's quirks: every proof holds, live; every name exists; what occurs is what is listed."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result
from safetensors.torch import save_file

from pygpt.commands import main
from pygpt.parity.quirks.calls import r_calls
from pygpt.parity.quirks.places import matches
from pygpt.parity.quirks.table import Quirk, as_markdown, table
from pygpt.r.session import RSession

ROOT = Path(__file__).parent.parent
QUIRKS = {quirk.id: quirk for quirk in table().quirks}
Cli = Callable[..., Result]

PROVE = """
prove_quirk <- function(text) {
  there <- new.env(parent = asNamespace("torch"))
  there$num <- function(t) as.numeric(t$detach()$reshape(-1))
  there$stops <- function(expr) inherits(try(expr, silent = TRUE), "try-error")
  there$same <- function(a, b) isTRUE(all.equal(as.numeric(a), as.numeric(b), tolerance = 1e-6))
  eval(parse(text = text), there)
}
unknown_names <- function(names) {
  functions <- Filter(function(name) grepl("^(nn|nnf|torch|optim|lr)_|^dataloader$", name), names)
  Filter(function(name) !exists(name, asNamespace("torch"), inherits = FALSE), functions)
}
"""


@pytest.fixture
def cli() -> Cli:
    return lambda *arguments: CliRunner().invoke(main, [str(a) for a in arguments], catch_exceptions=False)


@pytest.fixture(scope="module")
def prover(r_torch: RSession) -> RSession:
    r_torch.evaluate(PROVE)
    return r_torch


@pytest.mark.parametrize("quirk", [q for q in QUIRKS.values() if q.evidence == "run"], ids=lambda q: q.id)
def test_r_torch_proves_it(quirk: Quirk, prover: RSession) -> None:
    version = prover.evaluate('as.character(packageVersion("torch"))')
    if version != table().version:
        pytest.skip(f"the table is about R torch {table().version}, not {version}")
    assert prover.call("prove_quirk", quirk.proof) is True


@pytest.mark.parametrize("proof", ["1 == 2", "stops(torch_ones(1))", "same(num(torch_ones(1)), 2)"])
def test_a_proof_can_fail(proof: str, prover: RSession) -> None:
    assert prover.call("prove_quirk", proof) is False


@pytest.mark.parametrize("quirk", [q for q in QUIRKS.values() if q.python_proof], ids=lambda q: q.id)
def test_pytorch_proves_its_side(quirk: Quirk) -> None:
    assert eval(quirk.python_proof, {"torch": torch}) is True


def test_what_is_said_to_be_run_has_a_proof_and_the_rest_says_why_not() -> None:
    assert len(QUIRKS) == len(table().quirks)
    for quirk in QUIRKS.values():
        assert bool(quirk.proof) == (quirk.evidence == "run"), quirk.id
        assert bool(quirk.recorded) == (quirk.evidence == "recorded"), quirk.id


def test_every_name_of_pytorch_exists() -> None:
    rooms = (
        torch, torch.Tensor, torch.nn, torch.nn.Module, torch.nn.functional, torch.nn.init, torch.nn.utils, torch.optim,
        torch.optim.Optimizer, torch.optim.lr_scheduler, torch.utils.data,
    )  # fmt: skip
    names = {name for quirk in QUIRKS.values() for name in quirk.py} - {"[:]"}
    assert {name for name in names if not any(hasattr(room, name) for room in rooms)} == set()


def test_every_name_of_r_exists(prover: RSession) -> None:
    names = sorted({name for quirk in QUIRKS.values() for name in quirk.r})
    assert prover.call("unknown_names", names) in (None, [], {})


def test_the_page_has_the_table() -> None:
    page = (ROOT / "docs" / "what_r_does.md").read_text("utf-8")
    held = page.split("<!-- quirks: python -m pygpt.parity.quirks.table -->\n")[1].split("<!-- end of quirks -->")[0]
    assert held == as_markdown(), "python -m pygpt.parity.quirks.table prints what belongs there"


def ids(spec: object) -> set[str]:
    return {match.quirk.id for match in matches(str(spec))[1]}


def port(folder: Path, code: str) -> Path:
    path = folder / "port.py"
    path.write_text("import torch\nfrom torch import nn\nimport torch.nn.functional as F\n" + code, "utf-8")
    return path


@pytest.mark.parametrize(
    ("code", "there", "not_there"),
    [
        ("nn.Embedding(9, 2, padding_idx=0)", {"padding-row", "ids-from-1"}, {"padding-row-negative"}),
        ("nn.Embedding(9, 2, -1)", {"padding-row", "padding-row-negative"}, set()),
        ("nn.Embedding(9, 2)", {"ids-from-1"}, {"padding-row"}),
        ("nn.Embedding(9, 2, padding_idx=None)", {"ids-from-1"}, {"padding-row"}),
        ("nn.Embedding(*shape)", {"padding-row"}, set()),
        ("nn.Embedding(9, 2, padding_idx=pad)", {"padding-row"}, {"padding-row-negative"}),
        ("F.cross_entropy(a, b, ignore_index=0)", {"ignore-index", "classes-from-1"}, set()),
        ("F.cross_entropy(a, b, ignore_index=-100)", {"classes-from-1"}, {"ignore-index"}),
        ("torch.optim.SGD(p, lr=0.1, weight_decay=0.1)", {"sgd-decay"}, {"rmsprop-decay"}),
        ("torch.optim.SGD(p, lr=0.1, weight_decay=0.0)", {"sgd-rate"}, {"sgd-decay"}),
        ("torch.optim.SGD(p, 0.1, 0.9, 0, 0.1)", {"sgd-decay"}, set()),
        ("nn.BatchNorm1d(3, momentum=None)", {"batch-norm-momentum", "batch-norm-counter"}, set()),
        ("nn.BatchNorm1d(3)", {"batch-norm-counter"}, {"batch-norm-momentum"}),
        ("nn.MultiheadAttention(4, 2, bias=False)", {"attention-no-bias", "attention-path"}, {"attention-zero"}),
        ("logits.topk(3)", {"indices-from-1"}, {"multinomial-method"}),
        ("x[:, -3:]", {"slices"}, set()),
        ("x[0]", set(), {"slices"}),
        ("nn.Linear(2, 3)", set(), set(QUIRKS)),
    ],
)
def test_what_a_port_calls(code: str, there: set[str], not_there: set[str], tmp_path: Path) -> None:
    listed = ids(port(tmp_path, code + "\n"))
    assert there <= listed
    assert not listed & not_there


def test_a_built_module_tells_what_its_source_hides(tmp_path: Path) -> None:
    path = port(
        tmp_path,
        "kinds = {'a': 'Embedding', 'b': 'MultiheadAttention'}\n"
        "def build():\n"
        "    return nn.ModuleDict({'e': getattr(nn, kinds['a'])(5, 4, padding_idx=0),"
        " 'm': getattr(nn, kinds['b'])(4, 2, bias=False), 'l': getattr(nn, 'TripletMarginLoss')(reduction='sum')})\n"
        "def needs(width): return nn.Linear(width, 1)\n"
        "def no_module(): return 3\n",
    )
    assert not {"padding-row", "attention-no-bias"} & ids(path)
    assert {"padding-row", "attention-no-bias", "triplet-reduction"} <= ids(f"{path}:build")
    assert not {"attention-kdim", "attention-zero"} & ids(f"{path}:build")


@pytest.mark.parametrize(
    ("code", "there", "not_there"),
    [
        ("nn_embedding(9, 2, padding_idx = 1)", {"padding-row"}, {"padding-row-negative"}),
        ("nn_embedding(9, 2, padding_idx = NULL)", {"ids-from-1"}, {"padding-row"}),
        ("nn_embedding(9, 2, -1L)", {"padding-row-negative"}, set()),
        ("torch::nn_embedding(9,\n  2, padding_idx = pad)", {"padding-row"}, set()),
        ("# nn_embedding(9, 2)", set(), {"ids-from-1"}),
        ("f('nn_embedding(9, 2)')", set(), {"ids-from-1"}),
        ("my_nn_embedding(9, 2)", set(), {"ids-from-1"}),
        ("probs$multinomial(1)", {"multinomial-method"}, {"indices-from-1"}),
        ("torch_tensor(7) %/% 2", {"whole-division", "tensor-shape"}, set()),
        ("optim_sgd(p, lr = 0.1, weight_decay = 0.1)", {"sgd-decay"}, set()),
        ("optim_sgd(p, lr = 0.1, momentum = list(a, weight_decay = 0.1))", set(), {"sgd-decay"}),
        ("nn_multihead_attention(4, 2, bias = FALSE)", {"attention-no-bias"}, {"attention-zero"}),
        ("setup(optimizer = optim_adam)", {"adam-roundings"}, {"adam-decay"}),
    ],
)
def test_what_r_code_calls(code: str, there: set[str], not_there: set[str], tmp_path: Path) -> None:
    (tmp_path / "model.R").write_text(code + "\n", "utf-8")
    listed = ids(tmp_path / "model.R")
    assert there <= listed
    assert not listed & not_there


def test_lines_of_r_code_are_told() -> None:
    uses = r_calls('a <- "two\nlines" # nn_gru\nnn_lstm(2,\n 3)\n', {"nn_lstm": "LSTM", "nn_gru": "GRU"})
    assert [(use.name, use.where) for use in uses] == [("nn_lstm", "line 3")]


def recording(path: Path, **metadata: object) -> Path:
    held = {k: v if isinstance(v, str) else json.dumps(v) for k, v in metadata.items()}
    save_file({"x": torch.zeros(1)}, path, held)
    return path


def test_a_recording_tells_its_layers_loss_and_optimizer(tmp_path: Path) -> None:
    layers = [
        {"name": "", "class": "Net", "settings": {}},
        {"name": "emb", "class": "nn_embedding", "settings": {"num_embeddings": 5, "padding_idx": 1}},
        {"name": "plain", "class": "nn_embedding", "settings": {"num_embeddings": 5}},
        {"name": "rnn", "class": "nn_lstm", "settings": {"bias": True}},
    ]
    path = recording(
        tmp_path / "m.safetensors", recording="module", form="2", layers=layers, loss=json.dumps("nnf_cross_entropy"),
        optimizer=json.dumps("optim_sgd"), optimizer_arguments={"lr": 0.1, "weight_decay": 0.01},
    )  # fmt: skip
    listed = matches(str(path))[1]
    names = {match.quirk.id: [use.where for use in match.uses] for match in listed}
    assert names["padding-row"] == ["emb"]
    assert names["ids-from-1"] == ["emb", "plain"]
    assert {"rnn-names", "classes-from-1", "sgd-decay"} <= names.keys()
    assert not {"ignore-index", "rmsprop-decay", "adam-roundings"} & names.keys()


def test_an_older_recording_tells_them_in_words(tmp_path: Path) -> None:
    path = recording(
        tmp_path / "m.safetensors", recording="module", note="linear 6-8, batch_norm1d, elu; cross entropy",
        optimizers="adam lr .01; sgd_momentum lr .05 weight_decay .01",
    )  # fmt: skip
    assert {"batch-norm-counter", "classes-from-1", "sgd-decay", "adam-roundings"} <= ids(path)
    assert not {"batch-norm-momentum", "ids-from-1", "rmsprop-decay", "attention-path"} & ids(path)


def test_the_course_s_recordings_are_told_by_the_course_s_code() -> None:
    listed = ids(ROOT / "parity_tests" / "recordings" / "tiny_gpt.safetensors")
    assert {"padding-row", "attention-path", "adam-roundings", "dataloader", "arange-end"} <= listed


def test_the_command(cli: Cli, tmp_path: Path) -> None:
    path = port(tmp_path, "nn.Embedding(9, 2, padding_idx=0)\n")
    done = cli("parity", "quirks", path, "--json", tmp_path / "q.json")
    assert done.exit_code == 0
    assert "R row k + 1" in done.output
    assert "Embedding (line 4)" in done.output
    assert "run on R torch 0.17.0" in done.output
    held = json.loads((tmp_path / "q.json").read_text("utf-8"))
    assert held["format"] == 1
    assert {one["id"] for one in held["quirks"]} == ids(path)
    assert all(one["where"] for one in held["quirks"])


@pytest.mark.parametrize(
    ("name", "code", "sentence"),
    [
        ("gone.py", None, "there is no file"),
        ("port.py", "def build(", "is not a Python file"),
        ("port.py:bild", "def build(): pass", "Did you mean 'build'?"),
        ("port.py:build", "def build(n): pass", "cannot be called without arguments"),
        ("port.py:build", "def build(): return 3", "gives no nn.Module, but int"),
        ("notes.txt", "hello", "not a whole safetensors file"),
    ],
)
def test_what_cannot_be_looked_at(name: str, code: str | None, sentence: str, cli: Cli, tmp_path: Path) -> None:
    if code is not None:
        (tmp_path / name.split(":")[0]).write_text(code, "utf-8")
    done = cli("parity", "quirks", tmp_path / name)
    assert done.exit_code == 2
    assert sentence in done.output
    assert "Traceback" not in done.output


def test_weights_say_nothing_of_layers(cli: Cli, tmp_path: Path) -> None:
    done = cli("parity", "quirks", recording(tmp_path / "w.safetensors"))
    assert done.exit_code == 2
    assert "does not say which layers it has" in done.output
