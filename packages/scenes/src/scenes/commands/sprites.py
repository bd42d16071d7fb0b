"""`scenes sprites`: Multi-dSprites."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from scenes.commands.building import Building, BuildingOptions
from scenes.multi_dsprites.config import (
    MultiDSpritesConfig,
    SpritesVariant,
    with_published_sprites,
)


@dataclass(frozen=True)
class Sprites:
    """Composite Multi-dSprites."""

    n: int = 10_000
    """Number of scenes; a finished file with fewer is extended."""
    variant: SpritesVariant = "colored_on_colored"
    """colored_on_colored, the paper's, has 1 to 4 sprites of random colours on a random colour;
    colored_on_grayscale 2 to 5 on a random grey; binarized 2 or 3, white on black."""
    split: Literal["train", "test"] = "train"
    """train, or test with its own scenes and each sprite's full extent."""
    dsprites: Path | None = None
    """dSprites' own npz file; without it the sprites are drawn (docs/multi_dsprites.md)."""
    seed: int = 0
    """Decides every scene, together with the variant, the split and the scene's number."""
    out: Path | None = None
    """File to write; data/multi_dsprites/VARIANT.h5 by default, or VARIANT_test.h5."""
    building: BuildingOptions = field(default_factory=Building)

    def run(self) -> None:
        """Composites the file."""
        config = MultiDSpritesConfig(self.variant, self.split)
        if self.dsprites is not None:
            config = with_published_sprites(config, self.dsprites)
        name = self.variant if self.split == "train" else f"{self.variant}_{self.split}"
        out = self.out or Path("data/multi_dsprites") / f"{name}.h5"
        content = f"{self.n:,} scenes of {name}"
        self.building.make(config, n=self.n, seed=self.seed, out=out, content=content)
