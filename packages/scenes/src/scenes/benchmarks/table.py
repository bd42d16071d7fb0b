"""Which fixed test files there are, and what they hold."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from scenes.clevr.config import ClevrLikeConfig
from scenes.command_line import UsageError
from scenes.dataset import DatasetConfig
from scenes.multi_dsprites.config import MultiDSpritesConfig
from scenes.objects_room.config import condition_config

VERSION = 1
"""Of all of them: whatever changes a config, the seed or a scene gets a new number."""
SEED = 0
ROWS = (320, 10_000)
"""Numbers of scenes of the files. The first 320 of the 10,000 are the 320."""
REFERENCE_ROWS = (0, 106, 213, 319)
"""Scenes whose pixels ship with the package, for other renderers' to be compared with."""
ROOMS_PX = 64
DIGESTS = Path(__file__).parent / "digests.json"
REFERENCE = Path(__file__).parent / "reference"


@dataclass(frozen=True)
class Benchmark:
    """A fixed test file."""

    name: str
    title: str
    """What it shows, for tables and pages."""
    config: DatasetConfig


BENCHMARKS: Mapping[str, Benchmark] = {
    benchmark.name: benchmark
    for benchmark in (
        Benchmark("rooms_test", "rooms as in training", condition_config("test", ROOMS_PX)),
        # The conditions of `eval generalise`, so that its scores count here too.
        Benchmark(
            "rooms_six_objects", "rooms with six objects", condition_config("objects_6", ROOMS_PX)
        ),
        Benchmark(
            "rooms_identical_color",
            "rooms with four to six objects of one colour",
            condition_config("identical_color", ROOMS_PX),
        ),
        Benchmark("rooms_empty", "rooms without objects", condition_config("objects_0", ROOMS_PX)),
        Benchmark("multi_dsprites", "Multi-dSprites", MultiDSpritesConfig(split="test")),
        Benchmark(
            "clevr_like",
            "CLEVR-like scenes of three to six objects",
            ClevrLikeConfig(split="test", max_objects=6),
        ),
    )
}
FAMILIES: Mapping[str, tuple[str, ...]] = {
    "rooms": tuple(name for name in BENCHMARKS if name.startswith("rooms_")),
    "all": tuple(BENCHMARKS),
}


@dataclass(frozen=True)
class Digests:
    """SHA-256 of the first rows of a benchmark (`scenes.benchmarks.content`)."""

    factors: str
    pixels: str


def names_of(name: str) -> tuple[str, ...]:
    """Returns the benchmarks that a name, or a family's name, stands for.

    Raises:
        UsageError: there is no such name.
    """
    if name in BENCHMARKS:
        return (name,)
    if name not in FAMILIES:
        names = ", ".join([*BENCHMARKS, *FAMILIES])
        raise UsageError(f"no benchmark {name!r}; there are {names}")
    return FAMILIES[name]


def rows_of(name: str) -> tuple[int, ...]:
    """Returns the numbers of rows that a benchmark has checksums of."""
    return tuple(map(int, _stored()[name]["rows"]))


def check_rows(name: str, rows: int) -> None:
    """Refuses a number of scenes that a benchmark has no checksums of.

    Raises:
        UsageError: it has none.
    """
    if rows not in (known := rows_of(name)):
        listed = " and ".join(f"{number:,}" for number in known)
        raise UsageError(f"--n {rows:,}: {name} has checksums of {listed} scenes")


def digests_of(name: str, rows: int) -> Digests:
    """Returns the checksums of a benchmark's first rows, one of `rows_of` it."""
    return Digests(**_stored()[name]["rows"][str(rows)])


def provenance_of(name: str) -> Mapping[str, str]:
    """Returns what drew the pixels that the checksums are of, as a file's provenance says it."""
    return _stored()[name]["provenance"]


@cache
def _stored() -> Mapping[str, dict]:
    return json.loads(DIGESTS.read_text(encoding="utf-8"))


def reference_of(name: str) -> Mapping[str, UInt8[np.ndarray, "N ..."]]:
    """Returns `image` and `segmentation` of the scenes `REFERENCE_ROWS` of a benchmark."""
    size = BENCHMARKS[name].config.size
    return {
        "image": _picture(f"{name}.png").reshape(-1, size, size, 3),
        "segmentation": _picture(f"{name}_segmentation.png").reshape(-1, size, size),
    }


def _picture(name: str) -> np.ndarray:
    with Image.open(REFERENCE / name) as picture:
        return np.asarray(picture)
