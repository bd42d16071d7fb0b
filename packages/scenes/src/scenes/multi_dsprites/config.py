"""Multi-dSprites: its config, and its row in the table of datasets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Literal

from scenes.command_line import UsageError
from scenes.dataset import Dataset, on_demand, sha256_of
from scenes.limits import check_choice

SpritesVariant = Literal["colored_on_colored", "colored_on_grayscale", "binarized"]
SPRITE_COUNTS: dict[SpritesVariant, tuple[int, int]] = {
    "colored_on_colored": (1, 4),
    "colored_on_grayscale": (2, 5),
    "binarized": (2, 3),
}

DRAWING = "drawn, geometry 2"
"""Version of the curves in sprites.py: any change that moves one of their pixels raises it."""


@dataclass(frozen=True)
class MultiDSpritesConfig:
    """Multi-dSprites (MONet paper, appendix C): sprites that overlap on a plain background.

    Example:
        >>> import scenes
        >>> config = scenes.MultiDSpritesConfig(variant="binarized")
        >>> scenes.build(config, n=2, seed=0, out="binarized.h5")
        >>> scenes.SceneFile("binarized.h5").entities
        ('background', 'object_0', 'object_1', 'object_2')
    """

    dataset: ClassVar[str] = "multi_dsprites"
    isolated: ClassVar[bool] = False
    sequential: ClassVar[bool] = False
    size: ClassVar[int] = 64
    """Side of the images in pixels, dSprites' own."""

    variant: SpritesVariant = "colored_on_colored"
    """The paper's is colored_on_colored: 1 to 4 sprites of random RGB on a random RGB. The others:
    2 to 5 sprites of random HSV on a random grey, and 2 or 3 white sprites on black."""
    split: Literal["train", "test"] = "train"
    """Test scenes have a random stream of their own, and each sprite's full extent."""
    dsprites: str | None = None
    """Path of dSprites' own npz file; without it the sprites are drawn."""
    dsprites_items: str | None = None
    """SHA-256 of dSprites' own npz file."""

    def __post_init__(self) -> None:
        check_choice("--variant", self.variant, list(SPRITE_COUNTS))
        check_choice("--split", self.split, ("train", "test"))

    @property
    def min_objects(self) -> int:
        """Fewest sprites of a scene."""
        return SPRITE_COUNTS[self.variant][0]

    @property
    def max_objects(self) -> int:
        """Most sprites of a scene, and the rows of the factors."""
        return SPRITE_COUNTS[self.variant][1]

    @property
    def with_amodal(self) -> bool:
        """Whether each sprite's full extent is written."""
        return self.split != "train"

    @property
    def stream(self) -> int:
        """Number of the random stream; every variant and split has its own."""
        return 200 + 2 * list(SPRITE_COUNTS).index(self.variant) + (self.split == "test")


def with_published_sprites(config: MultiDSpritesConfig, path: Path) -> MultiDSpritesConfig:
    """Returns a config with dSprites' own sprites in place of drawn ones.

    Args:
        config: the config to change.
        path: dSprites' npz file, read whole for its SHA-256.

    Raises:
        UsageError: there is no such file.
    """
    if not path.is_file():
        raise UsageError(f"{path}: no such file; without --dsprites sprites are drawn")
    return replace(config, dsprites=str(path), dsprites_items=sha256_of(path))


def _test_config(config: MultiDSpritesConfig) -> MultiDSpritesConfig:
    """Returns the config of test scenes under the same law.

    Raises:
        UsageError: the sprites are dSprites' own. Their file is named by a file of scenes, and such
            a path is not opened unless the user says so.
    """
    if config.dsprites is not None:
        raise UsageError(
            f"the sprites are those of {config.dsprites}, which is not opened because a file names "
            "it; make the test scenes by `scenes sprites --split test --dsprites FILE`"
        )
    return replace(config, split="test")


def _drawing(config: MultiDSpritesConfig) -> Mapping[str, str]:
    return {} if config.dsprites is not None else {"sprites": DRAWING}


MULTI_DSPRITES = Dataset(
    config=MultiDSpritesConfig,
    title="Multi-dSprites",
    command="scenes sprites",
    open=on_demand("scenes.multi_dsprites.source", "MultiDSpritesSource"),
    test_config=_test_config,
    drawing=_drawing,
    places=("dsprites",),
    moved=lambda config, path, _scenes: with_published_sprites(config, path),
)
