"""Lets another process parse the structure of a file before this one opens it.

`scenes.file.metadata`, which that process runs, says why, and what is checked.
"""

from __future__ import annotations

import atexit
import errno
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from scenes import regular_files
from scenes.command_line import CommandError
from scenes.file.errors import FileError, refusal_of_system

LIMIT_S = 60.0
"""Seconds without a sign of life after which a file is given up."""
CRASHES = (signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGFPE, signal.SIGILL)


def check_regular(path: Path) -> None:
    """Refuses anything but a regular file, since a device or pipe might block.

    Raises:
        FileError: it is a device, a pipe or a socket, or does not exist.
        OSError: it is a folder, or the system refuses to say.
    """
    try:
        status = path.stat()
    except FileNotFoundError:
        raise FileError(f"{path}: no such file") from None
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    try:
        regular_files.check_regular(path, status)
    except ValueError as error:
        raise FileError(str(error)) from None


def check_structure(path: Path, limit_s: float = LIMIT_S) -> None:
    """Refuses an HDF5 file that is not safe to open.

    The first call starts a process (0.3 s), which later calls use (7 ms for a file, 3 ms for each
    part of an index). A file is examined again only if it changed, or is an index.

    Args:
        path: the file.
        limit_s: seconds for which the other process may show no sign of life.

    Raises:
        FileError: the file is damaged, no HDF5, or has links, values in other files, or sizes
            that are declared but not stored.
        CommandError: it could not be read in `limit_s` seconds; a slow disk is no damage.
        OSError: the system refuses it.
    """
    check_regular(path)
    seen = path.stat()
    key = (seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns)
    with _lock:
        if key in _sound:
            return
        answer = _ask(path, limit_s)
        if "errno" in answer:
            raise refusal_of_system(answer["errno"], path)
        if "problem" in answer:
            raise FileError(f"{path}: {answer['problem']}")
        if not answer["is_index"]:
            _sound.add(key)


_lock = threading.Lock()
_sound: set[tuple[int, int, int, int]] = set()
_parsers: dict[int, _Parser] = {}
"""The other process, by the number of this one: a fork must not use its parent's."""


def _ask(path: Path, limit_s: float) -> dict[str, Any]:
    parser = _parser()
    try:
        answer = parser.ask(path, limit_s)
    except BaseException:
        _end(parser)
        raise
    if answer is None:
        _end(parser)
        raise CommandError(f"{path}: could not be read in {limit_s:g} s; is the disk slow?")
    if answer:
        content: dict[str, Any] = json.loads(answer)
        return content
    code = _end(parser)
    if code == -signal.SIGVTALRM:  # of the timer in `scenes.file.metadata`
        raise FileError(f"{path}: damaged: to parse it does not end")
    if code is not None and -code in CRASHES:
        name = signal.Signals(-code).name
        raise FileError(f"{path}: damaged: to parse it ended a process by {name}")
    raise CommandError(
        f"{path}: cannot be checked: `python -m scenes.file.metadata` ended with code {code}"
    )


class _Parser:
    """The other process."""

    def __init__(self) -> None:
        # The process must find the same modules as this one; HDF5 needs one thread.
        paths = os.pathsep.join(place for place in sys.path if place)
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "scenes.file.metadata"],
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": paths, "OPENBLAS_NUM_THREADS": "1"},
                start_new_session=True,
            )
        self._socket = ours

    def ask(self, path: Path, limit_s: float) -> bytes | None:
        """Returns the answer for a file; empty if the process ended, `None` if it stays silent."""
        answer = b""
        self._socket.settimeout(limit_s)
        try:
            self._socket.sendall(json.dumps(str(path.absolute())).encode() + b"\n")
            while not answer.endswith(b"\n"):
                block = self._socket.recv(1 << 16)
                if not block:
                    return b""
                answer += block
        except TimeoutError:
            return None
        except ConnectionError:
            return b""
        return answer.lstrip(b".")

    def end(self, wait_s: float) -> int | None:
        """Ends the process; returns its exit code, `None` if it cannot end for a dead disk."""
        self._socket.close()
        with suppress(subprocess.TimeoutExpired):
            return self._process.wait(wait_s)
        self._process.kill()
        with suppress(subprocess.TimeoutExpired):
            return self._process.wait(wait_s)
        return None


def _parser() -> _Parser:
    if os.getpid() not in _parsers:
        _parsers[os.getpid()] = _Parser()
    return _parsers[os.getpid()]


def _end(parser: _Parser) -> int | None:
    del _parsers[os.getpid()]
    return parser.end(wait_s=1.0)


@atexit.register
def _end_all() -> None:
    if (parser := _parsers.get(os.getpid())) is not None:
        _end(parser)
