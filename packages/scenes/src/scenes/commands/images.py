"""`scenes images`: a folder of pictures of one's own."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from scenes.command_line import CommandError, UsageError
from scenes.commands.building import Building, BuildingOptions
from scenes.fit import Fit


@dataclass(frozen=True)
class Images:
    """Make scenes of a folder of pictures (PNG, JPEG, WebP) of any size, with masks if it has any.

    Masks are one image of indices or colours for each picture, or one image for each object.
    """

    source: Annotated[Path, tyro.conf.Positional]
    """The folder; folders in it are entered."""
    size: int = 64
    """Side of the images in pixels."""
    masks: Path | None = None
    """Folder of NAME.png, NAME/*.png or NAME_*.png for a picture NAME; NAME_mask.png beside the
    pictures by default, if there are."""
    fit: Fit = "crop"
    """How a picture that is no square becomes one: crop cuts its middle, pad adds black, stretch
    changes its proportions."""
    n: int | None = None
    """Number of scenes; all there are by default. A finished file with fewer is extended."""
    strict: bool = False
    """Stop at the first picture that cannot be read, rather than leave it out."""
    out: Path | None = None
    """File to write; data/images/FOLDER.h5 by default."""
    building: BuildingOptions = field(default_factory=Building)

    def run(self) -> int:
        """Reads the pictures; those that cannot be read are named, counted and left out."""
        from scenes.image_folder.survey import survey

        start = time.monotonic()
        pictures = survey(
            self.source,
            size=self.size,
            masks=self.masks,
            fit=self.fit,
            strict=self.strict,
            workers=self.building.workers,
        )
        n = pictures.n if self.n is None else self.n
        if n > pictures.n:
            raise UsageError(f"{self.source}: --n {n:,}, but there are {pictures.n:,} pictures")
        out = self.out or Path("data/images") / f"{self.source.resolve().name}.h5"
        self.building.make(pictures.config, n=n, seed=0, out=out)
        if pictures.remark:
            print(f"scenes: {self.source}: {pictures.remark}", file=sys.stderr)
        print(f"{out}: {n:,} scenes, {time.monotonic() - start:.1f} s")
        if pictures.broken:
            raise CommandError(f"{pictures.broken}; {out} has the others")
        return 0
