"""R's files, damaged: a result or an error of the family, never a traceback."""

import contextlib
import gzip
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pygpt.errors import PygptError
from pygpt.r_files import hints
from pygpt.r_files.losses import losses_of
from pygpt.r_files.opening import is_r, opened, zstd
from pygpt.r_files.weights import found_in, weights_of
from tests.fuzz import damaged
from tests.r_files.helpers import FILES, OBJECTS

# Uncompressed, so that a damage reaches what is inside.
VALID = {
    name: content
    for folder in (FILES, OBJECTS)
    for path in sorted(folder.iterdir())
    if (name := path.name) and path.stat().st_size < 40_000 and path.suffix in (".rds", ".RData", ".pt", ".safetensors")
    for content in [gzip.decompress(path.read_bytes()) if path.read_bytes()[:2] == b"\x1f\x8b" else path.read_bytes()]
}
# What R's readers stumble over: types, lengths, references.
WORDS = [bytes.fromhex(word) for word in (
    "ffffffff", "7fffffff", "00000000", "000000ee", "00000213", "00000402", "000000ff", "00000015", "000000f4",
    "ffffffff00000001", "00000004", "00000016", "000004fd",
)]  # fmt: skip


def drawn(data: st.DataObject) -> bytes:
    """One of them, damaged as any file, or with a word of the format somewhere."""
    content = VALID[data.draw(st.sampled_from(sorted(VALID)))]
    if data.draw(st.booleans()):
        content = data.draw(damaged(content).map(Bytes)).content
    else:
        for _ in range(data.draw(st.integers(1, 3))):
            at, word = data.draw(st.integers(0, len(content))), data.draw(st.sampled_from(WORDS))
            content = content[:at] + word + content[at + len(word) :]
    return content


class Bytes:
    """So that a failure does not print them."""

    def __init__(self, content: bytes) -> None:
        self.content = content


def read(path: Path) -> None:
    is_r(path)
    file = opened(path)
    with contextlib.suppress(PygptError):
        losses_of(file, path)
    list(hints.vocabularies([file]))
    hints.heads([file])
    weights_of(found_in(file, path), path).model()


def test_the_files_are_whole() -> None:
    assert len(VALID) > 20


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_any_damage(data: st.DataObject, tmp_path: Path) -> None:
    content = drawn(data)
    (tmp_path / "x.rds").write_bytes(gzip.compress(content) if data.draw(st.booleans()) else content)
    with contextlib.suppress(PygptError):
        read(tmp_path / "x.rds")


@pytest.mark.parametrize("name", ["luz_save.rds", "module_v2.pt", "objects.rds", "xz.rds", "bzip2.rds", "zstd.rds"])
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_any_damage_of_what_is_compressed(name: str, tmp_path: Path, data: st.DataObject) -> None:
    files = [folder / name for folder in (FILES, OBJECTS) if (folder / name).exists()]
    whole = files[0].read_bytes() if files else zstd.compress((OBJECTS / "plain.rds").read_bytes())
    (tmp_path / name).write_bytes(data.draw(damaged(whole).map(Bytes)).content)
    with contextlib.suppress(PygptError):
        read(tmp_path / name)
