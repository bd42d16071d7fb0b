"""Keeps other commands out of a folder while one works in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scenes.command_line import UsageError
from scenes.file.errors import NO_LOCKS
from scenes.notices import tell

LOCK = "lock"
"""Name of the file that is locked; it holds nothing."""


_warned: list[Path] = []


def _warn_once(folder: Path, doing: str, error: OSError) -> None:
    if not _warned:
        tell(
            f"{folder}: its disk has no locks ({error.strerror}): nothing keeps another "
            f"command from {doing} there at the same time"
        )
    _warned.append(folder)


@contextmanager
def locked(folder: Path, doing: str) -> Iterator[None]:
    """Locks a folder until the block or this process ends; makes it if it is not there.

    A lock is only a safeguard: on a file system without locks the block runs all the same, and the
    first time a warning says so.

    Args:
        folder: the folder to lock.
        doing: the work that the lock protects, such as `building`, for messages.

    Raises:
        UsageError: another process holds it.
    """
    # Not at the top: Windows lacks it, and the commands must start there to say so.
    import fcntl

    while True:
        folder.mkdir(parents=True, exist_ok=True)
        label = folder / LOCK
        with label.open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UsageError(
                    f"{folder}: another command is {doing} there; wait for it"
                ) from None
            except OSError as error:
                if error.errno not in NO_LOCKS:
                    raise
                _warn_once(folder, doing, error)
            # Whoever held it before may have removed the folder since.
            if not label.exists() or label.stat().st_ino != os.fstat(lock.fileno()).st_ino:
                continue
            yield
            return
