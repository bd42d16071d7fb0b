"""Scenes a second on one core: Multi-dSprites compositing, and whole sprites painted naively."""

import time

import numpy as np
from scenes.multi_dsprites.config import MultiDSpritesConfig
from scenes.multi_dsprites.source import MultiDSpritesSource
from scenes.multi_dsprites.sprites import ORIENTATIONS, REACH, SCALES, SHAPES, draw


def main() -> None:
    source = MultiDSpritesSource(MultiDSpritesConfig(), seed=0)
    for index in range(2000):
        source[index]  # every drawing is made once
    start = time.process_time()
    for index in range(5000):
        source[index]
    print(f"source: {5000 / (time.process_time() - start):,.0f} scenes/s")

    rng = np.random.default_rng(0)
    side = 2 * REACH + 1
    start = time.process_time()
    for _ in range(50):
        image = np.tile(rng.integers(256, size=3, dtype=np.uint8), (64, 64, 1))
        for _ in range(rng.integers(1, 5)):
            sprite = draw(
                SHAPES[rng.integers(3)], SCALES[rng.integers(6)], ORIENTATIONS[rng.integers(40)]
            )
            row, column = rng.integers(2, 34, size=2)
            image[row : row + side, column : column + side][sprite] = rng.integers(256, size=3)
    print(f"drawing every sprite anew: {50 / (time.process_time() - start):,.0f} scenes/s")


if __name__ == "__main__":
    main()
