"""Whether a file holds the scenes of a benchmark, whatever it is called."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from scenes.benchmarks.content import digests
from scenes.benchmarks.table import (
    BENCHMARKS,
    REFERENCE_ROWS,
    SEED,
    VERSION,
    Benchmark,
    Digests,
    digests_of,
    provenance_of,
    reference_of,
    rows_of,
)
from scenes.file.reader import SceneFile
from scenes.identity import identity_of
from scenes.remake import difference
from scenes.render.tolerance import IMAGE_TOLERANCE, LABEL_TOLERANCE


@dataclass(frozen=True)
class Comparison:
    """The first rows of a file beside a benchmark."""

    name: str
    rows: int
    found: Digests
    """Checksums of the file's rows."""
    drawn_by: str
    """Provenance of the file's pixels, as JSON."""
    exact: bool
    """Whether the pixels are those of the checksums; otherwise some were compared within bounds."""
    problems: tuple[str, ...] = ()
    """Empty where the rows are the benchmark's."""

    def summary(self) -> list[str]:
        """Returns in lines what was compared, and how."""
        lines = [
            f"{self.rows:,} scenes of {self.name}, version {VERSION}",
            f"factors {self.found.factors}: exactly those of the benchmark",
        ]
        if self.exact:
            return [*lines, f"pixels {self.found.pixels}: exactly those of the benchmark"]
        listed = json.dumps(provenance_of(self.name), sort_keys=True)
        return [
            *lines,
            f"pixels {self.found.pixels}: another OpenGL's, so scenes "
            f"{', '.join(map(str, REFERENCE_ROWS))} were compared with stored ones: images at most "
            f"{IMAGE_TOLERANCE:g} of 255 apart on average, at most {LABEL_TOLERANCE:.1%} of labels "
            "unlike",
            f"the file's is {self.drawn_by}; the benchmark's {listed}",
        ]


def recognise(file: SceneFile, rows: int) -> Comparison | None:
    """Returns which benchmark the first rows of a file are of; `None` where they are of none.

    Neither the file's name nor its place counts: config, seed and version of the drawing must be
    the benchmark's, its factors must have the benchmark's checksum, and its pixels must agree as
    in `compare`.

    Raises:
        FileError: rows are damaged.
    """
    if rows > file.n:
        return None
    for benchmark in BENCHMARKS.values():
        if rows in rows_of(benchmark.name) and is_made_as(file, benchmark):
            comparison = compare(file, benchmark, rows)
            return None if comparison.problems else comparison
    return None


def is_made_as(file: SceneFile, benchmark: Benchmark) -> bool:
    """Whether a file's config, seed and version of the drawing are a benchmark's."""
    provenance = json.dumps(dict(provenance_of(benchmark.name)))
    return file.is_of(identity_of(benchmark.config, SEED, provenance))


def compare(file: SceneFile, benchmark: Benchmark, rows: int) -> Comparison:
    """Compares the first rows of a file with a benchmark.

    Factors must be the same bit for bit as they are stored. So must pixels where the same OpenGL
    drew them; of another one's, the scenes `REFERENCE_ROWS` may be as far from the stored ones as
    `scenes verify` allows.

    Args:
        file: made with the benchmark's config and seed.
        benchmark: to compare with.
        rows: one of `rows_of` the benchmark.

    Raises:
        FileError: rows are damaged.
    """
    listed, found = digests_of(benchmark.name, rows), digests(file, rows)
    exact = found.pixels == listed.pixels
    problems = []
    if found.factors != listed.factors:
        problems.append(f"factors {found.factors}, not {listed.factors}")
    if not exact and json.loads(file.provenance) == provenance_of(benchmark.name):
        problems.append(f"pixels {found.pixels}, not {listed.pixels}, by the same OpenGL")
    elif not exact:
        problems += _differences(file, benchmark)
    return Comparison(benchmark.name, rows, found, file.provenance, exact, tuple(problems))


def _differences(file: SceneFile, benchmark: Benchmark) -> Iterator[str]:
    for key, stored in reference_of(benchmark.name).items():
        for row, values in zip(REFERENCE_ROWS, stored, strict=True):
            apart = difference(key, values, np.asarray(file[key][row]), exact=False)
            if apart:
                yield f"{key} of scene {row}: {apart}"
