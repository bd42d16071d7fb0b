"""Opens files of other people: regular files only, since a pipe or device might never end."""

from __future__ import annotations

import io
import os
import stat
from pathlib import Path

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def open_regular(path: Path) -> io.BufferedReader:
    """Opens a file for reading; a link to a file counts as that file.

    Raises:
        ValueError: it is a folder, a pipe, a device or a socket.
        OSError: it cannot be opened.
    """
    # Without O_NONBLOCK, opening a pipe waits for a writer; for regular files it changes nothing.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        check_regular(path, os.fstat(descriptor))
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def check_regular(path: Path, status: os.stat_result) -> None:
    """Refuses anything but a regular file.

    Raises:
        ValueError: it is a folder, a pipe, a device or a socket.
    """
    kind = stat.S_IFMT(status.st_mode)
    if kind != stat.S_IFREG:
        raise ValueError(f"{path}: {_KINDS.get(kind, 'something else')}, not a file")


def read_regular(path: Path, most_bytes: int) -> bytes:
    """Returns the content of a file.

    Raises:
        ValueError: it has more than `most_bytes`, or as from `open_regular`.
        OSError: it cannot be read.
    """
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > most_bytes:
            raise ValueError(f"{path}: {size:,} bytes; at most {most_bytes:,} are read")
        return file.read(most_bytes)
