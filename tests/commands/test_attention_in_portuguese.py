"""`attention` and `ladder` in Portuguese: the same numbers, files left as they are, errors and help translated."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from tests.commands.test_attention import TEXT

Cli = Callable[..., Result]
RunOf = Callable[[str], Path]


def test_portuguese_says_the_same_numbers(cli: Cli, run_of: RunOf) -> None:
    for position in ([], ["--position", 5]):
        arguments = ["attention", "--run", run_of("gpt"), "--text", TEXT, *position]
        english, portuguese = cli(*arguments).stdout, cli(*arguments, "--lang", "pt").stdout
        assert cli(*arguments, env={"PYGPT_LANG": "pt"}).stdout == portuguese
        assert re.findall(r"^camada (\d), cabeça (\d)$", portuguese, re.MULTILINE) == re.findall(
            r"^layer (\d), head (\d)$", english, re.MULTILINE
        )
        assert not re.search(r"\d\.\d|layer|head|weight|query", portuguese)
        marks = str.maketrans(".,", ",.")
        numbers = [[line.split()[2:] for line in text.splitlines() if re.match(r" +\d", line)]
                   for text in (english.translate(marks) if position else english, portuguese)]  # fmt: skip
        assert numbers[0] == numbers[1]
        assert numbers[0]


def test_portuguese_leaves_the_files_as_they_are(cli: Cli, run_of: RunOf, tmp_path: Path) -> None:
    for lang in ("en", "pt"):
        files = ("--json", tmp_path / f"{lang}.json", "--csv", tmp_path / f"{lang}.csv")
        result = cli("attention", "--run", run_of("gpt"), "--text", TEXT, "--position", 5, *files, "--lang", lang)
        assert result.exit_code == 0
    for kind in ("json", "csv"):
        assert (tmp_path / f"pt.{kind}").read_bytes() == (tmp_path / f"en.{kind}").read_bytes()


def test_portuguese_says_what_is_cut_off_and_written(cli: Cli, run_of: RunOf, tmp_path: Path) -> None:
    arguments = ("--text", "Farewell, " + "abcdefghijklmnop", "--out", tmp_path / "a.svg", "--lang", "pt")
    result = cli("attention", "--run", run_of("gpt"), *arguments)
    assert result.stderr == (
        "O texto tem 26 caracteres e o modelo vê 16 (block_size): são tomados os últimos 16, "
        "e a posição 1 é o caractere 11.\n"
    )
    assert result.stdout == f"gravado: {tmp_path / 'a.svg'}\n"


@pytest.mark.parametrize(
    ("model", "arguments", "words"),
    [
        ("gpt_noattn", ["--text", "abc"], "não tem atenção, portanto não há pesos a mostrar"),
        ("gpt", ["--text", ""], "o texto está vazio"),
        ("gpt", ["--text", "abc", "--position", "4"], "as posições dele vão de 1 a 3"),
    ],
)
def test_errors_are_told_in_portuguese(
    cli: Cli, run_of: RunOf, model: str, arguments: list[str], words: str
) -> None:  # fmt: skip
    result = cli("attention", "--run", run_of(model), *arguments, "--lang", "pt")
    assert result.exit_code == 2
    assert words in result.stderr


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (
            "attention",
            ["Mostra os pesos de atenção", "Sem --out, eles são impressos", "Pasta da execução.", "Exemplo: "],
        ),
        ("ladder", ["degrau por degrau", "na ordem do cálculo", "Código de saída 0", "Exemplo: "]),
    ],
)
@pytest.mark.parametrize("order", [["--lang", "pt", "--help"], ["--help", "--lang=pt"]])
def test_help_in_portuguese(cli: Cli, command: str, words: list[str], order: list[str]) -> None:
    text = " ".join(cli(command, *order).stdout.split())
    assert not [w for w in words if w not in text]
    for english in ("Show the", " weights ", "Climb", "Example", "Write", "Folder", "Exit code"):
        assert english not in text
