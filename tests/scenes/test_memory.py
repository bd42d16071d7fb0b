"""Memory that is freed is not asked for again from the kernel."""

import platform
import subprocess
import sys

import pytest

FAULTS = """
import resource
import numpy as np
{first}
def fill():
    for _ in range(20):
        np.ones(1 << 22)  # 32 MiB, 8,192 pages

fill()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
fill()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(first: str) -> int:
    """Returns how often a process that fills freed memory again must ask the kernel for a page."""
    command = [sys.executable, "-c", FAULTS.format(first=first)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt is glibc's")
def test_freed_memory_is_used_again() -> None:
    keep = "from scenes.memory import keep_freed_memory; keep_freed_memory()"
    assert page_faults(keep) < 100 < page_faults("")
