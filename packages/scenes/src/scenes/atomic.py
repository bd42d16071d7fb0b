"""Files that are whole or not there at all, whatever ends the process that writes them."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

UNFINISHED = ".tmp"
"""Ending of the name under which a file is written."""


@contextmanager
def whole_or_not(target: Path, folder: Path | None = None) -> Iterator[Path]:
    """Gives a temporary name to write under; on disk, the file is renamed to `target`.

    Args:
        target: the final name.
        folder: where it is written, on the same disk; beside the target by default.

    Yields:
        The temporary name, which no other process uses.

    Raises:
        OSError: it could not be written. The error names the target, which is as it was before.
    """
    folder = target.parent if folder is None else folder
    temporary = folder / f"{target.name}.{uuid.uuid4().hex}{UNFINISHED}"
    try:
        yield temporary
        _sync(temporary)
        temporary.replace(target)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename in (None, str(temporary)):
            error.filename = str(target)
        raise
    _sync(target.parent)


def write_whole(target: Path, content: bytes) -> None:
    """Writes a file at once.

    Raises:
        OSError: as from `whole_or_not`.
    """
    with whole_or_not(target) as temporary:
        temporary.write_bytes(content)


def clear_unfinished(folder: Path) -> None:
    """Removes what was being written by processes that were killed; none may be writing now."""
    for leftover in folder.glob(f"*{UNFINISHED}"):
        leftover.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
