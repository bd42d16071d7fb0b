"""Memory of a process that computes on a CPU: kept, not handed back between steps."""

from __future__ import annotations

import ctypes
import platform

# Of malloc.h, the same on every system that has glibc.
M_TRIM_THRESHOLD = -1
M_TOP_PAD = -2
M_MMAP_MAX = -4
LARGEST_INT = 2**31 - 1
HEAP_BYTES = 64 << 20
"""Size of the heaps that threads other than the first allocate from; see M_TOP_PAD below."""


def keep_freed_memory() -> None:
    """Lets this process keep the memory that it frees, and use it again.

    By default glibc hands large blocks back to the kernel, which fills their pages with zeros
    when they are next wanted: for a step of training, or a batch that is decomposed, a tenth to
    half of the time (`tools/bench/train.py`). The peak of memory stays what it was; see
    mallopt(3). With another C library than glibc nothing is changed.
    """
    if platform.libc_ver()[0] != "glibc":
        return
    libc = ctypes.CDLL(None)
    libc.mallopt(M_MMAP_MAX, 0)
    libc.mallopt(M_TRIM_THRESHOLD, LARGEST_INT)
    # The trim threshold is the first thread's alone. Those of the others give a heap back once it
    # is free, unless the heap before it lacks room for this padding, as any does.
    libc.mallopt(M_TOP_PAD, HEAP_BYTES)
