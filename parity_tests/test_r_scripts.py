"""R scripts run to their end, the errors where they do not, and what becomes of errors on their way to people."""

from collections.abc import Callable
from multiprocessing import Pipe
from pathlib import Path

import pytest
from click.testing import CliRunner

from pygpt.commands import main
from pygpt.errors import PygptError
from pygpt.output.messages import render, say
from pygpt.r.errors import RDiedError, RError, RMissingError, RTimeoutError
from pygpt.r.process import run_script
from pygpt.r.session import RSession

Programs = Callable[..., Path]


@pytest.fixture
def programs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Programs:
    """`programs(R="…", Rscript="…")`: for one test these files are the programs on the PATH."""

    def put(**contents: str) -> Path:
        for name, content in contents.items():
            (tmp_path / name).write_text(content)
            (tmp_path / name).chmod(0o755)
        monkeypatch.delenv("R_HOME", raising=False)
        monkeypatch.setenv("PATH", str(tmp_path))
        return tmp_path

    return put


def script(folder: Path, code: str) -> Path:
    path = folder / "às vezes.R"
    path.write_text(code, "utf-8")
    return path


@pytest.mark.usefixtures("r")
def test_what_a_script_prints_comes_back(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code = 'cat(commandArgs(TRUE), Sys.getenv("SAID"), sep = "|"); message("on the way")'
    assert run_script(script(tmp_path, code), "a b", "--c", environment={"SAID": "ção"}) == "a b|--c|ção"
    assert "on the way" in capfd.readouterr().err


@pytest.mark.usefixtures("r")
@pytest.mark.parametrize(
    ("code", "how"),
    [("quit(status = 7)", "exit code 7"), ("stop('no')", "exit code 1"), ("tools::pskill(Sys.getpid(), 9)", "SIGKILL")],
)
def test_a_script_that_fails(code: str, how: str, tmp_path: Path) -> None:
    with pytest.raises(RDiedError, match=rf"R ended in às vezes\.R: .*{how}; what it said stands above"):
        run_script(script(tmp_path, code))


@pytest.mark.usefixtures("r")
def test_a_script_has_a_time_limit(tmp_path: Path) -> None:
    with pytest.raises(RTimeoutError, match=r"longer than 1 s in às vezes\.R"):
        run_script(script(tmp_path, "Sys.sleep(60)"), limit=1)


@pytest.mark.usefixtures("without_r")
def test_no_r(tmp_path: Path) -> None:
    with pytest.raises(RMissingError, match="no program R on the PATH"):
        run_script(script(tmp_path, "1"))


def test_r_without_rscript(programs: Programs, tmp_path: Path) -> None:
    folder = programs(R="#!/bin/sh\n")
    with pytest.raises(RMissingError, match=f"no program Rscript beside {folder / 'R'}"):
        run_script(script(tmp_path, "1"))
    for command in (["record", "--out", str(tmp_path / "out")], ["compare", "--source", "torch"]):
        result = CliRunner().invoke(main, ["parity", *command])
        assert result.exit_code == 2
        assert "no program Rscript" in result.stderr


def test_a_doctor_whose_r_does_not_run_says_so(programs: Programs) -> None:
    programs(R="#!/bin/sh\n", Rscript="#!/nowhere/sh\n")
    result = CliRunner().invoke(main, ["parity", "doctor"])
    assert result.exit_code == 1
    assert "cannot be started: No such file or directory" in result.output


ERRORS = [
    RMissingError(say("there is no {what}", what="R"), "apt-get"),
    RError("no\nsuch thing", "f(x)", ["g(1)", "f(x)"]),
    RError("no such thing", None, []),
    RDiedError("R died in {what}: {how}; it printed nothing", what="f()", how=say("exit code {code}", code=3)),
    RTimeoutError("R took longer than {limit:g} s in {what} and was stopped", limit=1.5, what="f()"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_survives_another_process(error: PygptError) -> None:
    here, there = Pipe()
    with here, there:
        here.send(error)
        again = there.recv()
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert render(again, "pt") == render(error, "pt") != str(error)
    assert {name: str(value) for name, value in vars(again).items()} == {n: str(v) for n, v in vars(error).items()}


def test_an_r_error_keeps_its_lines_in_both_languages() -> None:
    error = RError("two\nlines", "f(x)", ["g(1)", "f(x)"])
    assert str(error) == "R error in f(x): two\nlines\nR's calls, the outermost first:\n- g(1)\n- f(x)"
    in_portuguese = "erro do R em f(x): two\nlines\nAs chamadas do R, a mais externa primeiro:\n- g(1)\n- f(x)"
    assert render(error, "pt") == in_portuguese


def test_numbers_and_causes_are_in_the_language() -> None:
    assert render(ERRORS[3], "pt") == "o R morreu em f(): código de saída 3; não imprimiu nada"
    assert render(ERRORS[4], "pt") == "o R levou mais de 1,5 s em f() e foi encerrado"


@pytest.mark.usefixtures("without_r")
def test_a_command_says_it_in_portuguese() -> None:
    result = CliRunner().invoke(main, ["parity", "compare"], env={"PYGPT_LANG": "pt"})
    assert result.exit_code == 2
    assert result.stderr.startswith("Erro: o R não está instalado: não há programa R no PATH")
    assert "Instale: apt-get install r-base-core" in result.stderr


def test_a_recording_that_is_none_is_said_in_portuguese(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["parity", "check", str(tmp_path / "x")], env={"PYGPT_LANG": "pt"})
    assert result.exit_code == 2
    assert result.stderr.startswith("Erro: ")


def test_a_session_that_dies_at_its_start(r: RSession, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "rpy2.py").write_text("import os; os._exit(9)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(RDiedError, match="R died in its start: exit code 9; it printed nothing"):
        RSession().start()
