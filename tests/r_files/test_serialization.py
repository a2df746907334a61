"""R's serialised objects: every kind in every form, as R says they are; and what lies about its size."""

import bz2
import gzip
import shutil
import struct
import subprocess
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from pygpt.errors import PygptError
from pygpt.r_files.opening import is_r, opened, zstd
from pygpt.r_files.serialization import unserialize
from pygpt.r_files.values import NA_INTEGER, RValue, UnreadableError, everything, number, shape, texts
from tests.r_files.helpers import OBJECTS, XDR, xdr

FORMS = (
    "objects.rds", "bzip2.rds", "xz.rds", "plain.rds", "version_2.rds", "ascii.rds", "hexadecimal.rds", "native.rds",
    "workspace.RData", "workspace_ascii.RData",
)  # fmt: skip


def held(path: Path) -> RValue:
    objects = opened(path).objects
    value = objects["objects"] if path.suffix == ".RData" else objects[""]
    assert value is not None
    return value


def check(value: RValue) -> None:
    """What `objects.R` says."""
    get = {name: v for name, v in value.items() if v is not None}
    assert value.names[4] == "nothing"
    assert value.data[4] is None
    assert get["integers"].data.tolist() == [1, NA_INTEGER, -5]
    assert repr(get["doubles"].data.tolist()) == "[0.1, nan, -inf]"
    assert get["doubles"].names == ["x", "y", "z"]
    assert get["texts"].data == ["a", None, "ç", "ç"]
    assert texts(get["texts"]) is None
    assert get["flags"].data.tolist() == [1, NA_INTEGER]
    assert get["raw"].data == b"\0\xff"
    assert get["complex"].data.tolist() == [1 + 2j]
    assert texts(get["factor"]) == ["u", "v", "u"]
    assert (get["compiled"].kind, get["call"].kind, get["builtin"].kind) == ("closure", "language", "builtin")
    assert get["itself"].get("self") is get["itself"]
    assert number(get["itself"].get("num_heads")) == 3
    assert get["frame"].classes == ["data.frame"]
    assert texts(get["frame"].get("q")) == ["r", "s"]
    assert get["sequence"].data.tolist() == list(range(1, 1001))
    assert get["halves"].data.tolist() == [0.5, 1, 1.5, 2]
    assert get["written"].data == ["1", "2", "3"]
    assert (get["global"].kind, get["namespace"].kind, get["S4"].kind) == ("environment", "environment", "S4")
    assert [(name, number(v)) for name, v in get["pairs"].items()] == [("a", 1), ("", 2)]
    assert shape(get["matrix"]) == (2, 3)
    assert get["matrix"].data.tolist() == [0.25, 0.5, 0.75, 1, 1.25, 1.5]
    assert get["sorted"].data.tolist() == [1, 3.5]


@pytest.mark.parametrize("form", FORMS)
def test_every_kind_in_every_form(form: str) -> None:
    assert is_r(OBJECTS / form)
    check(held(OBJECTS / form))


@pytest.mark.parametrize("name", ["numbers.rds", "hexadecimal_numbers.rds"])
def test_numbers_keep_every_bit(name: str) -> None:
    value = opened(OBJECTS / name).objects[""]
    assert value is not None
    assert value.data.tobytes() == (OBJECTS / "numbers.bin").read_bytes()


def test_the_r_that_is_here(tmp_path: Path) -> None:
    if shutil.which("Rscript") is None:
        pytest.skip("R is not installed: no program Rscript")
    script = Path(__file__).with_name("objects.R")
    subprocess.run(["Rscript", "--vanilla", str(script), str(tmp_path)], check=True, capture_output=True, timeout=120)
    for form in FORMS:
        check(held(tmp_path / form))
    for name in ("numbers.rds", "hexadecimal_numbers.rds"):
        value = opened(tmp_path / name).objects[""]
        assert value is not None
        assert value.data.tobytes() == (tmp_path / "numbers.bin").read_bytes()


def test_a_functions_defaults_are_not_what_it_was_called_with() -> None:
    names = {name for v in everything(held(OBJECTS / "objects.rds")) if v.kind == "list" for name, _ in v.items()}
    assert "Head" not in names
    assert "integers" in names


REAL, LIST, TEXTS, INTEGERS, RAW, COMPLEX, PAIRLIST, SYMBOL, ALTREP, NULL = 14, 19, 16, 13, 24, 15, 2, 1, 238, 254


