"""Options that all commands share that make scenes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from scenes.dataset import DatasetConfig


@dataclass(frozen=True)
class Building:
    """Who makes the scenes, and as how many files: the scenes themselves do not depend on it."""

    workers: int | None = None
    """Processes; one per core by default."""
    layout: Literal["file", "parts"] = "file"
    """One file, or an index of parts that stay in FILE.parts beside it (docs/scale.md)."""
    engine: Literal["local", "ray"] = "local"
    """Processes of this machine, or tasks of a Ray cluster that shares the folder of --out."""
    address: str | None = None
    """The Ray cluster's address; by default one of this machine is started."""
    overwrite: bool = False
    """Replace a file that holds something else."""

    def make(self, config: DatasetConfig, *, n: int, seed: int, out: Path) -> None:
        """Makes the first `n` rows of a dataset, or extends a file that has fewer.

        Raises:
            UsageError: and what else `build` raises.
        """
        from scenes.driver import build

        build(
            config,
            n=n,
            seed=seed,
            out=out,
            workers=self.workers,
            overwrite=self.overwrite,
            layout=self.layout,
            engine=self.engine,
            address=self.address,
        )


BuildingOptions = Annotated[Building, tyro.conf.OmitArgPrefixes]
"""The type of a command's field that holds these options."""
