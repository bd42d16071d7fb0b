"""Looks through CLEVR's images before scenes are made of them."""

from __future__ import annotations

from pathlib import Path

from scenes.clevr.config import ClevrConfig
from scenes.clevr.folder import (
    find_scenes,
    image_folder,
    inspect,
    objects_content,
    png_names,
    select_names,
)
from scenes.clevr.images import DISTRIBUTED, STANDARD
from scenes.clevr.scenes_json import read_scenes
from scenes.clevr.source import ClevrRecordsSource
from scenes.command_line import CommandError, UsageError
from scenes.dataset import sha256_of
from scenes.formats.multi_object_datasets import recognise
from scenes.formats.records import NoSuchRecordError, RecordError
from scenes.inspection import Inspection, digest, inspect_all
from scenes.notices import tell
from scenes.parts.local_workers import available_cores
from scenes.progress import counting
from scenes.survey import Survey


def survey(
    source: Path,
    max_objects: int | None = None,
    *,
    scenes: Path | None = None,
    strict: bool = False,
    workers: int | None = None,
) -> Survey[ClevrConfig]:
    """Looks through CLEVR's images; those that cannot be read are named on stderr and left out.

    Args:
        source: a folder of PNGs, or a clevr_with_masks TFRecord.
        max_objects: only scenes with at most so many objects; 6 makes CLEVR6.
        scenes: the scenes JSON, or the folder of one for each scene; looked for beside the PNGs
            by default.
        strict: stop at the first image that cannot be read.
        workers: processes that decode PNGs; all cores by default.

    Raises:
        UsageError: there is no such source, or its images are not CLEVR's.
        CommandError: no scene is left, or an image cannot be read and `strict` is set.
    """
    if max_objects is not None and max_objects < 1:
        raise UsageError(f"--max-objects must be at least 1, got {max_objects}")
    if not source.exists():
        raise UsageError(f"{source}: no such file or folder")
    if source.is_dir():
        return _survey_folder(source, max_objects, scenes, workers, strict=strict)
    return _survey_records(source, max_objects, strict=strict)


def _survey_folder(
    source: Path,
    max_objects: int | None,
    scenes_path: Path | None,
    workers: int | None,
    *,
    strict: bool,
) -> Survey[ClevrConfig]:
    folder = image_folder(source)
    names = png_names(folder)
    place = scenes_path or find_scenes(folder)
    if place is not None and not place.exists():
        raise UsageError(f"{place}: no such file or folder")
    scenes = None if place is None else read_scenes(place)
    select_names([], scenes, max_objects)  # refuses before the images are read
    paths = [folder / name for name in names]
    inspections = inspect_all(paths, inspect, workers or available_cores(), folder, strict=strict)
    broken = tuple(item.name for item in inspections if item.reason)
    whole = [item for item in inspections if not item.reason]
    if not whole:
        raise CommandError(f"{folder}: none of its {len(names):,} PNGs can be read")
    width, height = _one_size(folder, whole)
    selection = select_names([item.name for item in whole], scenes, max_objects)
    if not selection:
        raise CommandError(f"{folder}: no scene with at most {max_objects} objects")
    by_name = {item.name: item for item in whole}
    config = ClevrConfig(
        source=str(source),
        content=objects_content([by_name[name] for name in selection], scenes),
        items=digest([folder / name for name in selection]),
        original_width=width,
        original_height=height,
        num_rows=0 if scenes is None else max(len(scenes[name].codes) for name in selection),
        scenes=None if place is None else str(place),
        left_out=broken,
        max_objects=max_objects,
    )
    words = f"{len(broken)} of {len(names):,} PNGs could not be read" if broken else ""
    return Survey(config, len(selection), words)


def _survey_records(source: Path, max_objects: int | None, *, strict: bool) -> Survey[ClevrConfig]:
    layout, num_entities = recognise(source)
    if layout != "clevr_with_masks":
        raise UsageError(f"{source}: {layout}; scenes import reads that")
    objects = num_entities - 1
    config = ClevrConfig(
        source=str(source),
        items=digest([source]),
        content=sha256_of(source),
        original_width=320,
        original_height=240,
        num_rows=min(objects, max_objects or objects),
        num_entities=num_entities,
        max_objects=max_objects,
    )
    count, broken = _read_all(ClevrRecordsSource(config, seed=0), strict=strict)
    if not count:
        raise CommandError(broken or f"{source}: no scene with at most {max_objects} objects")
    return Survey(config, count, broken)


def _read_all(source: ClevrRecordsSource, *, strict: bool) -> tuple[int, str]:
    """Returns how many scenes can be read, and in words why the next one cannot."""
    count, broken = 0, ""
    with counting("checking") as advance:
        try:
            while True:
                source[count]
                count += 1
                advance(1)
        except NoSuchRecordError:
            pass
        except RecordError as error:
            if strict:
                raise CommandError(
                    f"{error}; without --strict the records before it are kept"
                ) from error
            broken = str(error)
    if source.odd_pixels:
        remark = f"{source.odd_pixels:,} pixels are not in exactly one mask: they get the first"
        tell(f"{source.config.source}: {remark}")
    return count, broken


def _one_size(folder: Path, inspections: list[Inspection]) -> tuple[int, int]:
    """Returns the size that all images have, width first.

    Raises:
        UsageError: an image is not of CLEVR's sizes, or not of the first image's.
    """
    for item in inspections:
        width, height = item.size
        if item.size not in (STANDARD, DISTRIBUTED):
            raise UsageError(
                f"{folder / item.name}: {width} x {height} pixels; CLEVR is 320 x 240 or 480 x 320"
            )
        if item.size != inspections[0].size:
            raise UsageError(
                f"{folder / item.name}: {width} x {height} pixels, but {inspections[0].name} is "
                f"{inspections[0].size[0]} x {inspections[0].size[1]}; one file holds one size"
            )
    return inspections[0].size
