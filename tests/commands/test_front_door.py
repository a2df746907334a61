"""The front door: what every command shares, however it is called and wherever its output goes."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

Cli = Callable[..., Result]
RunOf = Callable[[str], Path]
BROKEN_HEART = "I ❤ 中 \U0001f600"  # a sign beyond cp1252, one of Chinese, one beyond 16 bits


@pytest.mark.parametrize("command", [["-m", "pygpt"], ["cli.py"]])
def test_each_way_of_calling_it(command: list[str], environment: dict[str, str]) -> None:
    checkout = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, *command, "--version"], cwd=checkout, env=environment, capture_output=True)
    assert (done.returncode, done.stdout.split()[0]) == (0, b"pygpt")


@pytest.fixture(scope="module")
def chinese(cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("chinese")
    (folder / "text.txt").write_text(f"{BROKEN_HEART}\n" * 60, "utf-8")
    options = ["--block-size", 4, "--n-embd", 8, "--max-steps", 2, "--share", 1, "--out", folder / "run"]
    result = cli("train", "--corpus", folder / "text.txt", *options)
    assert result.exit_code == 0, result.output
    return folder / "run"


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1"])
@pytest.mark.parametrize(
    "command",
    [
        ["generate", "--prompt", "❤", "--tokens", "9"],
        ["generate", "--prompt", "❤", "--tokens", "9", "--json"],
        ["info"],
        ["attention", "--text", BROKEN_HEART],
        ["attention", "--text", BROKEN_HEART, "--lang", "pt"],
        ["generate", "--prompt", "❤ é", "--tokens", "9"],
    ],
)
def test_what_an_output_cannot_hold_is_escaped(
    command: list[str], encoding: str, chinese: Path, environment: dict[str, str]
) -> None:
    name, *options = command
    done = subprocess.run(
        [sys.executable, "-m", "pygpt", name, "--run", str(chinese), *options],
        env=environment | {"PYTHONIOENCODING": encoding}, capture_output=True, check=False,
    )  # fmt: skip
    printed, told = done.stdout.decode(encoding), done.stderr.decode(encoding)
    assert "Traceback" not in told
    assert done.returncode == (2 if "❤ é" in command else 0), told
    if "--json" in command:
        text = json.loads(printed)["samples"][0]["text"]
        assert text.startswith("❤")
        assert set(text.replace("<PAD>", "")) <= set(BROKEN_HEART + "\n")
    elif name != "attention" and "❤ é" not in command:
        assert "\\u2764" in printed


def test_the_language_is_one_that_pygpt_has(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYGPT_LANG", "fr")
    result = cli("info", "--n-embd", 8)
    assert result.exit_code == 2
    assert "PYGPT_LANG=fr is no language of pygpt: take one of en, pt" in result.stderr


def test_errors_and_help_are_in_the_language_that_is_asked_for(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    english = cli("info", "--n-embd", 1500, "--n-head", 7)
    assert "n_embd = 1500 is not divisible by n_head = 7" in english.stderr
    monkeypatch.setenv("PYGPT_LANG", "pt")
    result = cli("info", "--n-embd", 1500, "--n-head", 7)
    assert result.exit_code == 2
    assert result.stderr.startswith("Erro: n_embd = 1500 não é divisível por n_head = 7")
    help_text = cli("--help").stdout
    assert "Uso: " in help_text
    assert "Opções:" in help_text
    assert "Comandos:" in help_text
    assert "Mostra esta mensagem e sai." in help_text


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_full_output_is_told(environment: dict[str, str]) -> None:
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "pygpt", "info"]
        done = subprocess.run(command, env=environment, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert "no space left" in done.stderr
    assert "Traceback" not in done.stderr


def test_help_answers_in_a_narrow_terminal(environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "pygpt", "--help"]
    done = subprocess.run(command, env=environment | {"COLUMNS": "40"}, capture_output=True, text=True, check=True)
    assert max(map(len, done.stdout.splitlines())) <= 50  # click's least
