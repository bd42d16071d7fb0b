"""What looking through a folder of images, or a file of records, says before scenes are made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from scenes.dataset import DatasetConfig

Config = TypeVar("Config", bound=DatasetConfig)


@dataclass(frozen=True)
class Survey(Generic[Config]):
    """The scenes that a source of images would make."""

    config: Config
    """Config of the scenes."""
    n: int
    """Number of scenes."""
    broken: str
    """What cannot be read, in words; empty where all can."""
    remarks: tuple[str, ...] = ()
    """What is read otherwise than it stands there, or has no field, in words."""
