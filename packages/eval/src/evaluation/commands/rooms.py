"""Options that all commands share that render the Objects Room's test scenes."""

from __future__ import annotations

from typing import Annotated

from scenes.help_text import UNPREFIXED

from evaluation.room_folder import RoomFolder

RoomOptions = Annotated[RoomFolder, UNPREFIXED]
"""The type of a command's field that holds these options."""
