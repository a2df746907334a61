"""Freed memory is kept for the next tensor, not given back to the system.

glibc returns every large block to the kernel and asks for it again a moment later; each page then has to be mapped and
cleared anew, thousands of times a training step. No number depends on it.
"""

import ctypes
import sys

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h
_KEPT, _FROM_HEAP = 256 << 20, 32 << 20  # bytes; the second is the largest that glibc takes


def keep_freed_memory() -> None:
    """For a command that trains or generates: up to 256 MB stay with the process. Nothing happens without glibc."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _FROM_HEAP)
        mallopt(_M_TRIM_THRESHOLD, _KEPT)
