"""Which benchmark scored scenes are of, found by what their file holds."""

from __future__ import annotations

from pathlib import Path

from scenes.benchmarks.comparison import recognise
from scenes.benchmarks.table import ROWS, VERSION
from scenes.file.reader import SceneFile

from evaluation.scores.results import BenchmarkScenes
from evaluation.scores.truth import TestScenes


def benchmark_scenes(path: Path, scenes: TestScenes) -> BenchmarkScenes | None:
    """Returns which benchmark scenes are of; `None` where they are of none, or scored in part.

    Args:
        path: their file.
        scenes: the first scenes of that file, as they were scored.

    Raises:
        FileError: the file is damaged.
    """
    rows, size = scenes.images.shape[:2]
    if rows not in ROWS or scenes.ignored is not None:
        return None
    with SceneFile(path) as file:
        known = recognise(file, rows)
    if known is None:
        return None
    found = known.found
    return BenchmarkScenes(
        known.name, VERSION, rows, size, found.factors, found.pixels, known.exact
    )
