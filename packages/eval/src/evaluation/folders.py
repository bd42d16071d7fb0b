"""Checks the folders that commands write to."""

from __future__ import annotations

import os
from pathlib import Path

from scenes.command_line import UsageError


def check_writable(folder: Path) -> None:
    """Refuses a folder that could not be made or written to, before any work is done for it.

    Raises:
        UsageError: the folder, or the nearest existing one above it, is a file or may not be
            written to.
    """
    nearest = folder
    while not os.path.lexists(nearest) and nearest != nearest.parent:
        nearest = nearest.parent
    if not nearest.is_dir():
        raise UsageError(f"{nearest}: is no folder; --out names another place")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise UsageError(f"{nearest}: may not be written to; --out names another place")
