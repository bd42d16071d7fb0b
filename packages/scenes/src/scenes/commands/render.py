"""`scenes render`: the Objects Room."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from scenes.command_line import UsageError
from scenes.commands.building import Building, BuildingOptions
from scenes.objects_room.config import ObjectsRoomConfig, condition_config
from scenes.objects_room.kinds import SHAPES, Shape, parse_kind


@dataclass(frozen=True)
class Render:
    """Render the Objects Room with MuJoCo."""

    n: int = 10_000
    """Number of scenes; a finished file with fewer is extended."""
    split: str = "train"
    """train, test, empty_room, six_objects, identical_color or four_identical."""
    objects: int | None = None
    """Exactly this many objects, 0 to 9, all in view; in place of --split."""
    size: int = 64
    """Side of the images in pixels; even, 16 to 512."""
    seed: int = 0
    """Decides every scene, together with the split and the scene's number."""
    out: Path | None = None
    """File to write; data/objects_room/SPLIT.h5 by default."""
    depth: bool = False
    """Write the depth of each pixel too."""
    amodal: bool = False
    """Write each object's full extent in train too; the other splits have it anyway."""
    views: int = 1
    """Pictures of each scene, from as many places on the ring; the file has n x views rows."""
    shapes: tuple[Shape, ...] = SHAPES
    """Shapes to draw from."""
    hold_out: tuple[str, ...] = ()
    """Kinds of objects to keep out: shape=sphere, hue=0.9-0.1 or shape=sphere+box,hue=0.9-0.1."""
    only_held_out: bool = False
    """Show an object of those kinds in every scene, rather than keep them out."""
    building: BuildingOptions = field(default_factory=Building)

    def config(self) -> ObjectsRoomConfig:
        """Returns the config that the options name."""
        if self.objects is not None and self.split != "train":
            raise UsageError("--objects is a split of its own; leave --split out")
        if self.n < 1:
            raise UsageError(f"--n must be at least 1, got {self.n}")
        return replace(
            condition_config(
                self.split if self.objects is None else f"objects_{self.objects}", self.size
            ),
            depth=self.depth,
            amodal=self.amodal or None,
            shapes=self.shapes,
            views=self.views,
            hold_out=tuple(parse_kind(text) for text in self.hold_out),
            only_held_out=self.only_held_out,
        )

    def run(self) -> None:
        """Renders the file."""
        config, rows = self.config(), self.n * self.views
        out = self.out or Path("data/objects_room") / f"{config.condition}.h5"
        views = f" ({rows:,} rows, {self.views} views each)" if self.views > 1 else ""
        content = f"{self.n:,} scenes of {config.condition}{views}"
        self.building.make(config, n=rows, seed=self.seed, out=out, content=content)
