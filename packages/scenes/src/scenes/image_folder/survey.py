"""Which pictures a folder has, and the config of the scenes that they make."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from scenes.command_line import CommandError
from scenes.fit import Fit, check_fit
from scenes.image_folder.config import ImageFolderConfig
from scenes.image_folder.files import find_pictures
from scenes.image_folder.reading import inspect
from scenes.inspection import Inspection, content_digest, digest, inspect_all
from scenes.parts.local_workers import available_cores
from scenes.survey import Survey


def survey(
    source: Path,
    *,
    size: int,
    masks: Path | None = None,
    fit: Fit = "crop",
    strict: bool = False,
    workers: int | None = None,
) -> Survey[ImageFolderConfig]:
    """Looks through pictures; those that cannot be read are named on stderr and left out.

    Args:
        source: the folder.
        size: side of the images in pixels.
        masks: the folder of masks; by default `NAME_mask.png` beside the pictures, if there are.
        fit: how a picture that is no square becomes one.
        strict: stop at the first picture that cannot be read.
        workers: processes that decode; all cores by default.

    Raises:
        UsageError: there is no such folder, or nothing in it.
        ValueError: `size` or `fit` is not allowed.
        CommandError: no picture can be read, or one cannot and `strict` is set.
    """
    check_fit(size, fit)
    pictures = find_pictures(source, masks)
    masked = any(picture.masks for picture in pictures)
    look = partial(inspect, masked=masked)
    inspections = inspect_all(pictures, look, workers or available_cores(), source, strict=strict)
    whole = [item for item in inspections if not item.reason]
    if not whole:
        raise CommandError(f"{source}: none of its {len(pictures):,} pictures can be read")
    broken = tuple(item.name for item in inspections if item.reason)
    readable = (picture for picture in pictures if picture.name not in set(broken))
    files = [path for picture in readable for path in picture.files]
    config = ImageFolderConfig(
        source=str(source),
        masks=None if masks is None else str(masks),
        items=digest(files),
        content=content_digest(whole),
        size=size,
        fit=fit,
        num_entities=max(item.entities for item in whole),
        left_out=broken,
    )
    words = f"{len(broken)} of {len(pictures):,} pictures could not be read" if broken else ""
    return Survey(config, len(whole), words, tuple(_remarks(whole)))


def _remarks(inspections: list[Inspection]) -> Iterator[str]:
    odd = [item.conflicts for item in inspections if item.conflicts]
    if odd:
        yield (
            f"{sum(odd):,} pixels of {len(odd):,} pictures are in the masks of several objects: "
            "they get the first"
        )
