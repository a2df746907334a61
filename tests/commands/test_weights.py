"""Weights alone, as R wrote them, for every command that takes them; and a run's own generator."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from click.testing import Result

from pygpt import api, training
from pygpt.corpus import read_corpus, split, windows
from pygpt.exercises.opening import course
from pygpt.isolation.bubblewrap import isolation_missing
from pygpt.output.messages import say
from pygpt.parity.ladder import Task, climb
from pygpt.r_files.weights import read_weights
from pygpt.validation.gather import same_kernels
from pygpt.vocabulary import Vocabulary
from tests.r_files.helpers import FILES, TEXT, WEIGHTS, WITH_HEADS, file

Cli = Callable[..., Result]
RunOf = Callable[[str], Path]
OF_SEED_123 = "to " + (FILES / "text_of_seed_123.txt").read_text()
AFTER_TRAINING = "to " + (FILES / "text_after_training.txt").read_text()
# What make.R trained.
AS_R = ["--corpus", TEXT, "--share", 1, "--block-size", 6, "--n-embd", 8, "--n-layer", 1, "--n-head", 4, "--lr", 0.01,
        "--dropout", 0.1, "--batch-size", 32, "--epochs", 2, "--vocabulary", "c"]  # fmt: skip


def refused(result: Result, *words: str) -> None:
    assert result.exit_code == 2, result.output
    for word in words:
        assert word in result.stderr, result.stderr


@pytest.mark.parametrize("name", WEIGHTS)
def test_text_from_every_file_is_rs(cli: Cli, name: str, tmp_path: Path) -> None:
    options = [] if name in WITH_HEADS else ["--n-head", 4]
    options += [] if name in ("exercise.safetensors", "everything.RData") else ["--vocabulary", FILES / "vocab.rds"]
    result = cli(
        "generate",
        "--r" if "luz" in name else "--weights",
        file(name, tmp_path),
        *options,
        "--prompt",
        "to ",
        "--tokens",
        100,
    )
    assert result.exit_code == 0, result.output
    assert result.stdout == OF_SEED_123 + "\n"
    assert result.stderr.count("\n") == ("RData" in name or "rays" in name or "64" in name)


def test_the_text_that_r_draws_after_its_training(cli: Cli, tmp_path: Path) -> None:
    if not same_kernels(course()):
        pytest.skip("another kernel fingerprint than the recordings': weights differ in their last bits")
    assert cli("train", *AS_R, "--out", tmp_path / "run").exit_code == 0
    text = cli("generate", "--run", tmp_path / "run", "--continue-generator", "--prompt", "to ", "--tokens", 300)
    assert text.stdout == AFTER_TRAINING + "\n"
    again = cli("generate", "--run", tmp_path / "run", "--continue-generator", "--prompt", "to ", "--tokens", 300)
    assert again.stdout == text.stdout
    other = cli("generate", "--run", tmp_path / "run", "--prompt", "to ", "--tokens", 100)
    assert other.stdout == OF_SEED_123 + "\n"
    # the run goes on as if nothing had been drawn
    whole, resumed = tmp_path / "whole", ["--resume", "--epochs", 3, "--out", tmp_path / "run"]
    assert cli("train", *AS_R[:-4], "--epochs", 3, "--vocabulary", "c", "--out", whole).exit_code == 0
    assert cli("train", *resumed).exit_code == 0
    for name in ("weights.safetensors", "steps.csv"):
        assert (tmp_path / "run" / name).read_bytes() == (whole / name).read_bytes()


def test_the_generator_is_where_the_training_left_it(run_of: RunOf, tmp_path: Path) -> None:
    """By the loop of R's own: torch's global generator, the whole model for every token."""
    run = api.load(run_of("gpt"))
    settings = run.training_settings
    corpus = read_corpus(settings.corpus)
    parts = split(run.vocabulary.encode(corpus.text), settings.share, settings.train_share)
    train, valid = (windows(part, run.model_settings.block_size, say("the text")) for part in parts)
    state = training.start(run.model_settings, settings)
    for _ in training.fit(state, train, valid, settings):
        pass
    ids = torch.tensor([run.vocabulary.encode("Da ").tolist()])
    model = state.model.eval()
    with torch.no_grad():
        for _ in range(40):
            logits = model(ids[:, -run.model_settings.block_size :])[:, -1] / 0.8
            ids = torch.cat([ids, torch.multinomial(torch.softmax(logits, -1), 1)], 1)
    expected = run.vocabulary.decode(ids[0].tolist())
    assert run.generate("Da ", 40, seed=run.generator_state) == expected


def test_a_generator_is_asked_for_in_vain(cli: Cli, run_of: RunOf, tmp_path: Path) -> None:
    for options in (["--seed", 3], ["--samples", 2]):
        refused(cli("generate", "--run", run_of("gpt"), "--continue-generator", *options), "without --seed")
    weights = FILES / "exercise.safetensors"
    refused(cli("generate", "--weights", weights, "--continue-generator"), "it goes with --run")
    shutil.copytree(run_of("gpt"), tmp_path / "run")
    (tmp_path / "run" / "resume.safetensors").write_bytes(b"broken")
    refused(cli("generate", "--run", tmp_path / "run", "--continue-generator"), "resume.safetensors")
    (tmp_path / "run" / "resume.safetensors").unlink()
    refused(cli("generate", "--run", tmp_path / "run", "--continue-generator"), "has no resume.safetensors")


def test_json_of_text(cli: Cli, run_of: RunOf) -> None:
    weights = FILES / "exercise.safetensors"
    told = json.loads(cli("generate", "--weights", weights, "--prompt", "to ", "--tokens", 100, "--json").stdout)
    assert told["samples"][0]["text"] == OF_SEED_123
    assert told["run"] == str(weights)
    told = json.loads(cli("generate", "--run", run_of("gpt"), "--continue-generator", "--tokens", 5, "--json").stdout)
    assert told["samples"][0]["seed"] is None


def test_one_source_of_weights(cli: Cli, run_of: RunOf) -> None:
    weights = FILES / "exercise.safetensors"
    for command in ("generate", "attention"):
        refused(cli(command), "one of the two")
        refused(cli(command, "--run", run_of("gpt"), "--weights", weights), "one of the two")
        refused(cli(command, "--run", run_of("gpt"), "--n-head", 2), "go with --weights")
        refused(cli(command, "--weights", FILES / "list.pt"), "Add --vocabulary")
    refused(cli("info", "--weights", weights, "--run", run_of("gpt")), "give it alone")
    refused(cli("info", "--weights", weights, "--n-embd", 8), "give it alone")


def test_info_of_a_file(cli: Cli, tmp_path: Path) -> None:
    shown = cli("info", "--weights", FILES / "exercise.safetensors").stdout
    for words in ("n_head = 4", "block_size = 6", "vocab_size = 23", "vocabulary (R's vocab): '\\n a"):
        assert words in shown
    assert "dropout" not in shown
    # by hand: embeddings, attention, norms, feed-forward, output
    count = 6 * 8 + 23 * 8 + (24 * 8 + 24 + 8 * 8 + 8) + 3 * 16 + (32 * 8 + 32 + 8 * 32 + 8) + 23 * 8
    assert f" all {count:,} " in " ".join(shown.split())
    result = cli("info", "--weights", FILES / "arrays.rds")
    assert "vocabulary: not in the file" in result.stdout
    assert "17 tensors were float64" in result.stderr
    assert result.stderr.count("\n") == 1


def test_info_of_losses(cli: Cli) -> None:
    """As write.csv wrote them, with weights beside them or alone."""
    rows = [line.split(",") for line in (FILES / "get_metrics.csv").read_text().replace('"', "").splitlines()[1:]]
    for name in ("luz_save.rds", "workspace.RData"):
        shown = [line.split() for line in cli("info", "--r", FILES / name).stdout.splitlines()]
        for row in rows:
            (found,) = (line for line in shown if line[:3] == row[:3])
            assert f"{float(found[3]):.15g}" == row[3]
        assert (["n_head", "=", "4"] in shown) == (name == "luz_save.rds")
    refused(cli("info", "--r", FILES / "vocab.rds"), "holds no weights")


def test_attention_of_a_file(cli: Cli, tmp_path: Path) -> None:
    """Each head's weights are what the model of these weights gives."""
    options = ["--vocabulary", TEXT, "--text", "to be", "--json", tmp_path / "a.json"]
    assert cli("attention", "--weights", FILES / "luz_save.rds", *options).exit_code == 0
    told = json.loads((tmp_path / "a.json").read_text())
    model = read_weights(FILES / "luz_save.rds").model()
    characters = sorted(set(TEXT.read_text()))
    rows = torch.from_numpy(Vocabulary(characters).encode("to be").astype("int64")).unsqueeze(0)
    with torch.no_grad():
        q = model.attention_norm(0, model.embed(rows)).transpose(0, 1)
        mask = torch.ones(5, 5, dtype=torch.bool).triu(1)
        _, expected = model.attention(0)(q, q, q, attn_mask=mask, average_attn_weights=False)
    assert len(told["heads"]) == 4
    for head, weights in zip(told["heads"], expected[0], strict=True):
        assert torch.allclose(torch.tensor(head["weights"]), weights, atol=1e-6)


