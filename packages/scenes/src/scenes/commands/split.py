"""`scenes split`: training, validation and test scenes of one file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro


@dataclass(frozen=True)
class Split:
    """Write a file's scenes as files of their own: for tests, for validation, and the rest."""

    file: Annotated[Path, tyro.conf.Positional]
    """The file to split; it stays as it is."""
    test: str | None = None
    """How many scenes, or a JSON file that lists the numbers of those to take."""
    validation: str | None = None
    """Likewise."""
    seed: int | None = None
    """Take scenes at random; by default the last ones, and test scenes last of all."""
    out: Path | None = None
    """Folder of FILE_train.h5, FILE_validation.h5 and FILE_test.h5; the file's by default."""
    workers: int | None = None
    """Processes; one per core by default."""
    overwrite: bool = False
    """Replace files that hold something else."""

    def run(self) -> None:
        """Writes the files."""
        from scenes.splits.splitting import rows_of, split

        files = split(
            self.file,
            test=rows_of(self.test, "test"),
            validation=rows_of(self.validation, "validation"),
            seed=self.seed,
            out=self.out,
            workers=self.workers,
            overwrite=self.overwrite,
        )
        for part in files.values():
            print(f"{part.path}: {part.n:,} scenes")
