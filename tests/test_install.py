"""What installs, not the checkout: the wheel holds all that a run needs."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

import pygpt

ROOT = Path(__file__).parent.parent
TINY = ["train", "--corpus", "sample", "--share", "0.03", "--block-size", "8", "--n-embd", "8", "--max-steps", "2"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder, ROOT], check=True)
    return next(folder.glob("*.whl"))


def run(*command: object, cwd: Path, path: str = "") -> str:
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | ({"PYTHONPATH": path} if path else {})
    done = subprocess.run(
        [str(c) for c in command], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_one_version_everywhere() -> None:
    assert f"\nversion: {pygpt.__version__}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")


def test_the_wheel_trains_and_generates(wheel: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    run(sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", site, wheel, cwd=tmp_path)
    where = run(sys.executable, "-c", "import pygpt; print(pygpt.__file__)", cwd=tmp_path, path=str(site))
    assert where.startswith(str(site))
    assert "train" in run(sys.executable, "-m", "pygpt", "--help", cwd=tmp_path, path=str(site))
    run(sys.executable, "-m", "pygpt", *TINY, "--out", "run", cwd=tmp_path, path=str(site))
    command = [sys.executable, "-m", "pygpt", "generate", "--run", "run", "--prompt", "A", "--tokens", "5"]
    assert len(run(*command, cwd=tmp_path, path=str(site))) == 7


@pytest.mark.slow
def test_an_empty_environment_gets_all_it_needs(wheel: Path, tmp_path: Path) -> None:
    run(sys.executable, "-m", "venv", "env", cwd=tmp_path)
    pip = [tmp_path / "env" / "bin" / "python", "-m", "pip", "install", "-q"]
    run(*pip, "-c", ROOT / "constraints.txt", wheel, cwd=tmp_path)
    pygpt = tmp_path / "env" / "bin" / "pygpt"
    assert "train" in run(pygpt, "--help", cwd=tmp_path)
    run(pygpt, *TINY, "--out", "run", cwd=tmp_path)
    assert sysconfig.get_paths()["purelib"] not in run(pip[0], "-c", "import pygpt; print(pygpt)", cwd=tmp_path)
