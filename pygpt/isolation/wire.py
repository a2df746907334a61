"""What goes over the descriptor between grader and submission: safetensors bytes behind their length.

Requests carry their JSON in the safetensors metadata; answers carry tensors and nothing else, texts as bytes in
uint8 tensors. Both sides use this file; it needs no other file of pygpt, since the submission's side has none.
"""

import json
from collections.abc import Mapping
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor

LENGTH_BYTES = 8
LONGEST_TEXT = 100_000


def pack(tensors: Mapping[str, Tensor], request: Mapping[str, Any] | None = None) -> bytes:
    """One message: 8 bytes of length (little endian), then a safetensors file with `request` in its metadata."""
    metadata = None if request is None else {"request": json.dumps(request)}
    body = save(
        {name: tensor.detach().clone(memory_format=torch.contiguous_format) for name, tensor in tensors.items()},
        metadata,
    )
    return len(body).to_bytes(LENGTH_BYTES, "little") + body


def unpack(body: bytes) -> dict[str, Tensor]:
    """The tensors of a message.

    Raises:
        safetensors.SafetensorError and others: the bytes are no safetensors file.
    """
    return load(body)


def request_of(body: bytes) -> Any:
    """The JSON of a request."""
    size = int.from_bytes(body[:8], "little")
    return json.loads(json.loads(body[8 : 8 + size])["__metadata__"]["request"])


def text(words: str) -> Tensor:
    """A text as UTF-8 bytes, (n,) uint8."""
    data = words.encode("utf-8", "replace")
    return torch.frombuffer(bytearray(data), dtype=torch.uint8) if data else torch.empty(0, dtype=torch.uint8)


def words(tensor: Tensor) -> str:
    """The text of `text`, its first 100,000 bytes; bytes that are not UTF-8 become U+FFFD."""
    return bytes(tensor.flatten()[:LONGEST_TEXT].to(torch.uint8).tolist()).decode("utf-8", "replace")
