"""`eval conditions`: the test scenes of every condition, for masks that are made elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Conditions:
    """Write the test scenes of every condition of `eval generalise`, for masks made elsewhere."""

    out: Path = Path("data/objects_room")
    """Folder to write; `eval generalise --predictions MASKS --data-folder FOLDER` scores masks of
    its scenes."""
    n: int = 320
    """Scenes of each condition."""
    size: int = 64
    """Side of the images in pixels."""
    seed: int = 0
    """Seed of the test scenes; none of them is ever a training scene."""
    hold_out: tuple[str, ...] = ()
    """Kinds of objects that training held out, such as shape=sphere,hue=0.9-0.1, in files of their
    own."""
    workers: int | None = None
    """Processes that render; one per core by default."""

    def run(self) -> None:
        """Renders the scenes that lack, and prints the paths."""
        from evaluation.scores.condition_files import write_conditions

        paths = write_conditions(
            self.out,
            n=self.n,
            size=self.size,
            seed=self.seed,
            hold_out=self.hold_out,
            workers=self.workers,
        )
        print(*paths, sep="\n")
