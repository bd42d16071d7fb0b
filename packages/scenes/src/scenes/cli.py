"""The command `scenes`: render, show."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from scenes.command_line import UsageError, run_command
from scenes.config import SHAPES, ObjectsRoomConfig, Shape, condition_config


@dataclass(frozen=True)
class Render:
    """Render the Objects Room with MuJoCo."""

    n: int = 10_000
    """Number of scenes; a finished file with fewer is extended."""
    split: str = "train"
    """train, test, empty_room, six_objects, identical_color or four_identical."""
    objects: int | None = None
    """Instead of a split: exactly this many objects, 0 to 9, all in view."""
    size: int = 64
    """Side of the images in pixels; even, 16 to 512."""
    seed: int = 0
    """Decides every scene, together with the split and the scene's number."""
    out: Path | None = None
    """File to write; data/objects_room/SPLIT.h5 by default."""
    workers: int | None = None
    """Processes; one per core by default. The scenes do not depend on it."""
    depth: bool = False
    """Write the depth of each pixel too."""
    amodal: bool | None = None
    """Write each object's full extent; by default in every split but train."""
    shapes: tuple[Shape, ...] = SHAPES
    """Shapes to draw from."""
    overwrite: bool = False
    """Replace a file that holds something else."""

    def run(self) -> int:
        """Renders the file."""
        from dataclasses import replace

        from scenes.build import build

        if self.objects is not None and self.split != "train":
            raise UsageError("--objects is a split of its own; leave --split out")
        name = self.split if self.objects is None else f"objects_{self.objects}"
        config: ObjectsRoomConfig = replace(
            condition_config(name, self.size),
            depth=self.depth, amodal=self.amodal, shapes=self.shapes,
        )  # fmt: skip
        out = self.out or Path("data/objects_room") / f"{config.condition}.h5"
        start = time.monotonic()
        build(config, self.seed, self.n, out, workers=self.workers, overwrite=self.overwrite)
        print(f"{out}: {self.n:,} scenes of {name}, {time.monotonic() - start:.1f} s")
        return 0


@dataclass(frozen=True)
class Show:
    """Write a contact sheet of a file."""

    file: Annotated[Path, tyro.conf.Positional]
    """The file to look into."""
    out: Path | None = None
    """PNG to write; beside the file by default."""
    n: int = 32
    """Number of scenes."""
    masks: bool = False
    """Put each scene's segmentation beside it."""

    def run(self) -> int:
        """Writes the picture."""
        from scenes.file import SceneFile
        from scenes.gallery import contact_sheet

        if self.n < 1:
            raise UsageError(f"--n must be at least 1, got {self.n}")
        out = self.out or self.file.with_suffix(".png")
        with SceneFile(self.file) as file:
            contact_sheet(file, out, n=self.n, masks=self.masks)
        print(out)
        return 0


COMMANDS: dict[str, Callable[..., Any]] = {"render": Render, "show": Show}


def main(arguments: list[str] | None = None) -> int:
    """Runs `scenes`; returns the exit code."""

    def command() -> int:
        chosen = tyro.extras.subcommand_cli_from_dict(
            COMMANDS, args=arguments, prog="scenes", description=__doc__
        )
        return chosen.run()

    return run_command("scenes", command)


if __name__ == "__main__":
    sys.exit(main())
