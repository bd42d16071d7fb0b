"""SHA-256 of what scenes are and of how they were drawn, each of the first rows of a file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

import numpy as np

from scenes.benchmarks.table import Digests
from scenes.file.reader import SceneFile
from scenes.progress import counting

PIXELS = ("amodal", "depth", "factors/visible_pixels", "image", "num_visible", "segmentation")
"""Fields that come from drawing. All others are factors: what the config and the seed decide."""
READ_AT_ONCE = 512


def digests(file: SceneFile, rows: int) -> Digests:
    """Returns the checksums of a file's first rows.

    They cover values, types, shapes, codes' names and entities, bit for bit as the file stores
    them (factors are mostly float32), and neither attributes nor compression.

    Raises:
        FileError: rows are damaged.
    """
    keys = file.keys()
    factors = [key for key in keys if key not in PIXELS]
    pixels = [key for key in keys if key in PIXELS]
    with counting("comparing", rows * len(keys)) as advance:

        def digest(chosen: Sequence[str]) -> str:
            sha = hashlib.sha256(json.dumps(file.entities).encode())
            for key in chosen:
                field = file[key]
                codes = field.attrs["categories"].tolist()
                sha.update(json.dumps([key, str(field.dtype), field.shape[1:], codes]).encode())
                for start in range(0, rows, READ_AT_ONCE):
                    stop = min(start + READ_AT_ONCE, rows)
                    sha.update(np.ascontiguousarray(field[start:stop]).data)
                    advance(stop - start)
            return sha.hexdigest()

        return Digests(digest(factors), digest(pixels))
