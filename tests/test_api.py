"""The Python front door: what it exports, what it gives, and that it leaves the caller's process as it was."""

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import Result

import pygpt
from pygpt.checkpoints import RESUME, SETTINGS, WEIGHTS
from pygpt.losses import HISTORY, STEPS
from tests.small import SMALL

Cli = Callable[..., Result]
SETTINGS_OF_SMALL: dict[str, Any] = {"corpus": "sample", "share": 0.04, "block_size": 16, "n_embd": 16}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> pygpt.Run:
    return pygpt.train(tmp_path_factory.mktemp("api") / "run", quiet=True, epochs=2, **SETTINGS_OF_SMALL)


def test_what_is_exported() -> None:
    assert (
        set(pygpt.__all__) == {"PygptError", "Run", "__version__", "load", "load_weights", "train"} == set(dir(pygpt))
    )
    for name in pygpt.__all__:
        assert getattr(pygpt, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'lode'"):
        _ = pygpt.lode
    assert (Path(pygpt.__file__).parent / "py.typed").exists()


def test_importing_it_brings_nothing_heavy(environment: dict[str, str]) -> None:
    code = (
        "import sys, pygpt\n"
        "heavy = {'torch', 'numpy', 'matplotlib', 'rich', 'click'} & set(sys.modules)\nassert not heavy, heavy\n"
        "assert 'train' in dir(pygpt) and pygpt.PygptError.__mro__[1] is Exception"
    )
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)


@pytest.mark.parametrize("model", ["gpt", "gpt_noattn"])
def test_it_trains_what_the_command_trains(model: str, cli: Cli, tmp_path: Path) -> None:
    pygpt.train(tmp_path / "api", quiet=True, model=model, epochs=1, **SETTINGS_OF_SMALL)
    assert cli("train", "--model", model, *SMALL, "--epochs", 1, "--out", tmp_path / "command").exit_code == 0
    for name in (WEIGHTS, STEPS, HISTORY, RESUME, SETTINGS):
        assert (tmp_path / "api" / name).read_bytes() == (tmp_path / "command" / name).read_bytes(), name


def test_a_run_as_objects(run: pygpt.Run, cli: Cli) -> None:
    again = pygpt.load(run.folder)
    assert [e.epoch for e in again.history] == [1, 2]
    assert len(again.steps) == 2 * 21  # 1,293 windows in batches of 64
    assert again.history[1].train < again.history[0].train < again.steps[0]
    assert not again.model.training
    assert len(again.vocabulary) == again.model_settings.vocab_size
    assert "2 epochs" in repr(again)
    printed = cli("generate", "--run", run.folder, "--prompt", "A", "--tokens", 30, "--seed", 5).stdout
    assert again.generate("A", tokens=30, seed=5) + "\n" == printed
    assert again.samples("A", tokens=30, seeds=(4, 5))[1] + "\n" == printed
    weights = again.attention("OLIVANE:").weights
    assert weights.shape == (2, 2, 8, 8)
    assert weights.sum(axis=-1) == pytest.approx(1, abs=1e-6)


def test_pandas_takes_the_losses_as_they_are(run: pygpt.Run) -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    history = pandas.DataFrame(run.history)
    assert list(history.columns) == ["epoch", "train", "valid"]
    assert list(history["valid"]) == [e.valid for e in run.history]
    assert list(pandas.Series(run.steps)) == run.steps


def test_nothing_of_the_caller_is_changed(tmp_path: Path) -> None:
    torch.manual_seed(5)
    torch.set_num_threads(2)
    before = torch.get_rng_state()
    run = pygpt.train(tmp_path / "run", quiet=True, max_steps=3, **SETTINGS_OF_SMALL)
    run.generate("A", tokens=3)
    run.attention("A")
    with pytest.raises(pygpt.PygptError):
        pygpt.train(tmp_path / "run", quiet=True, **SETTINGS_OF_SMALL)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.get_num_threads() == 2


def test_it_trains_outside_of_the_main_thread(tmp_path: Path) -> None:
    arguments = {"quiet": True, "max_steps": 2, **SETTINGS_OF_SMALL}
    thread = threading.Thread(target=pygpt.train, args=(tmp_path / "run",), kwargs=arguments)
    thread.start()
    thread.join()
    assert len(pygpt.load(tmp_path / "run").steps) == 2


def test_quiet_prints_nothing_and_else_it_tells(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    pygpt.train(tmp_path / "quiet", quiet=True, max_steps=1, **SETTINGS_OF_SMALL)
    assert capfd.readouterr() == ("", "")
    pygpt.train(tmp_path / "told", max_steps=1, **SETTINGS_OF_SMALL)
    assert "Done: 1 steps, 0 of 3 epochs" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"n_embed": 3}, "unknown setting 'n_embed'.*Did you mean 'n_embd'"),
        ({"n_embd": "wide"}, "n_embd = 'wide' is not a whole number"),
        ({"corpus": "nowhere.txt"}, "cannot read the corpus"),
        ({"resume": True}, "holds no run"),
    ],
)
def test_mistakes_are_errors_of_the_family(settings: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(pygpt.PygptError, match=words):
        pygpt.train(tmp_path / "run", **{"quiet": True, **SETTINGS_OF_SMALL, **settings})
    assert not (tmp_path / "run").exists()
