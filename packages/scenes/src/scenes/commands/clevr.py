"""`scenes clevr`: CLEVR's own images; `scenes clevr-like`: scenes like them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import tyro

from scenes.clevr.config import ClevrLikeConfig
from scenes.commands.building import Building, BuildingOptions


@dataclass(frozen=True)
class Clevr:
    """Crop CLEVR's images to 128 x 128: a folder of PNGs, or a clevr_with_masks TFRecord."""

    source: Annotated[Path, tyro.conf.Positional]
    """CLEVR_v1.0's images/train, an output of clevr-dataset-gen, or the TFRecord."""
    n: int | None = None
    """Number of scenes; all there are by default. A finished file with fewer is extended."""
    max_objects: int | None = None
    """Only scenes with at most so many objects: 6 makes CLEVR6."""
    scenes: Path | None = None
    """Scenes JSON, or a folder of them; looked for beside the images by default."""
    strict: bool = False
    """Stop at the first PNG that cannot be read, rather than leave it out."""
    out: Path | None = None
    """File to write; data/clevr/train.h5 by default, clevr6.h5 with --max-objects 6."""
    building: BuildingOptions = field(default_factory=Building)

    def run(self) -> None:
        """Crops the images; those that cannot be read are named, counted and left out."""
        from scenes.clevr.survey import survey

        name = "train" if self.max_objects is None else f"clevr{self.max_objects}"
        out = self.out or Path("data/clevr") / f"{name}.h5"
        look = partial(
            survey,
            self.source,
            self.max_objects,
            scenes=self.scenes,
            strict=self.strict,
            workers=self.building.workers,
        )
        self.building.make_surveyed(look, self.source, n=self.n, out=out, kind="such scenes")


@dataclass(frozen=True)
class ClevrLike:
    """Render CLEVR-style scenes with MuJoCo: 128 x 128, with masks and factors."""

    n: int = 10_000
    """Number of scenes; a finished file with fewer is extended."""
    split: Literal["train", "test"] = "train"
    """train, or test with its own scenes and each object's full extent."""
    max_objects: int = 10
    """Most objects of a scene, 3 to 10; the fewest are 3. 6 makes scenes like CLEVR6."""
    seed: int = 0
    """Decides every scene, together with the split, the most objects and the scene's number."""
    out: Path | None = None
    """File to write; data/clevr_like/SPLIT.h5 by default."""
    building: BuildingOptions = field(default_factory=Building)

    def run(self) -> None:
        """Renders the file."""
        config = ClevrLikeConfig(self.split, self.max_objects)
        out = self.out or Path("data/clevr_like") / f"{self.split}.h5"
        content = f"{self.n:,} scenes"
        self.building.make(config, n=self.n, seed=self.seed, out=out, content=content)
