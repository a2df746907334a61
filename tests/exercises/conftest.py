"""A small exercise of two models, prepared once for all tests."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

SMALL = ["--corpus", "sample", "--share", "0.03", "--n-layer", "1", "--n-head", "2", "--n-embd", "8",
         "--block-size", "8", "--epochs", "2", "--title", "Sheet 9"]  # fmt: skip


@pytest.fixture(scope="session")
def prepared(cli: Callable[..., Result], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of an exercise that is prepared beside it, with two seeds; it is shared, so do not change it."""
    folder = tmp_path_factory.mktemp("exercises") / "sheet9"
    assert cli("exercise", "new", folder, *SMALL, "--compare").exit_code == 0
    done = cli("exercise", "prepare", folder / "exercise.toml", "--seeds", 2)
    assert done.exit_code == 0, done.output
    return folder / "exercise.toml"
