"""A large text is the same text, with less of it in memory; its cache belongs to it alone."""

import hashlib
import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from click.testing import Result
from hypothesis import given
from hypothesis import strategies as st

from pygpt import corpus, large_corpus
from pygpt.checkpoints import RESUME, TOKENS, WEIGHTS
from pygpt.errors import PygptError
from pygpt.large_corpus import LargeCorpus, open_corpus
from pygpt.losses import HISTORY, STEPS
from pygpt.vocabulary import Vocabulary

Cli = Callable[..., Result]
TEXT = "— Não vás, José! — gritou a irmã.\nÉ tarde: são três horas…\n" * 20
SMALL = ["--block-size", 8, "--n-embd", 8, "--threads", 1]
TINY = [*SMALL, "--max-steps", 3]


@pytest.fixture(autouse=True)
def _large_begins_at_a_hundred_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large_corpus, "LARGE", 100)
    monkeypatch.setattr(large_corpus, "_PIECE", 64)


@pytest.fixture
def text(tmp_path: Path) -> Path:
    (tmp_path / "text.txt").write_text(TEXT, "utf-8", newline="")
    return tmp_path / "text.txt"


characters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")


@given(
    words=st.text(characters, min_size=1, max_size=120), share=st.floats(0.01, 1), order=st.sampled_from(["icu", "c"])
)
def test_it_is_the_same_text(words: str, share: float, order: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("texts") / "t.txt"
    path.write_bytes(words.encode())
    try:
        whole = corpus.read_corpus(str(path))
    except PygptError:  # as a zip file begins, say
        return
    large = LargeCorpus(str(path), path, whole.sha256)
    assert (large.characters, large.length) == (whole.characters, whole.length)
    assert large.remarks == whole.remarks
    vocabulary, cache = Vocabulary.from_text(large.characters, order), path.with_name(TOKENS)
    expected = vocabulary.encode(words)[: math.floor(share * len(words))]
    for _ in ("made", "there already"):
        tokens = large.tokens(vocabulary, share, cache)
        assert tokens.dtype == torch.from_numpy(expected).dtype
        assert tokens.tolist() == expected.tolist()


def test_a_run_on_a_large_text_has_the_bits_of_one_on_a_small(
    cli: Cli, tmp_path: Path, text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = cli("train", "--corpus", text, *TINY, "--out", tmp_path / "large").output
    assert (tmp_path / "large" / TOKENS).exists()
    monkeypatch.setattr(large_corpus, "LARGE", 1 << 20)
    assert (
        cli("train", "--corpus", text, *TINY, "--out", tmp_path / "small").output.split("\n")[:3]
        == output.split("\n")[:3]
    )
    assert not (tmp_path / "small" / TOKENS).exists()
    for name in (WEIGHTS, RESUME, STEPS, HISTORY):
        assert (tmp_path / "large" / name).read_bytes() == (tmp_path / "small" / name).read_bytes(), name


def test_resuming_takes_the_cache_or_makes_it_anew(cli: Cli, tmp_path: Path, text: Path) -> None:
    for name in ("whole", "cached", "lost"):
        steps = 3 if name == "whole" else 1
        assert cli("train", "--corpus", text, *SMALL, "--max-steps", steps, "--out", tmp_path / name).exit_code == 0
    (tmp_path / "lost" / TOKENS).unlink()
    for name in ("cached", "lost"):
        result = cli("train", "--resume", "--max-steps", 3, "--out", tmp_path / name)
        assert result.exit_code == 0, result.output
        assert (tmp_path / name / WEIGHTS).read_bytes() == (tmp_path / "whole" / WEIGHTS).read_bytes()
        assert (tmp_path / name / TOKENS).read_bytes() == (tmp_path / "whole" / TOKENS).read_bytes()


def of_another_text(cache: Path) -> str:
    tell(cache, corpus_sha256="0" * 64)
    return "holds the tokens of another text or vocabulary: corpus_sha256 is 000"


def of_another_share(cache: Path) -> str:
    tell(cache, share=0.25)
    return "share is 0.25 there, 1.0 here"


def of_another_vocabulary(cache: Path) -> str:
    tell(cache, vocabulary_sha256="0" * 64)
    return "vocabulary_sha256 is 000"


def of_a_newer_pygpt(cache: Path) -> str:
    tell(cache, format=2)
    return "format is 2 there, 1 here"


def cut(cache: Path) -> str:
    cache.write_bytes(cache.read_bytes()[:-7])
    return "is not a whole cache of tokens"


def other_weights(cache: Path) -> str:
    shutil.copy(cache.with_name(WEIGHTS), cache)
    return "is not a whole cache of tokens"


def tell(cache: Path, **changed: object) -> None:
    content = cache.read_bytes()
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    header["__metadata__"]["pygpt"] = json.dumps(json.loads(header["__metadata__"]["pygpt"]) | changed)
    new = json.dumps(header).encode()
    cache.write_bytes(len(new).to_bytes(8, "little") + new + content[8 + size :])


@pytest.mark.parametrize(
    "change", [of_another_text, of_another_share, of_another_vocabulary, of_a_newer_pygpt, cut, other_weights]
)
@pytest.mark.parametrize("resumed", [True, False])
def test_a_cache_that_is_not_this_runs_is_refused_and_kept(
    cli: Cli, tmp_path: Path, text: Path, change: Callable[[Path], str], resumed: bool
) -> None:
    folder = tmp_path / "run"
    assert cli("train", "--corpus", text, *TINY, "--out", folder).exit_code == 0
    words = change(folder / TOKENS)
    if not resumed:
        for file in folder.iterdir():
            if file.name != TOKENS:
                file.unlink()
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    command = ["--resume", "--max-steps", 4] if resumed else ["--corpus", text, *TINY]
    result = cli("train", *command, "--out", folder)
    assert result.exit_code == 2
    assert words in result.stderr
    assert "Nothing was written over" in result.stderr
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before


@pytest.mark.parametrize(
    ("content", "options", "words"),
    [
        (b"abc\n" * 90 + "Olá\n".encode("latin-1"), [], "is not UTF-8: byte 363 is 0xE1"),
        (b"abc\n" * 90 + b"\xc3", [], "is not UTF-8"),
        (b"ab\0c" * 90, [], "NUL"),
        (b"\x1f\x8b" + b"abc\n" * 90, [], "packed by gzip"),
        (b"abc\n" * 90, ["--share", 0.03], "the training part of"),
        (b"abc\n" * 30, ["--share", 0.5], "the validation part of"),
        (b"abc\n" * 90 + b"xd", ["--vocabulary"], "unknown character 'x' (U+0078) in the corpus"),
    ],
)
def test_what_is_refused_writes_nothing(
    cli: Cli, tmp_path: Path, content: bytes, options: list[object], words: str
) -> None:
    (tmp_path / "t.txt").write_bytes(content)
    (tmp_path / "v.json").write_text(Vocabulary.from_text("abc\n").to_json())
    if options == ["--vocabulary"]:
        options = ["--vocabulary", tmp_path / "v.json"]
    result = cli("train", "--corpus", tmp_path / "t.txt", *TINY, *options, "--out", tmp_path / "run")
    assert result.exit_code == 2, result.output
    assert words in " ".join(result.stderr.split())
    assert "Traceback" not in result.output
    assert not (tmp_path / "run").exists()


def test_only_a_large_text_is_read_in_pieces(text: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    large = open_corpus(str(text))
    assert isinstance(large, LargeCorpus)
    assert large.sha256 == hashlib.sha256(text.read_bytes()).hexdigest()
    monkeypatch.setattr(large_corpus, "LARGE", len(text.read_bytes()) + 1)
    assert isinstance(open_corpus(str(text)), corpus.Corpus)
    assert isinstance(open_corpus("sample"), corpus.Corpus)


def test_tokens_are_mapped_and_not_read(text: Path, tmp_path: Path) -> None:
    large = LargeCorpus("t", text, "0")
    tokens = large.tokens(Vocabulary.from_text(TEXT), 1.0, tmp_path / TOKENS)
    mapped = [line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines() if TOKENS in line]
    assert mapped == [str(tmp_path / TOKENS)] * len(mapped) != []
    assert len(tokens) == len(TEXT)
