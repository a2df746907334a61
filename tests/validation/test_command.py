"""The commands of `validate`: help, requests that make no sense, exit codes."""

from pathlib import Path

import pytest

from pygpt.exercises.opening import course as exercises
from tests.validation.helpers import Cli, a_history, refused

COMMANDS = ["run", "history", "weights", "train", "recorded"]


def test_help_is_in_the_language_asked_for(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Julga pesos treinados no R." in cli("validate", "weights", "--lang", "pt", "--help").output
    assert "nada seu é julgado" in cli("validate", "recorded", "--help", "--lang=pt").output
    monkeypatch.setenv("PYGPT_LANG", "pt")
    whole = cli("validate", "--help").output
    assert "Compara um resultado dos exercícios 2 e 3" in whole
    assert "Julga pesos treinados no R" in whole
    assert "Judge" not in whole
    assert "Judge" in cli("validate", "weights", "--lang", "en", "--help").output


def test_errors_are_in_the_language_asked_for(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "h.csv").write_text("epoch,train,valid\n1,1.7,what\n")
    options = [tmp_path / "h.csv", "--model", "gpt"]
    refused(cli("validate", "history", *options), "line 2, valid: 'what' is not a number")
    told = cli("validate", "history", *options, "--lang", "pt")
    assert told.exit_code == 2
    assert "linha 2, valid: 'what' não é um número" in told.stderr


@pytest.mark.usefixtures("no_corpus")
def test_bad_requests(cli: Cli, tmp_path: Path) -> None:
    history = a_history(tmp_path / "h.csv", exercises()["gpt"].recorded.losses)
    refused(cli("validate", "history", history), "--model")
    refused(cli("validate", "history", history, history, "--model", "gpt"), "extra argument")
    refused(cli("validate", "weights", "one.safetensors", "two.safetensors"), "extra argument")
    refused(cli("validate", "history", tmp_path / "nowhere.csv", "--model", "gpt"), "cannot read")
    refused(cli("validate", "run"), "FOLDER")
    refused(cli("validate", "recorded", "--figure", tmp_path / "f.pdf"), "must end in .png or .svg")
    refused(cli("validate", "train", "--quick"), "could not be downloaded")
    refused(cli("validate", "weights", tmp_path / "w.safetensors"), "could not be downloaded")


def test_without_a_command_the_help_is_printed(cli: Cli) -> None:
    done = cli("validate")
    assert done.exit_code == 2
    for command in COMMANDS:
        assert command in done.output
