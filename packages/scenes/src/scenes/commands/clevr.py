"""`scenes clevr`: CLEVR's own images; `scenes clevr-like`: scenes like them."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from scenes.command_line import CommandError, UsageError
from scenes.commands.building import Building, BuildingOptions
from scenes.config import ClevrConfig, ClevrLikeConfig
from scenes.parts.local_workers import available_cores

if TYPE_CHECKING:
    from scenes.clevr.folder import Inspection


@dataclass(frozen=True)
class Clevr:
    """Crop CLEVR's images to 128 x 128: a folder of PNGs, or a clevr_with_masks TFRecord."""

    source: Annotated[Path, tyro.conf.Positional]
    """CLEVR_v1.0's images/train, an output of clevr-dataset-gen, or the TFRecord."""
    n: int | None = None
    """Number of scenes; all there are by default. A finished file with fewer is extended."""
    max_objects: int | None = None
    """Only scenes with at most so many objects: 6 makes CLEVR6."""
    scenes: Path | None = None
    """Scenes JSON, or a folder of them; looked for beside the images by default."""
    strict: bool = False
    """Stop at the first PNG that cannot be read, rather than leave it out."""
    out: Path | None = None
    """File to write; data/clevr/train.h5 by default, clevr6.h5 with --max-objects 6."""
    building: BuildingOptions = field(default_factory=Building)

    def run(self) -> int:
        """Crops the images; those that cannot be read are named, counted and left out."""
        if self.max_objects is not None and self.max_objects < 1:
            raise UsageError(f"--max-objects must be at least 1, got {self.max_objects}")
        if not self.source.exists():
            raise UsageError(f"{self.source}: no such file or folder")
        start = time.monotonic()
        name = "train" if self.max_objects is None else f"clevr{self.max_objects}"
        out = self.out or Path("data/clevr") / f"{name}.h5"
        survey = self._folder if self.source.is_dir() else self._records
        config, available, broken = survey()
        n = available if self.n is None else self.n
        if n > available:
            raise UsageError(f"{self.source}: --n {n:,}, but there are {available:,} such scenes")
        self.building.make(config, 0, n, out)
        print(f"{out}: {n:,} scenes, {time.monotonic() - start:.1f} s")
        if broken:
            raise CommandError(f"{broken}; {out} has the others")
        return 0

    def _folder(self) -> tuple[ClevrConfig, int, str]:
        """Returns the config, the number of scenes, and what was broken, in words."""
        from scenes.clevr.folder import (
            digest,
            find_scenes,
            image_folder,
            inspect_all,
            kept_names,
            png_names,
            read_scenes,
        )
        from scenes.progress import progress_bar

        folder = image_folder(self.source)
        names = png_names(folder)
        place = self.scenes or find_scenes(folder)
        if place is not None and not place.exists():
            raise UsageError(f"{place}: no such file or folder")
        scenes = None if place is None else read_scenes(place)
        kept_names([], scenes, self.max_objects)  # refuses before the images are read
        with progress_bar() as progress:
            task = progress.add_task("checking", total=len(names), note="")

            def report(inspection: Inspection) -> None:
                progress.advance(task)
                if not inspection.reason:
                    return
                if self.strict:
                    raise CommandError(
                        f"{folder / inspection.name}: {inspection.reason}; without --strict it is "
                        f"left out"
                    )
                line = f"scenes: {folder / inspection.name}: {inspection.reason}"
                progress.console.print(line, markup=False, highlight=False, soft_wrap=True)

            workers = self.building.workers or available_cores()
            found = inspect_all([folder / name for name in names], workers, report)
        broken = tuple(item.name for item in found if item.reason)
        whole = [item for item in found if not item.reason]
        if not whole:
            raise CommandError(f"{folder}: none of its {len(names):,} PNGs can be read")
        width, height = _one_size(folder, whole)
        kept = kept_names([item.name for item in whole], scenes, self.max_objects)
        if not kept:
            raise CommandError(f"{folder}: no scene with at most {self.max_objects} objects")
        config = ClevrConfig(
            source=str(self.source),
            items=digest([folder / name for name in kept]),
            original_width=width,
            original_height=height,
            num_rows=0 if scenes is None else max(len(scenes[name].codes) for name in kept),
            scenes=None if place is None else str(place),
            left_out=broken,
            max_objects=self.max_objects,
        )
        words = f"{len(broken)} of {len(names):,} PNGs could not be read" if broken else ""
        return config, len(kept), words

    def _records(self) -> tuple[ClevrConfig, int, str]:
        """Returns the config, the number of scenes, and what was broken, in words."""
        from scenes.clevr.folder import digest
        from scenes.clevr.source import count_records
        from scenes.formats.multi_object_datasets import recognise

        layout, num_entities = recognise(self.source)
        if layout != "clevr_with_masks":
            raise UsageError(f"{self.source}: {layout}; scenes import reads that")
        count, error = count_records(self.source, self.max_objects)
        if error is not None and self.strict:
            raise CommandError(f"{error}; without --strict the records before it are kept")
        if not count:
            raise CommandError(f"{self.source}: no scene with at most {self.max_objects} objects")
        objects = num_entities - 1
        config = ClevrConfig(
            source=str(self.source),
            items=digest([self.source]),
            original_width=320,
            original_height=240,
            num_rows=min(objects, self.max_objects or objects),
            num_entities=num_entities,
            max_objects=self.max_objects,
        )
        return config, count, "" if error is None else str(error)


def _one_size(folder: Path, found: list[Inspection]) -> tuple[int, int]:
    """Returns the size of all images.

    Raises:
        UsageError: one is not of CLEVR's sizes, or not of the first one's.
    """
    from scenes.clevr.images import DISTRIBUTED, STANDARD

    for item in found:
        width, height = item.size
        if item.size not in (STANDARD, DISTRIBUTED):
            raise UsageError(
                f"{folder / item.name}: {width} x {height} pixels; CLEVR is 320 x 240 or 480 x 320"
            )
        if item.size != found[0].size:
            raise UsageError(
                f"{folder / item.name}: {width} x {height} pixels, but {found[0].name} is "
                f"{found[0].size[0]} x {found[0].size[1]}; one file holds one size"
            )
    return found[0].size


@dataclass(frozen=True)
class ClevrLike:
    """Render CLEVR-style scenes with MuJoCo: 128 x 128, with masks and factors."""

    n: int = 10_000
    """Number of scenes; a finished file with fewer is extended."""
    split: Literal["train", "test"] = "train"
    """train, or test with its own scenes and each object's full extent."""
    max_objects: int = 10
    """3 to so many objects; 6 for scenes like CLEVR6."""
    seed: int = 0
    """Decides every scene, together with the split, the most objects and the scene's number."""
    out: Path | None = None
    """File to write; data/clevr_like/SPLIT.h5 by default."""
    building: BuildingOptions = field(default_factory=Building)

    def run(self) -> int:
        """Renders the file."""
        config = ClevrLikeConfig(self.split, self.max_objects)
        out = self.out or Path("data/clevr_like") / f"{self.split}.h5"
        start = time.monotonic()
        self.building.make(config, self.seed, self.n, out)
        print(f"{out}: {self.n:,} scenes, {time.monotonic() - start:.1f} s")
        return 0
