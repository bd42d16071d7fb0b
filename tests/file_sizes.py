"""A limit on the sizes of files, as on a full disk, for this process or one that a test starts.

No bytecode is written under it: Python would keep as much of it as fits, and fail by it ever after.
"""

import os
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def limited_files(size: int) -> Iterator[None]:
    """Lets this process write no file longer than `size` bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    writes_none, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        sys.dont_write_bytecode = writes_none


def limiting_files(size: int) -> dict[str, Any]:
    """Returns options of `subprocess.Popen` with which a process writes none either."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return {"preexec_fn": limit, "env": {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}}
