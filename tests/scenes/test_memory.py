"""Memory that is freed is not asked for again from the kernel."""

import platform
import subprocess
import sys

import pytest

FAULTS = """
import resource
from concurrent.futures import ThreadPoolExecutor
{first}
def fill():
    for _ in range(20):
        blocks = [b"x" * (20 << 20) for _ in range(4)]  # 20 MiB each, 20,480 pages in all
        while blocks:
            blocks.pop(0)

def faults():
    fill()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    fill()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

print({count})
"""


def page_faults(first: str, count: str) -> int:
    """Returns the page faults of a process that fills memory again which it had freed."""
    command = [sys.executable, "-c", FAULTS.format(first=first, count=count)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt is glibc's")
@pytest.mark.parametrize(
    "count", ["faults()", "ThreadPoolExecutor(1).submit(faults).result()"], ids=["first", "other"]
)
def test_freed_memory_is_used_again_by_any_thread(count: str) -> None:
    keep = "from scenes.memory import keep_freed_memory; keep_freed_memory()"
    assert page_faults(keep, count) < 100 < page_faults("", count)
