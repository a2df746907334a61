"""One tensor of R torch's formats 1 and 2: a zip archive with a pickle, which is taken apart and never run."""

import contextlib
import io
import os
import pickle
import zipfile
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from pygpt.r_files.archives import tensor_of
from pygpt.r_files.opening import opened, opened_bytes
from pygpt.r_files.values import UnreadableError
from tests.fuzz import damaged
from tests.r_files.helpers import FILES


def archives() -> dict[str, bytes]:
    """R's own, by the tensor's name."""
    root = opened(FILES / "state_dict_v2.pt").objects[""]
    assert root is not None
    values = root.get("values")
    assert values is not None
    found = {}
    for name, value in values.items():
        assert value is not None
        inner = opened_bytes(value.data).objects[""]  # an RDS in the RDS
        assert inner is not None
        held = inner.get("values")
        assert held is not None
        found[name] = held.data
    return found


ARCHIVES = archives()
ONE = ARCHIVES["wpe.weight"]


def changed(archive: bytes, member: str, content: bytes | None = None, compression: int = zipfile.ZIP_STORED) -> bytes:
    """The archive with another content of a member, its checksums right."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as held, zipfile.ZipFile(out, "w", compression) as new:
        for name in held.namelist():
            new.writestr(name, content if content is not None and name.endswith(member) else held.read(name))
    return out.getvalue()


def the_pickle(archive: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(archive)) as held:
        return next(held.read(name) for name in held.namelist() if name.endswith("data.pkl"))


def test_tensors_are_what_libtorch_wrote() -> None:
    expected = load_file(FILES / "safe_save_file.safetensors")
    assert ARCHIVES.keys() == expected.keys()
    for name, archive in ARCHIVES.items():
        assert torch.equal(tensor_of(archive), expected[name])


def test_a_program_in_the_pickle_is_not_run(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> object:
            return os.mkdir, (f"{tmp_path}/run",)

    for protocol in (2, 4):
        evil = changed(ONE, "data.pkl", pickle.dumps(Evil(), protocol))
        with pytest.raises(UnreadableError):
            tensor_of(evil)
    before = the_pickle(ONE)[:-1]
    evil = changed(ONE, "data.pkl", before + pickle.dumps(Evil(), 2)[2:])
    with contextlib.suppress(UnreadableError):
        tensor_of(evil)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"K\x06K\x08t", b"M\xff\xffM\xff\xfft"),  # a shape beyond what is stored
        (b"K\x06K\x08t", b"K\x06J\xff\xff\xff\xfft"),  # below zero
        (b"FloatStorage", b"QuantStorage"),
        (b"_rebuild_tensor_v2", b"_rebuild_tensor_v9"),
    ],
)
def test_what_does_not_fit_is_refused(old: bytes, new: bytes) -> None:
    held = the_pickle(ONE)
    assert old in held
    with pytest.raises(UnreadableError):
        tensor_of(changed(ONE, "data.pkl", held.replace(old, new, 1)))


def test_nothing_compressed_is_unpacked() -> None:
    with pytest.raises(UnreadableError):
        tensor_of(changed(ONE, "data/0", bytes(1 << 20), zipfile.ZIP_DEFLATED))


@given(content=damaged(the_pickle(ONE)))
def test_any_damage_of_the_pickle(content: bytes) -> None:
    with contextlib.suppress(UnreadableError):
        tensor_of(changed(ONE, "data.pkl", content))


@given(content=damaged(ONE) | st.binary(max_size=200))
def test_any_damage_of_the_archive(content: bytes) -> None:
    with contextlib.suppress(UnreadableError):
        tensor_of(content)
