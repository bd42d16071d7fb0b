"""Options that all commands share that make scenes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from scenes.command_line import CommandError, UsageError
from scenes.dataset import DatasetConfig
from scenes.help_text import UNPREFIXED
from scenes.notices import tell

if TYPE_CHECKING:
    from scenes.survey import Survey


@dataclass(frozen=True)
class Building:
    """Who makes the scenes, and as how many files: the scenes themselves do not depend on it."""

    workers: int | None = None
    """Processes; one per core by default."""
    layout: Literal["file", "parts"] = "file"
    """One file, or an index of parts that stay in FILE.parts beside it (docs/scale.md)."""
    engine: Literal["local", "ray"] = "local"
    """Processes of this machine, or tasks of a Ray cluster that shares the folder of --out."""
    address: str | None = None
    """The Ray cluster's address; by default one of this machine is started."""
    overwrite: bool = False
    """Replace a file that holds something else."""

    def make(self, config: DatasetConfig, *, n: int, seed: int, out: Path, content: str) -> None:
        """Makes the first `n` rows of a dataset, or extends a file that has fewer; prints a line.

        Args:
            config: of the dataset.
            n: number of rows.
            seed: of the scenes.
            out: the file.
            content: what the line says of it, such as `1,000 scenes of train`.

        Raises:
            UsageError: and what else `build` raises.
        """
        start = time.monotonic()
        self._build(config, n, seed, out)
        print(f"{out}: {content}, {time.monotonic() - start:.1f} s")

    def make_surveyed(
        self,
        survey: Callable[[], Survey[Any]],
        source: Path,
        *,
        n: int | None,
        out: Path,
        kind: str,
    ) -> None:
        """Makes the scenes of a source of images; prints a line, and remarks on stderr.

        Args:
            survey: looks through the source.
            source: the source, for messages.
            n: number of scenes; all there are by default.
            out: the file.
            kind: what the scenes are called where there are fewer than `n`.

        Raises:
            UsageError: there are fewer scenes; and what else `build` raises.
            CommandError: the file is made, but images were left out that cannot be read.
        """
        start = time.monotonic()
        images = survey()
        rows = images.n if n is None else n
        if rows > images.n:
            raise UsageError(f"{source}: --n {rows:,}, but there are {images.n:,} {kind}")
        self._build(images.config, rows, 0, out)
        for remark in images.remarks:
            tell(f"{source}: {remark}")
        print(f"{out}: {rows:,} scenes, {time.monotonic() - start:.1f} s")
        if images.broken:
            raise CommandError(f"{images.broken}; {out} has the others")

    def _build(self, config: DatasetConfig, n: int, seed: int, out: Path) -> None:
        from scenes.driver import build

        build(
            config,
            n=n,
            seed=seed,
            out=out,
            workers=self.workers,
            overwrite=self.overwrite,
            layout=self.layout,
            engine=self.engine,
            address=self.address,
        )


BuildingOptions = Annotated[Building, UNPREFIXED]
"""The type of a command's field that holds these options."""