def test_parity_takes_weights(cli: Cli, run_of: RunOf) -> None:
    weights = FILES / "exercise.safetensors"
    refused(cli("parity", "compare", "--weights", weights, "--run", run_of("gpt")), "give one of them")
    refused(cli("parity", "compare", "--weights", weights, "--n-embd", 8), "brings its own shape")
    refused(cli("parity", "compare", "--source", "recorded", "--weights", weights), "go with --source oracle")
    task = Task.of_weights(weights, steps=2, tokens=2)
    assert task.settings.dropout == 0.2
    expected = read_weights(weights).model().double()(task.rows[:, :-1])
    assert torch.equal(climb(task)["act.logits"], expected)


def test_parity_with_live_r(cli: Cli) -> None:
    pytest.importorskip("rpy2.situation", reason="rpy2 is not installed")
    if shutil.which("R") is None:
        pytest.skip("R is not installed: no program R")
    result = cli("parity", "compare", "--weights", FILES / "list.pt", "--n-head", 4)
    assert result.exit_code == 0, result.output
    assert f"the weights of {FILES / 'list.pt'}" in result.output


def test_a_port_is_asked_about_weights(cli: Cli, tmp_path: Path) -> None:
    if (why := isolation_missing()) is not None:
        pytest.skip(f"submissions cannot be isolated here: {why}")
    right = (Path(__file__).parents[1] / "grading" / "submissions" / "correct.py").read_text()
    # Wrong at these weights' size alone, which is never drawn.
    output = "return self.ln_f(self.scale3(h))"
    folder, out = tmp_path / "class", tmp_path / "out"
    folder.mkdir()
    (folder / "wrong.py").write_text(right.replace(output, f"{output} * (1 + (self.N == 1))", 1))
    assert cli("grade", "run", folder, "--seed", 1, "--out", out).exit_code == 0
    told = json.loads((out / "wrong.json").read_text())
    assert told["score"] == told["max_score"]
    (folder / "right.py").write_text(right)
    # what was graded without the weights is not taken for a grade with them
    run = cli("grade", "run", folder, "--weights", FILES / "list.pt", "--seed", 1, "--out", out)
    assert run.exit_code == 0, run.output
    for name, full in (("right", True), ("wrong", False)):
        told = json.loads((out / f"{name}.json").read_text())
        assert (told["score"] == told["max_score"]) == full
    refused(cli("grade", "run", folder, "--weights", FILES / "pointers.rds"), "died with the R session")