@pytest.mark.parametrize("kind", [REAL, LIST, TEXTS, INTEGERS, RAW, COMPLEX, 20, 10])
@pytest.mark.parametrize("length", [[0x7FFFFFFF], [-1, 0x7FFF, 0], [-1, -1, -1], [-2]])
def test_a_length_is_not_believed(kind: int, length: list[int]) -> None:
    data = xdr(kind, *length) + bytes(64)
    tracemalloc.start()
    try:
        with pytest.raises(UnreadableError):
            unserialize(data)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def a_sequence(n: float) -> bytes:
    """1:n, as R writes it since 3.5."""
    symbol = struct.pack(">iii", SYMBOL, 0x00040009, 14) + b"compact_intseq"
    base = struct.pack(">iii", SYMBOL, 0x00040009, 4) + b"base"
    info = struct.pack(">i", PAIRLIST) + symbol + struct.pack(">i", PAIRLIST) + base
    info += struct.pack(">iiiii", PAIRLIST, INTEGERS, 1, 13, NULL)
    return struct.pack(">i", ALTREP) + info + struct.pack(">iiddd", REAL, 3, n, 1, 1) + struct.pack(">i", NULL)


def test_sequences_are_bounded_all_together() -> None:
    value = unserialize(XDR + a_sequence(5))
    assert value is not None
    assert value.data.tolist() == [1, 2, 3, 4, 5]
    many = XDR + struct.pack(">ii", LIST, 100) + 100 * a_sequence(1e6)
    for data in (XDR + a_sequence(1e15), XDR + a_sequence(-1), XDR + a_sequence(float("nan")), many):
        with pytest.raises(UnreadableError):
            unserialize(data)


def test_a_form_of_another_package_is_said_to_need_r(tmp_path: Path) -> None:
    (tmp_path / "x.rds").write_bytes(XDR + a_sequence(5).replace(b"compact_intseq", b"vroom_vec_____"))
    with pytest.raises(PygptError, match="vroom_vec") as failed:
        opened(tmp_path / "x.rds")
    assert f'x <- readRDS("{tmp_path}/x.rds")\n  saveRDS(x, "x_plain.rds", version = 2)' in str(failed.value)


def test_depth_is_bounded_and_needs_no_recursion() -> None:
    deep = XDR + 10_000 * struct.pack(">ii", LIST, 1) + struct.pack(">i", NULL)
    value = unserialize(deep)
    assert len(list(everything(value))) == 10_000
    with pytest.raises(UnreadableError, match="deep"):
        unserialize(XDR + 30_000 * struct.pack(">ii", LIST, 1) + struct.pack(">i", NULL))
    # a pairlist is a chain, not a depth
    chain = unserialize(XDR + 50_000 * struct.pack(">ii", PAIRLIST, NULL) + struct.pack(">i", NULL))
    assert chain is not None
    assert len(chain) == 50_000


def test_objects_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pygpt.r_files.serialization._MOST_OBJECTS", 1000)
    for data in (
        XDR + struct.pack(">ii", LIST, 2000) + 2000 * struct.pack(">i", NULL),
        XDR + struct.pack(">ii", TEXTS, 2000) + 2000 * struct.pack(">ii", 0x00040009, 0),
        XDR + 2000 * struct.pack(">ii", PAIRLIST, NULL) + struct.pack(">i", NULL),
    ):
        with pytest.raises(UnreadableError, match="objects"):
            unserialize(data)


def test_zstd(tmp_path: Path) -> None:
    """R 4.5 and newer write it; R 4.2, which made the other files, cannot."""
    (tmp_path / "zstd.rds").write_bytes(zstd.compress((OBJECTS / "plain.rds").read_bytes()))
    check(held(tmp_path / "zstd.rds"))


def test_what_is_uncompressed_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pygpt.r_files.opening._MOST_BYTES", 1 << 20)
    for name, compress in (("a.rds", gzip.compress), ("b.rds", bz2.compress), ("c.rds", zstd.compress)):
        (tmp_path / name).write_bytes(compress(XDR + struct.pack(">ii", RAW, 1 << 24) + bytes(1 << 24)))
        with pytest.raises(PygptError, match="more than 1,048,576 bytes"):
            opened(tmp_path / name)
        assert is_r(tmp_path / name)


def test_a_text_is_not_taken_for_r(tmp_path: Path) -> None:
    for content in (b"X\nY\n1\n", b"A\n22\n", b"A\n", b"", gzip.compress(b"a,b\n1,2\n"), b"\x1f\x8b broken"):
        (tmp_path / "t").write_bytes(content)
        assert not is_r(tmp_path / "t")
    assert not is_r(tmp_path / "nowhere")
    assert np.frombuffer(XDR[2:6], ">i4")[0] == 2
