"""Writes files whole or not at all, whatever ends the process that writes them."""

from __future__ import annotations

import os
import platform
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

UNFINISHED = ".tmp"
"""Ending of the name under which a file is written."""


@contextmanager
def whole_or_not(target: Path, folder: Path | None = None) -> Iterator[Path]:
    """Gives a temporary name to write under, and renames the file to `target` once it is on disk.

    Args:
        target: the final name.
        folder: folder of the temporary name, on the same disk. By default the target's, from which
            temporary files of this machine's killed processes are removed first.

    Yields:
        The temporary name, which no other process uses.

    Raises:
        OSError: the file could not be written. The error names the target, which is as it was.
    """
    if folder is None:  # folders of parts have thousands of files, and are cleared by the driver
        folder = target.parent
        _clear_dead(target.name, folder)
    temporary = folder / f"{target.name}.{_writer()}.{uuid.uuid4().hex[:8]}{UNFINISHED}"
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
    """Removes the temporary files of killed processes; no process may be writing there now."""
    for leftover in folder.glob(f"*{UNFINISHED}"):
        leftover.unlink(missing_ok=True)


def _writer() -> str:
    """Returns the part of a temporary name that tells this machine and this process."""
    machine = "".join(each for each in platform.node() if each.isalnum())[:32]
    return f"{machine or 'here'}-{os.getpid()}"


def _clear_dead(name: str, folder: Path) -> None:
    """Removes temporary files for a name that this machine's killed processes left."""
    machine, _, _ = _writer().rpartition("-")
    pattern = re.compile(rf"{re.escape(name)}\.{machine}-(\d+)\.[0-9a-f]{{8}}{UNFINISHED}")
    with suppress(FileNotFoundError):
        for path in folder.iterdir():
            match = pattern.fullmatch(path.name)
            if match and not _lives(int(match.group(1))):
                path.unlink(missing_ok=True)


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # another user's
        return True
    return True


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
