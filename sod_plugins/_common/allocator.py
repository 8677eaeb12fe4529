"""How a process that computes on a CPU gets its memory."""

from __future__ import annotations

import ctypes
import os
import sys

# Parameters of glibc's mallopt, by malloc.h.
_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
_LARGEST_INT = 2**31 - 1


def keep_freed_memory() -> None:
    """Let glibc keep freed memory for later allocations, unless the environment tunes it.

    By default it returns large blocks to the system, and every layer's output is made of new pages,
    which the system has to clear: a quarter to a third of the time of a training step on a CPU
    (``benchmarks/allocator.py``). In exchange the process holds what it once needed until it ends.
    Without glibc this does nothing.
    """
    if any(name.startswith(('MALLOC_', 'GLIBC_TUNABLES')) for name in os.environ):
        return
    mallopt = getattr(ctypes.CDLL(None), 'mallopt', None) if sys.platform == 'linux' else None
    if mallopt is not None:
        mallopt(_MMAP_MAX, 0)
        mallopt(_TRIM_THRESHOLD, _LARGEST_INT)
