"""Threads, seeds and kernels: what bits depend on besides the code."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

ALL_CORES = torch.get_num_threads()
"""torch's own choice when it was loaded: every core that this process may use, or what OMP_NUM_THREADS says."""


@contextmanager
def on_threads(threads: int) -> Iterator[None]:
    """So many threads of torch for a while."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def reproducible(threads: int = 1) -> Iterator[None]:
    """So many threads; afterwards the threads and the states of the global generators are as before."""
    cuda = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()  # type: ignore[no-untyped-call]
    with torch.random.fork_rng(devices=cuda), on_threads(threads):
        yield


def kernel_fingerprint() -> str:
    """Which arithmetic kernels this processor gets: bits can only be compared where they are the same.

    SHA-256 over what stock PyTorch computes here, as `parity_tests/recordings/README.md` defines it."""
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
