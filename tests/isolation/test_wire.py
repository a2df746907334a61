"""What comes over the descriptor: whatever it is, it is judged and nothing else."""

import contextlib

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save

from pygpt.isolation import wire
from pygpt.isolation.session import AnswerError, _checked, _opened, or_raised

WHOLE = save({"y": torch.ones(2, 3)})


def test_a_request_and_its_tensors_come_through() -> None:
    sent = wire.pack({"x": torch.arange(6).reshape(2, 3).T}, {"op": "run", "seeds": [1]})
    body = sent[wire.LENGTH_BYTES :]
    assert int.from_bytes(sent[: wire.LENGTH_BYTES], "little") == len(body)
    assert wire.request_of(body) == {"op": "run", "seeds": [1]}
    assert wire.unpack(body)["x"].tolist() == [[0, 3], [1, 4], [2, 5]]


@given(st.text())
def test_texts_come_through(words: str) -> None:
    assert wire.words(wire.text(words)) == words.encode("utf-8", "replace").decode()


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_or_read(body: bytes) -> None:
    with contextlib.suppress(AnswerError):
        assert isinstance(_opened(body), dict)


@given(st.integers(0, len(WHOLE) - 1))
def test_a_truncated_answer_is_refused(size: int) -> None:
    with pytest.raises(AnswerError):
        _opened(WHOLE[:size])


@pytest.mark.parametrize(
    ("tensor", "words"),
    [
        (torch.full((2, 3), float("nan")), "not finite"),
        (torch.tensor([[1.0, float("inf"), 0.0]] * 2), "not finite"),
        (torch.ones(3, 2), "has shape (3, 2), not (2, 3)"),
        (torch.ones(2, 3, dtype=torch.complex64), "not a type that is allowed"),
        (torch.ones(2, 3, dtype=torch.bool), "not a type that is allowed"),
        (torch.ones(2, 3, dtype=torch.int64), "not a type that is allowed"),
        (None, "lacks the model's result"),
    ],
)
def test_what_is_not_allowed_is_named(tensor: torch.Tensor | None, words: str) -> None:
    with pytest.raises(AnswerError) as error:
        or_raised(_checked("y", {} if tensor is None else {"y": tensor}, (2, 3)))
    assert words in error.value.message.render("en")


def test_floats_come_as_float64() -> None:
    assert or_raised(_checked("y", {"y": torch.ones(2, dtype=torch.float16)}, (2,))).dtype == torch.float64
