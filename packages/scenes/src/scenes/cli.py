"""The command `scenes`: makes scenes, reads and writes other formats, shows, verifies."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from scenes.command_line import CommandError, UsageError, parse, run_command
from scenes.commands.building import Building, BuildingOptions
from scenes.commands.clevr import Clevr, ClevrLike
from scenes.commands.doctor import Doctor
from scenes.config import (
    MultiDSpritesConfig,
    ObjectsRoomConfig,
    SpritesVariant,
    condition_config,
    sha256_of,
)
from scenes.objects_room.kinds import SHAPES, Shape, parse_kind


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
    """Put an object of those kinds into every scene instead, in view."""
    building: BuildingOptions = field(default_factory=Building)

    def run(self) -> int:
        """Renders the file."""
        if self.objects is not None and self.split != "train":
            raise UsageError("--objects is a split of its own; leave --split out")
        if self.n < 1:
            raise UsageError(f"--n must be at least 1, got {self.n}")
        name = self.split if self.objects is None else f"objects_{self.objects}"
        config: ObjectsRoomConfig = replace(
            condition_config(name, self.size),
            depth=self.depth, amodal=self.amodal or None, shapes=self.shapes, views=self.views,
            hold_out=tuple(parse_kind(text) for text in self.hold_out),
            only_held_out=self.only_held_out,
        )  # fmt: skip
        out = self.out or Path("data/objects_room") / f"{config.condition}.h5"
        rows = self.n * config.views
        start = time.monotonic()
        self.building.make(config, self.seed, rows, out)
        of = f" ({rows:,} rows, {config.views} views each)" if config.views > 1 else ""
        print(
            f"{out}: {self.n:,} scenes of {config.condition}{of}, {time.monotonic() - start:.1f} s"
        )
        return 0


@dataclass(frozen=True)
class Sprites:
    """Composite Multi-dSprites."""

    n: int = 10_000
    """Number of scenes; a finished file with fewer is extended."""
    variant: SpritesVariant = "colored_on_colored"
    """The paper's: 1 to 4 RGB sprites on RGB. Else 2 to 5 HSV on grey, or 2 to 3 white on black."""
    split: Literal["train", "test"] = "train"
    """train, or test with its own scenes and each sprite's full extent."""
    dsprites: Path | None = None
    """dSprites' own npz file; without it the sprites are drawn (docs/multi_dsprites.md)."""
    seed: int = 0
    """Decides every scene, together with the variant, the split and the scene's number."""
    out: Path | None = None
    """File to write; data/multi_dsprites/VARIANT.h5 by default, or VARIANT_test.h5."""
    building: BuildingOptions = field(default_factory=Building)

    def run(self) -> int:
        """Composites the file."""
        config = MultiDSpritesConfig(self.variant, self.split)
        if self.dsprites is not None:
            if not self.dsprites.is_file():
                raise UsageError(
                    f"{self.dsprites}: no such file; without --dsprites sprites are drawn"
                )
            digest = sha256_of(self.dsprites)
            config = replace(config, dsprites=str(self.dsprites), dsprites_items=digest)
        name = self.variant if self.split == "train" else f"{self.variant}_{self.split}"
        out = self.out or Path("data/multi_dsprites") / f"{name}.h5"
        start = time.monotonic()
        self.building.make(config, self.seed, self.n, out)
        print(f"{out}: {self.n:,} scenes of {name}, {time.monotonic() - start:.1f} s")
        return 0


@dataclass(frozen=True)
class Show:
    """Write a contact sheet of a file, or a page to leaf through its scenes."""

    file: Annotated[Path, tyro.conf.Positional]
    """The file to look into."""
    out: Path | None = None
    """PNG or HTML page to write; beside the file by default."""
    n: int | None = None
    """Number of scenes; 32 on a sheet and 240 on a page by default."""
    masks: bool = False
    """Put each scene's segmentation beside it."""
    depth: bool = False
    """Put each scene's depth beside it."""
    html: bool = False
    """Write one page that works without a network, with masks and factors on hover."""

    def run(self) -> int:
        """Writes the picture or the page."""
        from scenes.file.reader import SceneFile
        from scenes.pictures.page import scene_page
        from scenes.pictures.sheet import contact_sheet

        if self.n is not None and self.n < 1:
            raise UsageError(f"--n must be at least 1, got {self.n}")
        suffix = ".html" if self.html else ".png"
        out = self.out or self.file.with_suffix(suffix)
        if out.suffix.lower() != suffix:
            kind = "a page (--html)" if self.html else "a contact sheet"
            raise UsageError(f"{out}: {kind} must have a name that ends in {suffix}")
        with SceneFile(self.file) as file:
            if self.html:
                scene_page(file, out, n=self.n or 240, masks=self.masks, depth=self.depth)
            else:
                contact_sheet(file, out, n=self.n or 32, masks=self.masks, depth=self.depth)
        print(out)
        return 0


