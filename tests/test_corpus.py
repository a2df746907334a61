import hashlib
from pathlib import Path

import numpy as np
import pooch
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pygpt import corpus
from pygpt.errors import PygptError
from pygpt.vocabulary import Vocabulary

FROM_THE_EXERCISES = "The address in the exercises is a web page about the file, not the file"


def test_sample_is_long_enough_and_laid_out_as_the_courses_text() -> None:
    sample = corpus.read_corpus("sample")
    assert len(sample.text) >= 30_000
    speeches = sample.text.rstrip("\n").split("\n\n")
    assert len(speeches) > 100
    assert all(speech.split("\n")[0].endswith(":") for speech in speeches)


def test_line_ends_and_sha256_are_those_of_the_file(tmp_path: Path) -> None:
    content = b"a\r\nb\rc\n"
    (tmp_path / "t.txt").write_bytes(content)
    read = corpus.read_corpus(str(tmp_path / "t.txt"))
    assert read.text == "a\r\nb\rc\n"
    assert read.sha256 == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"ol\xe1 mundo", r"not UTF-8: byte 3 is 0xE1.*iconv"), (b"", "is empty"), (None, "No such file.*--corpus takes")],
)
def test_a_text_that_cannot_be_read(tmp_path: Path, content: bytes | None, words: str) -> None:
    if content is not None:
        (tmp_path / "t.txt").write_bytes(content)
    with pytest.raises(PygptError, match=words):
        corpus.read_corpus(str(tmp_path / "t.txt"))


def test_a_misspelt_name_is_told() -> None:
    with pytest.raises(PygptError, match="Did you mean 'shakespeare'"):
        corpus.read_corpus("shakespear")


def test_split_floors_as_r_does() -> None:
    # 0.29 * 100 is 28.999999999999996 in double precision, in R as here: floor() gives 28
    used, rest = corpus.split(np.arange(100, dtype=np.uint8), 0.29, 0.9)
    assert (len(used), len(rest)) == (25, 3)
    assert rest.tolist() == [25, 26, 27]


@given(st.integers(1, 6), st.integers(2, 30), st.integers(1, 7), st.randoms())
def test_batches_hold_every_window_once(block_size: int, extra: int, batch_size: int, random: object) -> None:
    tokens = torch.arange(1, block_size + extra + 1, dtype=torch.uint8)
    windows = corpus.windows(tokens, block_size, "the text")
    assert len(windows) == len(tokens) - block_size
    order = torch.randperm(len(windows))
    pairs = list(corpus.batches(windows, batch_size, "cpu", order))
    x, y = (torch.cat(part) for part in zip(*pairs, strict=True))
    assert (x.dtype, y.dtype) == (torch.int32, torch.int64)
    assert x[:, 0].tolist() == (order + 1).tolist()
    assert torch.equal(y, x + 1)
    assert [len(p[0]) for p in pairs[:-1]] == [batch_size] * (len(pairs) - 1)
    later = list(corpus.batches(windows, batch_size, "cpu", order, first=1))
    assert all(torch.equal(a[0], b[0]) for a, b in zip(pairs[1:], later, strict=True))


def test_windows_are_a_view() -> None:
    tokens = torch.zeros(1000, dtype=torch.uint8)
    assert corpus.windows(tokens, 64, "t").untyped_storage().data_ptr() == tokens.untyped_storage().data_ptr()


def test_a_text_shorter_than_two_windows() -> None:
    assert len(corpus.windows(torch.zeros(66, dtype=torch.uint8), 64, "t")) == 2
    with pytest.raises(PygptError, match=r"the training part has 65 characters.*at least 66"):
        corpus.windows(torch.zeros(65, dtype=torch.uint8), 64, "the training part")


def test_shakespeare_from_the_environment_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "s.txt"
    monkeypatch.setenv("PYGPT_CORPUS", str(file))
    with pytest.raises(PygptError, match=r"PYGPT_CORPUS.*No such file"):
        corpus.read_corpus("shakespeare")
    file.write_text("To be")
    with pytest.raises(PygptError, match="not the course's text: its SHA-256 is"):
        corpus.read_corpus("shakespeare")
    file.write_text("\n<!DOCTYPE html>\n<html>")
    with pytest.raises(PygptError, match=FROM_THE_EXERCISES):
        corpus.read_corpus("shakespeare")


@pytest.mark.parametrize(
    ("served", "words"),
    [
        ("<html>", FROM_THE_EXERCISES),
        ("To be", "not the course's text"),
        (None, "could not be downloaded.*PYGPT_CORPUS"),
    ],
)
def test_a_download_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, served: str | None, words: str) -> None:
    def http(self: object, url: str, output_file: str, pooch_: object) -> None:
        assert url == corpus.SHAKESPEARE_URL
        if served is None:
            raise OSError("no route to host")
        Path(output_file).write_text(served)

    monkeypatch.delenv("PYGPT_CORPUS", raising=False)
    monkeypatch.setattr(pooch.HTTPDownloader, "__call__", http)
    monkeypatch.setattr(pooch, "os_cache", lambda name: tmp_path / name)
    with pytest.raises(PygptError, match=words):
        corpus.read_corpus("shakespeare")
    assert not list(tmp_path.rglob("Shakespeare.txt"))


def test_a_download_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text, calls = b"First Citizen:\n", []

    def http(self: object, url: str, output_file: str, pooch_: object) -> None:
        calls.append(url)
        Path(output_file).write_bytes(text)

    monkeypatch.delenv("PYGPT_CORPUS", raising=False)
    monkeypatch.setattr(corpus, "SHAKESPEARE_SHA256", hashlib.sha256(text).hexdigest())
    monkeypatch.setattr(pooch.HTTPDownloader, "__call__", http)
    monkeypatch.setattr(pooch, "os_cache", lambda name: tmp_path / name)
    assert corpus.read_corpus("shakespeare").text == corpus.read_corpus("shakespeare").text == text.decode()
    assert len(calls) == 1


def test_a_vocabulary_that_lacks_a_character_of_the_corpus() -> None:
    with pytest.raises(PygptError, match=r"unknown character 'b' .* in the corpus x, at character 2"):
        Vocabulary(["a"]).encode("ab", "the corpus x")
