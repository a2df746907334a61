"""From a text to batches: where the text comes from, tokens, share, split, windows, batches."""

import hashlib
import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pygpt.encoding import corpus_text
from pygpt.errors import PygptError
from pygpt.files import shipped
from pygpt.output.messages import Message, say
from pygpt.output.spelling import did_you_mean
from pygpt.r_random import RGenerator
from pygpt.settings import SplitAt
from pygpt.text_remarks import remarks

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from pygpt.shuffling import Shuffling
    from pygpt.vocabulary import Vocabulary

SHAKESPEARE_SHA256 = "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"
SHAKESPEARE_URL = "https://raw.githubusercontent.com/AGPatriota/GPT4R/main/Shakespeare.txt"
NAMES = ("sample", "shakespeare")


@dataclass(frozen=True)
class Corpus:
    """A text with its name and the SHA-256 of its bytes."""

    name: str
    text: str
    sha256: str

    @property
    def characters(self) -> str:
        """Each character once, in the order in which they first come."""
        return "".join(dict.fromkeys(self.text))

    @property
    def length(self) -> int:
        """In characters."""
        return len(self.text)

    @property
    def remarks(self) -> list[str]:
        """What the text holds that its owner may not know."""
        return remarks(self.text)

    def tokens(self, vocabulary: "Vocabulary", share: float, cache: Path) -> "Tensor":
        """Rows of the vocabulary, (floor(share * length),); a text that is held needs no cache.

        Raises:
            PygptError: the vocabulary lacks a character.
        """
        rows = vocabulary.encode(self.text, say("the corpus {name}", name=self.name))
        return split(rows, share, 1.0)[0]


def read_corpus(source: str) -> Corpus:
    """The text called `sample` or `shakespeare`, or the one at a path.

    Line ends are kept as they are, as R's `readChar` keeps them.

    Raises:
        PygptError: no such file, not UTF-8 (what it is instead is named), with NUL, empty, or `shakespeare` cannot
            be had.
    """
    if source == "sample":
        return _read(shipped("data/sample.txt"), source)
    if source == "shakespeare":
        return _read(_find_shakespeare(), source)
    return _read(Path(source), source)


def of_bytes(content: bytes, path: Path, name: str) -> Corpus:
    """The text that a file's bytes hold.

    Args:
        path: what messages call it.

    Raises:
        PygptError: not UTF-8 (what it is instead is named), with NUL, or empty.
    """
    text = corpus_text(content, path)
    if not text:
        raise PygptError("the corpus {path} is empty", path=path)
    return Corpus(name, text, hashlib.sha256(content).hexdigest())


def downloaded(url: str, sha256: str, check: Callable[[Path, str], None] | None = None) -> Path:
    """A text from an address, kept in the cache.

    Args:
        sha256: of its bytes.
        check: called with the file and where it comes from before it is kept; it may say better what is wrong.

    Raises:
        PygptError: `check` does.
        OSError: it cannot be had; `requests.RequestException` is one.
        ValueError: it is another file.
    """
    import pooch

    def download(url: str, output_file: str, pooch_: object) -> None:
        pooch.HTTPDownloader(timeout=30)(url, output_file, pooch_)
        if check is not None:
            check(Path(output_file), url)

    name = f"{sha256[:12]}_{Path(url).name}" if url != SHAKESPEARE_URL else "Shakespeare.txt"
    return Path(
        pooch.retrieve(
            url, known_hash=f"sha256:{sha256}", fname=name, path=pooch.os_cache("pygpt"), downloader=download
        )
    )


def split(
    tokens: "np.ndarray[Any, Any]", share: float, train_share: float, at: SplitAt = "floor"
) -> "tuple[Tensor, Tensor]":
    """The first `floor(share * n)` tokens, parted at `floor(train_share * that)` (exercise 2) or at its `round()`."""
    import torch

    used = torch.from_numpy(tokens[: math.floor(share * len(tokens))])
    return part(used, train_share, at)


def part(used: "Tensor", train_share: float, at: SplitAt = "floor") -> "tuple[Tensor, Tensor]":
    """Tokens, parted after a share of them."""
    for_training = whole_share(train_share, len(used), at)
    return used[:for_training], used[for_training:]


def whole_share(share: float, n: int, at: SplitAt) -> int:
    """A share of `n`, made whole."""
    # Python rounds halves to the even number, as R does.
    return (round if at == "round" else math.floor)(share * n)


