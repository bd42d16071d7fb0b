"""Scenes a second on one core: Multi-dSprites compositing, and where the time goes."""

import time

import numpy as np
from scenes.multi_dsprites.config import MultiDSpritesConfig
from scenes.multi_dsprites.source import MultiDSpritesSource
from scenes.multi_dsprites.sprites import GRID, SHAPES, DrawnSprites

SCENES = 5000
SPRITES = 2000


def main() -> None:
    source = MultiDSpritesSource(MultiDSpritesConfig(), seed=0)
    start = time.process_time()
    for index in range(SCENES):
        source[index]
    print(f"{SCENES / (time.process_time() - start):,.0f} scenes/s")

    rng, drawn = np.random.default_rng(0), DrawnSprites()
    for shape, name in enumerate(SHAPES):
        sprites = rng.integers(GRID, size=(SPRITES, len(GRID)))
        sprites[:, 0] = shape
        start = time.process_time()
        for classes in sprites:
            drawn.mask(classes)
        print(f"{name:8s} {1e6 * (time.process_time() - start) / SPRITES:.0f} us a sprite")


if __name__ == "__main__":
    main()