@dataclass(frozen=True)
class Verify:
    """Check a file: checksums, counts, ranges, masks, and scenes made again from their seed."""

    file: Annotated[Path, tyro.conf.Positional]
    """The file to check."""
    n: int = 4
    """Scenes to make again and compare, spread over the file; 0 for none."""

    def run(self) -> int:
        """Checks the file; the exit code is 1 where anything is wrong."""
        from scenes.verification import verify

        if self.n < 0:
            raise UsageError(f"--n must be at least 0, got {self.n}")
        if not self.file.exists():
            raise UsageError(f"{self.file}: no such file")
        report = verify(self.file, remade=self.n)
        if report.problems:
            for problem in report.problems[:-1]:
                print(f"scenes: {problem}", file=sys.stderr)
            raise CommandError(report.problems[-1])
        held = "checksums, counts, ranges and masks hold"
        print(f"{self.file}: {report.rows:,} scenes of {report.fields} fields: {held}")
        numbers = ", ".join(str(number) for number in report.remade)
        if report.not_remade:
            print(f"made none again: {report.not_remade}")
        elif report.other_renderer:
            print(f"made {numbers} again: within the bounds for another renderer")
            print(f"the file's is {report.other_renderer}")
        elif report.remade:
            print(f"made {numbers} again: the same in every byte")
        return 0


@dataclass(frozen=True)
class Import:
    """Read a multi_object_datasets TFRecord: Objects Room, Multi-dSprites, CLEVR, Tetrominoes."""

    file: Annotated[Path, tyro.conf.Positional]
    """The TFRecord, gzipped or plain."""
    out: Path | None = None
    """File to write; data/imported/NAME.h5 by default."""
    overwrite: bool = False
    """Replace a file that holds something else."""

    def run(self) -> int:
        """Reads the file; what comes before a broken record is kept."""
        from scenes.driver import build
        from scenes.formats.multi_object_datasets import describe
        from scenes.formats.tfrecord import RecordError, scan

        out = self.out or Path("data/imported") / f"{self.file.stem}.h5"
        start = time.monotonic()
        count, error = scan(self.file)
        if count == 0:
            raise CommandError(str(error or f"{self.file}: record 0: the file is empty"))
        config = describe(self.file)
        try:
            build(config, 0, count, out, workers=1, overwrite=self.overwrite)
        except RecordError as foreign:  # whole, but in another layout than the first one
            count, error = foreign.number, foreign
            if count == 0:
                raise CommandError(str(foreign)) from foreign
            build(config, 0, count, out, workers=1, overwrite=self.overwrite)
        print(f"{out}: {count:,} scenes of {config.layout}, {time.monotonic() - start:.1f} s")
        if error is not None:
            raise CommandError(f"{error}; the {count} records before it are in {out}")
        return 0


@dataclass(frozen=True)
class Export:
    """Write a file in another project's format."""

    file: Annotated[Path, tyro.conf.Positional]
    """The file to export."""
    format: Literal["tfrecord", "object-centric-library"] = "tfrecord"
    """multi_object_datasets' TFRecord, or that library's HDF5 and metadata."""
    out: Path | None = None
    """File to write; beside the file by default."""
    overwrite: bool = False
    """Replace a file."""

    def run(self) -> int:
        """Writes the file."""
        from scenes.formats import export

        tfrecord = self.format == "tfrecord"
        name = f"{self.file.stem}.tfrecords" if tfrecord else f"{self.file.stem}-ocl.hdf5"
        out = self.out or self.file.with_name(name)
        if out.exists() and not self.overwrite:
            raise UsageError(f"{out} exists; --overwrite replaces it")
        write = export.export_tfrecord if tfrecord else export.export_object_centric_library
        print(f"{out}: {write(self.file, out):,} scenes")
        return 0


COMMANDS: dict[str, Callable[..., Any]] = {
    "render": Render,
    "sprites": Sprites,
    "clevr": Clevr,
    "clevr-like": ClevrLike,
    "import": Import,
    "export": Export,
    "show": Show,
    "verify": Verify,
    "doctor": Doctor,
}


def main(arguments: list[str] | None = None) -> int:
    """Runs `scenes`; returns the exit code."""

    def command() -> int:
        chosen = parse(
            lambda: tyro.extras.subcommand_cli_from_dict(
                COMMANDS, args=arguments, prog="scenes", description=__doc__
            )
        )
        return chosen.run()

    return run_command("scenes", command)


if __name__ == "__main__":
    sys.exit(main())
