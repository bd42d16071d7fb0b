"""`scenes benchmark`: the fixed test files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from scenes.command_line import UsageError


@dataclass(frozen=True)
class Benchmark:
    """Make fixed test files by OSMesa, and compare them with their checksums."""

    name: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="NAME")]
    """rooms_test, rooms_six_objects, rooms_identical_color, rooms_empty, multi_dsprites or
    clevr_like; rooms for the first four, all for all of them."""
    n: Literal[320, 10_000] = 320
    """Number of scenes. A file of 320 is extended; of one with 10,000 the first 320 count."""
    out: Path | None = None
    """File to write, where NAME is one; data/benchmark/NAME.h5 by default."""
    workers: int | None = None
    """Processes; one per core by default."""
    overwrite: bool = False
    """Replace a file that holds something else."""

    def run(self) -> None:
        """Makes the files, and says how each was compared."""
        from scenes.benchmarks.making import build_benchmark, file_of
        from scenes.benchmarks.table import names_of

        names = names_of(self.name)
        if self.out is not None and len(names) > 1:
            raise UsageError(f"--out is one file, and {self.name} is {len(names)}; leave it out")
        for name in names:
            out = self.out or file_of(name)
            comparison = build_benchmark(
                name, n=self.n, out=out, workers=self.workers, overwrite=self.overwrite
            )
            print(f"{out}:", *comparison.summary(), sep="\n  ")
