"""Files and folders that a command takes without a flag, and a line where it takes one alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro

from scenes.command_line import UsageError

OneFile = Annotated[
    tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="FILE", help_behavior_hint="")
]
"""The type of a command's field for its file: any number is read, so that more can be counted."""

Folders = Annotated[
    tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="FOLDER", help_behavior_hint="")
]
"""The type of a command's field for any number of folders."""


def only(files: tuple[Path, ...], command: str) -> Path:
    """Returns the one file that a command was given.

    Raises:
        UsageError: there are none, or several.
    """
    if len(files) == 1:
        return files[0]
    names = ", ".join(map(str, files[:4])) + (", ..." if len(files) > 4 else "")
    several = f"got {len(files)}: {names}; call it once for each" if files else "got none"
    raise UsageError(f"{command} takes one file, {several}")
