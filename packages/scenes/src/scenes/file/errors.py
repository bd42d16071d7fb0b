"""Errors of files, in one line."""

from __future__ import annotations

import errno
import os
from pathlib import Path

NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
"""Error numbers of file systems without locks, such as NFS and Lustre with some settings."""


class FileError(ValueError):
    """A file cannot be used; the message starts with its path, and the key where there is one.

    Example:
        >>> import scenes
        >>> scenes.SceneFile("nowhere.h5")
        Traceback (most recent call last):
        scenes.file.errors.FileError: nowhere.h5: no such file; scenes render makes one
    """

    def reason(self, path: Path) -> str:
        """Returns the message without the path at its start."""
        return str(self).removeprefix(f"{path}: ")


def refusal_of_system(number: int, path: Path) -> OSError:
    """Returns the system's error for an HDF5 file, with advice where there is some.

    Args:
        number: of the error, as in `errno`.
        path: the file.
    """
    reason = os.strerror(number)
    if number in (errno.EAGAIN, errno.EWOULDBLOCK):
        reason = "Another program is writing it"
    elif number in NO_LOCKS:
        reason = f"{reason}: its disk has no locks, set HDF5_USE_FILE_LOCKING=FALSE to do without"
    return OSError(number, reason, str(path))
