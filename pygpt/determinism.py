"""Which arithmetic kernels this processor gets: bits can only be compared where they are the same."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def reproducible() -> Iterator[None]:
    """One thread; afterwards the threads and the state of the global generator are as before."""
    threads, rng = torch.get_num_threads(), torch.get_rng_state()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.set_rng_state(rng)


def kernel_fingerprint() -> str:
    """SHA-256 over what stock PyTorch computes here, as `parity_tests/recordings/README.md` defines it."""
    with reproducible():
        torch.manual_seed(0)
        layer = nn.TransformerEncoderLayer(128, 2, 512, dropout=0.2, activation="gelu", norm_first=True)
        x = torch.randn(64, 64, 128)
        y = layer(x, src_mask=torch.ones(64, 64, dtype=torch.bool).triu(1))
        y.square().mean().backward()
    digest = hashlib.sha256(y.detach().numpy().tobytes())
    for _, parameter in layer.named_parameters():
        assert parameter.grad is not None
        digest.update(parameter.grad.numpy().tobytes())
    return digest.hexdigest()
