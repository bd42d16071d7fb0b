"""Lets a process that computes on a CPU keep its memory between steps."""

from __future__ import annotations

import ctypes
import platform

# From malloc.h, the same on every system that has glibc.
M_TRIM_THRESHOLD = -1
M_TOP_PAD = -2
M_MMAP_MAX = -4
LARGEST_INT = 2**31 - 1
HEAP_BYTES = 64 << 20
"""Size of the heaps that threads other than the first allocate from; see M_TOP_PAD below."""


def keep_freed_memory() -> None:
    """Lets this process keep the memory that it frees, and use it again.

    By default glibc hands large blocks back to the kernel, which fills their pages with zeros when
    they are next used. That takes a tenth to half of the time of a training step, or of decomposing
    a batch (`tools/bench/train.py`). The peak of memory stays the same; see mallopt(3). With
    another C library than glibc nothing is changed.
    """
    if platform.libc_ver()[0] != "glibc":
        return
    libc = ctypes.CDLL(None)
    libc.mallopt(M_MMAP_MAX, 0)
    libc.mallopt(M_TRIM_THRESHOLD, LARGEST_INT)
    # The trim threshold is for the first thread alone. Other threads give a heap back once it is
    # free, unless the heap before it lacks room for this padding; no heap has that room.
    libc.mallopt(M_TOP_PAD, HEAP_BYTES)
