"""The commands as a user meets them: what they print, what they refuse, what they leave alone."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from safetensors.numpy import load_file, save_file

from pygpt.checkpoints import FIGURE, RESUME, SETTINGS, VOCABULARY, WEIGHTS
from pygpt.determinism import ALL_CORES
from pygpt.losses import HISTORY, STEPS
from tests.small import SMALL

Cli = Callable[..., Result]
RunOf = Callable[[str], Path]


def refused(result: Result, *words: str) -> None:
    """Exit code 2, one clear message, no traceback."""
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output
    message = result.stderr
    assert message.startswith(("Error: ", "Usage: ")), message
    for word in words:
        assert word in message, message


@pytest.mark.parametrize("model", ["gpt", "gpt_noattn"])
def test_a_run_leaves_what_it_names(model: str, run_of: RunOf) -> None:
    folder = run_of(model)
    names = {WEIGHTS, SETTINGS, VOCABULARY, HISTORY, STEPS, FIGURE, RESUME}
    assert {p.name for p in folder.iterdir()} == names
    settings = json.loads((folder / SETTINGS).read_text())
    assert settings["training"]["seed"] == 42
    assert (settings["training"]["threads"], settings["training"]["r_threads"]) == (ALL_CORES, 1)
    assert settings["training"]["engine"] == "r"
    assert len(settings["provenance"]["corpus_sha256"]) == 64
    assert settings["provenance"]["torch"].startswith("2.")
    assert (folder / HISTORY).read_text().startswith("epoch,train,valid")
    assert (folder / STEPS).read_text().startswith("step,loss\n1,")
    assert (folder / FIGURE).read_bytes().startswith(b"\x89PNG")


def test_train_says_what_it_does(cli: Cli, tmp_path: Path) -> None:
    output = cli("train", *SMALL, "--max-steps", 3, "--out", tmp_path / "run").output
    # 36,377 characters: floor(0.04 n) = 1,455, of which floor(0.9 x) = 1,309 train; 16 fewer windows
    assert "1,293 windows to train on, 130 to validate; batches of 64" in output
    assert f"3 steps, seed 42, engine r on cpu, threads {ALL_CORES} (R's: 1)" in output
    assert str(tmp_path / "run") in output


def test_threads_change_no_bit_and_rs_threads_do(cli: Cli, tmp_path: Path) -> None:
    weights = {}
    for threads, r_threads in ((1, 1), (2, 1), (1, 3), (3, 3)):
        folder = tmp_path / f"{threads}{r_threads}"
        options = ["--max-steps", 8, "--threads", threads, "--r-threads", r_threads, "--out", folder]
        result = cli("train", *SMALL, *options)
        assert result.exit_code == 0, result.output
        assert (f"R's bits: exact on {threads} thread" in result.output) == (threads != r_threads)
        settings = json.loads((folder / SETTINGS).read_text())
        assert (settings["training"]["threads"], settings["training"]["r_threads"]) == (threads, r_threads)
        assert ("exactness" in settings["provenance"]) == (threads != r_threads)
        weights[threads, r_threads] = (folder / WEIGHTS).read_bytes()
    assert weights[1, 1] == weights[2, 1]
    assert weights[1, 3] == weights[3, 3] != weights[1, 1]


def test_a_run_goes_on_with_the_same_bits_on_other_threads(cli: Cli, tmp_path: Path) -> None:
    for name in ("whole", "broken"):
        steps = 8 if name == "whole" else 4
        assert cli("train", *SMALL, "--threads", 1, "--max-steps", steps, "--out", tmp_path / name).exit_code == 0
    result = cli("train", "--resume", "--threads", 2, "--max-steps", 8, "--out", tmp_path / "broken")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "broken" / WEIGHTS).read_bytes() == (tmp_path / "whole" / WEIGHTS).read_bytes()
    refused(cli("train", "--resume", "--r-threads", 2, "--out", tmp_path / "broken"), "r_threads is 1 there, 2 here")


def test_a_run_of_before_rs_threads_keeps_its_bits(cli: Cli, tmp_path: Path) -> None:
    for name in ("whole", "old"):
        options = ["--threads", 3, "--r-threads", 3, "--max-steps", 8 if name == "whole" else 4]
        cli("train", *SMALL, *options, "--out", tmp_path / name)
    stored = tmp_path / "old" / SETTINGS
    settings = json.loads(stored.read_text())
    del settings["training"]["r_threads"]  # as they were written then
    stored.write_text(json.dumps(settings))
    cli("train", "--resume", "--max-steps", 8, "--out", tmp_path / "old")
    assert (tmp_path / "old" / WEIGHTS).read_bytes() == (tmp_path / "whole" / WEIGHTS).read_bytes()


def test_options_win_over_the_file(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text(
        'corpus = "sample"\nshare = 0.04\nn_embd = 8\nblock_size = 8\nmax_steps = 2\nseed = 7\n'
    )
    result = cli("train", "--config", tmp_path / "s.toml", "--seed", 8, "--out", tmp_path / "run")
    assert result.exit_code == 0, result.output
    settings = json.loads((tmp_path / "run" / SETTINGS).read_text())
    assert (settings["model"]["n_embd"], settings["training"]["seed"]) == (8, 8)


def test_two_seeded_runs_are_the_same_and_another_seed_is_not(cli: Cli, tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        cli("train", *SMALL, "--max-steps", 4, "--seed", seed, "--out", tmp_path / name)
    a, b, c = ((tmp_path / name / WEIGHTS).read_bytes() for name in "abc")
    assert a == b
    assert a != c


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--n-embd", 10, "--n-head", 4], ["n_embd = 10 is not divisible by n_head = 4"]),
        (["--lr", "nan"], ["lr = nan"]),
        (["--epochs", -1], ["epochs = -1"]),
        (["--batch-size", 0], ["batch_size = 0"]),
        (["--threads", 0], ["threads = 0", "from 1 to 1024"]),
        (["--threads", 1025], ["threads = 1025", "from 1 to 1024"]),
        (["--r-threads", 0], ["r_threads = 0", "from 1 to 1024"]),
        (["--r-threads", 1025], ["r_threads = 1025", "from 1 to 1024"]),
        (["--r-threads", 2, "--engine", "fast"], ["r_threads = 2 belongs to engine r"]),
        (["--share", 0.001], ["too short for two windows"]),
        (["--corpus", "nowhere.txt"], ["cannot read the corpus", "nowhere.txt", "sample, shakespeare"]),
        (["--bf16"], ["engine fast"]),
        (["--device", "gpu"], ["device = 'gpu' cannot be used here"]),
        (["--vocabulary", "nowhere.json"], ["cannot read the vocabulary", "nowhere.json"]),
        (["--config", "nowhere.toml"], ["cannot read nowhere.toml"]),
        (["--seed", "x"], ["'x' is not a valid int"]),
    ],
)
def test_bad_settings_write_nothing(cli: Cli, tmp_path: Path, options: list[object], words: list[str]) -> None:
    others = [word for pair in zip(SMALL[::2], SMALL[1::2], strict=True) if pair[0] not in options for word in pair]
    refused(cli("train", *others, "--out", tmp_path / "run", *options), *words)
    assert not (tmp_path / "run").exists()


def test_a_folder_with_a_run_is_left_alone(cli: Cli, run_of: RunOf) -> None:
    before = {p.name: p.read_bytes() for p in run_of("gpt").iterdir()}
    refused(cli("train", *SMALL, "--out", run_of("gpt")), "holds a run already", "--resume")
    assert {p.name: p.read_bytes() for p in run_of("gpt").iterdir()} == before


def test_resume_with_other_settings_says_which(cli: Cli, run_of: RunOf) -> None:
    result = cli("train", "--resume", "--out", run_of("gpt"), "--seed", 3, "--n-embd", 32, "--block-size", 16)
    refused(result, "seed is 42 there, 3 here", "n_embd is 16 there, 32 here")
    assert "block_size" not in result.stderr


def test_resume_where_there_is_no_run(cli: Cli, tmp_path: Path) -> None:
    refused(cli("train", "--resume", "--out", tmp_path), "holds no run")


def test_resume_on_another_text(cli: Cli, tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("ab\n" * 100)
    options = ["--corpus", text, "--block-size", 4, "--n-embd", 8, "--max-steps", 1, "--out", tmp_path / "run"]
    assert cli("train", *options).exit_code == 0
    text.write_text("ba\n" * 100)
    refused(cli("train", "--resume", "--out", tmp_path / "run"), "has changed since")


def test_a_finished_run_can_be_resumed_to_no_effect(cli: Cli, run_of: RunOf, tmp_path: Path) -> None:
    shutil.copytree(run_of("gpt"), tmp_path / "run")
    result = cli("train", "--resume", "--out", tmp_path / "run")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "run" / WEIGHTS).read_bytes() == (run_of("gpt") / WEIGHTS).read_bytes()
    assert (tmp_path / "run" / STEPS).read_bytes() == (run_of("gpt") / STEPS).read_bytes()


@pytest.mark.parametrize("model", ["gpt", "gpt_noattn"])
def test_generate_prints_prompt_and_text(model: str, cli: Cli, run_of: RunOf) -> None:
    command = ["generate", "--run", run_of(model), "--prompt", "OLIVANE:\n", "--tokens", 40]
    plain, again, other = cli(*command), cli(*command), cli(*command, "--seed", 5)
    assert plain.output.startswith("OLIVANE:\n")
    assert plain.output == again.output != other.output
    as_json = json.loads(cli(*command, "--json").output)
    assert as_json["samples"][0]["text"] + "\n" == plain.output
    assert len(as_json["samples"][0]["r_ids"]) == len("OLIVANE:\n") + 40


def test_samples_have_the_texts_of_their_seeds(cli: Cli, run_of: RunOf) -> None:
    command = ["generate", "--run", run_of("gpt"), "--prompt", "A", "--tokens", 20]
    three = json.loads(cli(*command, "--samples", 3, "--seed", 9, "--json").output)["samples"]
    alone = [json.loads(cli(*command, "--seed", s, "--json").output)["samples"][0] for s in (9, 10, 11)]
    assert three == alone
    assert cli(*command, "--samples", 3).output.count("--- seed ") == 3


def test_greedy_is_temperature_zero(cli: Cli, run_of: RunOf) -> None:
    command = ["generate", "--run", run_of("gpt"), "--prompt", "A", "--tokens", 20]
    assert cli(*command, "--greedy").output == cli(*command, "--temperature", 0, "--seed", 77).output


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--prompt", "Olá"], ["unknown character 'á' (U+00E1) in the prompt, at character 3", "vocabulary holds"]),
        (["--prompt", ""], ["prompt is empty"]),
        (["--tokens", 0], ["tokens = 0"]),
        (["--temperature", -1], ["temperature = -1"]),
        (["--top-k", 0], ["top_k = 0"]),
        (["--samples", 0], ["--samples", "0 is not in the range"]),
        (["--seed", -1], ["seed = -1"]),
    ],
)
def test_bad_requests_to_generate(cli: Cli, run_of: RunOf, options: list[object], words: list[str]) -> None:
    result = cli("generate", "--run", run_of("gpt"), *options)
    refused(result, *words)
    assert result.stdout == ""  # not even the prompt


def truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-100])


def as_text(file: Path) -> None:
    file.write_text("weights")


def another_shape(file: Path) -> None:
    tensors = load_file(file)
    tensors["ln_f.weight"] = tensors["ln_f.weight"][:-1]
    tensors.pop("scale3.bias")
    save_file(tensors, file)


def newer(file: Path) -> None:
    settings = file.with_name(SETTINGS)
    settings.write_text(settings.read_text().replace('"format": 1', '"format": 2'))


def no_weights(file: Path) -> None:
    file.unlink()


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (truncate, ["weights.safetensors is not a whole safetensors file"]),
        (as_text, ["weights.safetensors is not a whole safetensors file"]),
        (another_shape, ["missing scale3.bias", "ln_f.weight has shape"]),
        (newer, ["has format 2", "Update pygpt"]),
        (no_weights, ["has no weights.safetensors yet"]),
    ],
)
def test_damaged_runs(
    cli: Cli, run_of: RunOf, tmp_path: Path, damage: Callable[[Path], None], words: list[str]
) -> None:
    shutil.copytree(run_of("gpt"), tmp_path / "run")
    damage(tmp_path / "run" / WEIGHTS)
    refused(cli("generate", "--run", tmp_path / "run", "--prompt", "A"), *words)


def test_weights_of_the_other_model(cli: Cli, run_of: RunOf, tmp_path: Path) -> None:
    shutil.copytree(run_of("gpt"), tmp_path / "run")
    shutil.copy(run_of("gpt_noattn") / WEIGHTS, tmp_path / "run" / WEIGHTS)
    refused(cli("generate", "--run", tmp_path / "run", "--prompt", "A"), "does not fit this gpt model: missing MH.0")


def test_info_of_a_run_and_of_a_configuration(cli: Cli, run_of: RunOf) -> None:
    of_run = cli("info", "--run", run_of("gpt")).output
    # 16 wide: wpe 16 x 16, two blocks of (4 d^2 + 4 d) attention
    rows = dict(line.split() for line in of_run.splitlines() if len(line.split()) == 2)
    assert (rows["wpe"], rows["MH"]) == ("256", "2,176")
    assert "corpus_sha256" in of_run
    assert "epoch  train loss  valid loss" in of_run
    # the course's size, by hand as in test_models.py
    assert f"{64 * 128 + 2 * 66 * 128 + 2 * (12 * 128 * 128 + 13 * 128) + 2 * 128:,}" in cli("info").output
    refused(cli("info", "--run", run_of("gpt"), "--n-embd", 3), "give it alone")
    refused(cli("info", "--n-embd", 3), "not divisible")
    refused(cli("info", "--run", "nowhere"), "holds no run")


def test_a_portuguese_text_trains_and_speaks(cli: Cli, tmp_path: Path) -> None:
    text = tmp_path / "romance.txt"
    text.write_text("Não consultes dicionários. Casmurro não está aqui no sentido que eles lhe dão…\n" * 12, "utf-8")
    options = ["--block-size", 8, "--n-embd", 8, "--max-steps", 2, "--share", 1, "--out", tmp_path / "run"]
    assert cli("train", "--corpus", text, *options).exit_code == 0
    result = cli("generate", "--run", tmp_path / "run", "--prompt", "Não está", "--tokens", 20)
    assert result.exit_code == 0
    assert result.output.startswith("Não está")


def test_texts_go_through_a_pipe_and_a_bare_locale(run_of: RunOf, environment: dict[str, str], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pygpt", "generate", "--run", str(run_of("gpt")), "--prompt", "A"]
    bare = {**environment, "LC_ALL": "C", "COLUMNS": "20"}
    done = subprocess.run([*command, "--tokens", "9"], env=bare, capture_output=True, text=True, check=True)
    assert len(done.stdout) == 11
    assert done.stderr == ""
    # a reader that goes away, as `head` does, is no error to speak of
    line = f"{' '.join(command)} --tokens 3000 | head -c 5"
    cut = subprocess.run(line, shell=True, env=environment, capture_output=True, text=True, check=False)
    assert cut.stdout.startswith("A")
    assert "Traceback" not in cut.stderr
    assert "Exception" not in cut.stderr
