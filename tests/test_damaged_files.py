"""Every file that a user may bring, damaged: its reader gives a result or an error of the family, never a traceback."""

import contextlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pygpt import checkpoints, corpus, figures, losses, runs, weights
from pygpt.errors import PygptError
from pygpt.settings import ModelSettings, TrainingSettings, from_dict, read_toml, split_settings
from pygpt.vocabulary import Vocabulary
from tests.fuzz import damaged

TOML = b'model = "gpt"\nn_embd = 32\nlr = 0.001\nbf16 = false\nmax_steps = 20\ncorpus = "sample"\n'
RunOf = Callable[[str], Path]

many = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@pytest.fixture
def folder(run_of: RunOf, tmp_path: Path) -> Path:
    """A run of one's own, to damage."""
    shutil.copytree(run_of("gpt"), tmp_path / "run")
    return tmp_path / "run"


@contextlib.contextmanager
def a_damaged(path: Path, data: st.DataObject) -> Iterator[Path]:
    """The file, damaged; afterwards it is whole again."""
    whole = path.read_bytes()
    path.write_bytes(data.draw(damaged(whole)))
    try:
        yield path
    finally:
        path.write_bytes(whole)


def read_settings(path: Path) -> None:
    for_model, for_training = split_settings(read_toml(path))
    from_dict(ModelSettings, for_model)
    from_dict(TrainingSettings, for_training)


READERS: dict[str, Callable[[Path], object]] = {
    checkpoints.SETTINGS: lambda folder: checkpoints.open_run(folder),
    checkpoints.VOCABULARY: lambda folder: checkpoints.open_run(folder),
    checkpoints.WEIGHTS: lambda folder: checkpoints.load_model(checkpoints.open_run(folder)),
    losses.HISTORY: losses.read_history,
    losses.STEPS: losses.read_steps,
}


@pytest.mark.parametrize("name", READERS)
@many
@given(data=st.data())
def test_a_runs_files(name: str, folder: Path, data: st.DataObject) -> None:
    with a_damaged(folder / name, data), contextlib.suppress(PygptError):
        READERS[name](folder)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_a_checkpoint(folder: Path, data: st.DataObject) -> None:
    steps = (folder / losses.STEPS).read_bytes()
    with a_damaged(folder / checkpoints.RESUME, data), contextlib.suppress(PygptError):
        runs.resume(folder, {})
    (folder / losses.STEPS).write_bytes(steps)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_what_is_drawn_and_shown_of_a_damaged_run(
    folder: Path, cli: Callable[..., Result], data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from([losses.STEPS, losses.HISTORY, checkpoints.SETTINGS, checkpoints.VOCABULARY]))
    with a_damaged(folder / name, data):
        with contextlib.suppress(PygptError):
            figures.draw_run(folder)
        assert cli("info", "--run", folder).exit_code in (0, 2)


@many
@given(content=damaged(TOML))
def test_a_file_of_settings(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_bytes(content)
    with contextlib.suppress(PygptError):
        read_settings(tmp_path / "s.toml")


@many
@given(content=damaged(Vocabulary("abc\n é").to_json().encode()))
def test_a_vocabulary(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "vocabulary.json").write_bytes(content)
    with contextlib.suppress(PygptError):
        Vocabulary.from_file(tmp_path / "vocabulary.json").encode("abc")


@many
@given(content=damaged("Não é um texto longo.\n".encode() * 3))
def test_a_text(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_bytes(content)
    with contextlib.suppress(PygptError):
        text = corpus.read_corpus(str(tmp_path / "text.txt")).text
        Vocabulary.from_text(text).encode(text)


@many
@given(data=st.data())
def test_weights_alone(folder: Path, data: st.DataObject) -> None:
    with a_damaged(folder / checkpoints.WEIGHTS, data) as path, contextlib.suppress(PygptError):
        weights.read_tensors(path)
