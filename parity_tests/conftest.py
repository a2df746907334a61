"""The live R that the parity tests share."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pygpt.r.errors import INSTALL_LIBTORCH, RMissingError, install_r_packages
from pygpt.r.session import RSession


@pytest.fixture(scope="session")
def r() -> Iterator[RSession]:
    """The one R session of all tests; where R or rpy2 is missing, the test is skipped and says what installs it."""
    with RSession(timeout=300) as session:
        try:
            session.start()
        except RMissingError as error:
            pytest.skip(str(error))
        yield session


@pytest.fixture(scope="session")
def r_torch(r: RSession) -> RSession:
    """The R session, where R's torch and luz are installed (not attached); else the test is skipped, with the line."""
    absent = [name for name in ("torch", "luz") if not r.call("system.file", package=name)]
    if absent:
        pytest.skip(f"not installed in R: {', '.join(absent)}. Install: {install_r_packages(absent)}")
    if not r.call("torch::torch_is_installed"):
        pytest.skip(f"R's torch has no libtorch. Install it: {INSTALL_LIBTORCH}")
    return r


@pytest.fixture
def without_r(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """For one test there is no R."""
    monkeypatch.delenv("R_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.fixture
def break_rpy2(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], None]:
    """`break_rpy2("ImportError('why')")`: for one test, every Python that is started fails so to import rpy2."""

    def break_it(error: str) -> None:
        (tmp_path / "rpy2.py").write_text(f"raise {error}\n")
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    return break_it
