"""What a machine has or lacks, as the tests of `validate` want it."""

import pytest
import torch

from pygpt import corpus
from pygpt.corpus import Corpus
from pygpt.errors import PygptError
from pygpt.exercises.opening import course as exercises
from pygpt.validation import gather


@pytest.fixture
def no_corpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where there is neither network nor copy."""

    def absent(source: str) -> Corpus:
        raise PygptError("the course's text could not be downloaded")

    monkeypatch.delenv("PYGPT_CORPUS", raising=False)
    monkeypatch.setattr(corpus, "read_corpus", absent)


@pytest.fixture
def shakespeare() -> Corpus:
    try:
        return corpus.read_corpus("shakespeare")
    except PygptError as error:
        pytest.skip(f"the course's text is not at hand: {error}")


@pytest.fixture
def same(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a processor with the recording's kernels; the weights, which are not kept, count as R's."""
    monkeypatch.setattr(gather, "same_kernels", lambda *_: True)

    def sha256(tensors: dict[str, torch.Tensor]) -> str:
        model = "gpt" if "MH.0.in_proj_weight" in tensors else "gpt_noattn"
        return exercises()[model].recorded.weights_sha256

    monkeypatch.setattr(gather, "weights_sha256", sha256)