def windows(tokens: "Tensor", block_size: int, what: Message) -> "Tensor":
    """Every run of block_size + 1 tokens, shape (n, block_size + 1), a view: nothing is copied.

    R's dataset has `length(tokens) - block_size` windows (stride 1), so this many here.

    Args:
        what: what an error calls the tokens.

    Raises:
        PygptError: fewer than two windows.
    """
    check_length(len(tokens), block_size, what)
    return tokens.unfold(0, block_size + 1, 1)


def sampled(windows: int, count: int, seed: int, epoch: int) -> "Tensor":
    """Which windows an epoch of GPT4R's dataset is made of: one `sample(1:(n - 1), 1)` each, after `set.seed(seed)`.

    R's generator goes on from epoch to epoch; the last window is never drawn. This is R with `num_workers = 0`:
    starting workers draws from R's generator, too, as often as the packages callr and processx please.
    Recorded: parity_tests/gpt4r.

    Args:
        windows: how many there are, n.
        count: of an epoch.
        epoch: from 0.

    Returns:
        Places from 0, (count,).
    """
    import torch

    generator = RGenerator(seed)
    drawn = generator.sample_int(windows - 1, (epoch + 1) * count, replace=True)
    return torch.from_numpy(drawn[epoch * count :] - 1)


def check_length(n: int, block_size: int, what: Message) -> None:
    """Raise PygptError where `n` characters are fewer than two windows."""
    if n < block_size + 2:
        raise PygptError(
            "{what} has {n} characters: too short for two windows of block_size = {block_size} "
            "(at least {least} are needed). Use a longer text, a larger share or a smaller block_size.",
            what=what, n=n, block_size=block_size, least=block_size + 2,
        )  # fmt: skip


def batches(
    windows: "Tensor", batch_size: int, device: str, order: "Tensor | Shuffling | None" = None, first: int = 0
) -> "Iterator[tuple[Tensor, Tensor]]":
    """Pairs (x int32, y int64), each (batch, block_size), rows of the embedding; the short last batch is kept.

    Args:
        windows: what `windows` gives.
        order: which windows, in which order (R's shuffle, or `sampled`); None takes them as they come.
        first: how many batches to leave out, for resuming.
    """
    import torch

    for start in range(first * batch_size, len(windows if order is None else order), batch_size):
        chosen = windows[start : start + batch_size] if order is None else windows[order[start : start + batch_size]]
        chosen = chosen.to(device)
        yield chosen[:, :-1].to(torch.int32), chosen[:, 1:].to(torch.int64)


def _read(path: Path, name: str) -> Corpus:
    try:
        content = path.read_bytes()
    except OSError as error:
        hint = say("" if path.exists() else ". --corpus takes sample, shakespeare, or the path of a text.")
        raise PygptError(
            "cannot read the corpus {path}: {why}{hint}{meant}",
            path=path, why=error.strerror, hint=hint, meant=did_you_mean(path.name, NAMES),
        ) from error  # fmt: skip
    return of_bytes(content, path, name)


def _find_shakespeare() -> Path:
    given = os.environ.get("PYGPT_CORPUS")
    if given:
        _check_shakespeare(Path(given), "$PYGPT_CORPUS")
        return Path(given)
    return _download_shakespeare()


def _check_shakespeare(path: Path, where: str) -> None:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise PygptError("cannot read {path} ({where}): {why}", path=path, where=where, why=error.strerror) from error
    if content.lstrip()[:200].lower().startswith((b"<!doctype html", b"<html")):
        raise PygptError(
            "{path} ({where}) is HTML. The address in the exercises is a web page about the file, not the file: "
            "the raw one is {url}",
            path=path, where=where, url=SHAKESPEARE_URL,
        )  # fmt: skip
    sha256 = hashlib.sha256(content).hexdigest()
    if sha256 != SHAKESPEARE_SHA256:
        raise PygptError(
            "{path} ({where}) is not the course's text: its SHA-256 is {sha256}, not {known}. "
            "Take it from {url}, or train on yours with --corpus PATH.",
            path=path, where=where, sha256=sha256, known=SHAKESPEARE_SHA256, url=SHAKESPEARE_URL,
        )  # fmt: skip


def _download_shakespeare() -> Path:
    try:
        # Checked before pooch keeps the file: its own message would only speak of hashes.
        return downloaded(SHAKESPEARE_URL, SHAKESPEARE_SHA256, _check_shakespeare)
    except (OSError, ValueError) as error:
        raise PygptError(
            "the course's text could not be downloaded from {url} ({why}). "
            "Set PYGPT_CORPUS to a copy of it, or use --corpus sample or --corpus PATH.",
            url=SHAKESPEARE_URL, why=type(error).__name__,
        ) from error  # fmt: skip
