"""The folder of the Objects Room's test scenes, as the flags of commands name it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class RoomFolder:
    """Where test scenes of the Objects Room lie, and how missing ones are rendered."""

    data_folder: Path = Path("data/objects_room")
    """Where test scenes of the Objects Room lie; missing ones are rendered into it."""
    seed: int = 0
    """Seed of the test scenes; none of them is ever a training scene."""
    workers: int | None = None
    """Processes that render; one per core by default."""
