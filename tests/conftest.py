"""What several tests share: running a command in this process, and a small trained run."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result
from hypothesis import settings

from pygpt.commands import main
from tests.exercises.small import SMALL as SMALL_EXERCISE
from tests.small import SMALL

settings.register_profile("pygpt", deadline=None, max_examples=30)
settings.load_profile("pygpt")


@pytest.fixture(autouse=True)
def _one_thread_and_a_wide_terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("COLUMNS", "120")  # where lines break is not what the tests ask
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def cli() -> Callable[..., Result]:
    """Run a command as the command line would: `cli("train", "--epochs", 1)`."""

    def run(*arguments: object, **kwargs: object) -> Result:
        return CliRunner().invoke(main, [str(a) for a in arguments], catch_exceptions=False, **kwargs)  # type: ignore[arg-type]

    return run


@pytest.fixture(scope="session")
def run_of(cli: Callable[..., Result], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of a small finished run of `gpt` or `gpt_noattn`; it is shared, so do not change it."""
    made: dict[str, Path] = {}

    def folder(model: str) -> Path:
        if model not in made:
            made[model] = tmp_path_factory.mktemp("runs") / model
            result = cli("train", "--model", model, *SMALL, "--epochs", 2, "--out", made[model])
            assert result.exit_code == 0, result.output
        return made[model]

    return folder


@pytest.fixture(scope="session")
def prepared(cli: Callable[..., Result], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of an exercise of two models that is prepared beside it, with two seeds; do not change it."""
    folder = tmp_path_factory.mktemp("exercises") / "sheet9"
    assert cli("exercise", "new", folder, *SMALL_EXERCISE, "--compare").exit_code == 0
    done = cli("exercise", "prepare", folder / "exercise.toml", "--seeds", 2)
    assert done.exit_code == 0, done.output
    return folder / "exercise.toml"


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    """For tests that start Python anew: the checkout first on the path."""
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
