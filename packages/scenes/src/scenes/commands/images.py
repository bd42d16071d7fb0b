"""`scenes images`: a folder of pictures of one's own."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated

import tyro

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

    def run(self) -> None:
        """Reads the pictures; those that cannot be read are named, counted and left out."""
        from scenes.image_folder.survey import survey

        out = self.out or Path("data/images") / f"{self.source.resolve().name}.h5"
        look = partial(
            survey,
            self.source,
            size=self.size,
            masks=self.masks,
            fit=self.fit,
            strict=self.strict,
            workers=self.building.workers,
        )
        self.building.make_surveyed(look, self.source, n=self.n, out=out, kind="pictures")
