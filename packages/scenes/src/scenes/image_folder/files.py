"""Finds the pictures in a folder, and the files of their masks."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scenes.command_line import UsageError
from scenes.inspection import masked_stem, without_masks

ENDINGS = (".png", ".jpg", ".jpeg", ".webp")


Masks = tuple[tuple[Path, ...], bool]
"""Files of masks, and whether they are one for each object."""


@dataclass(frozen=True)
class Picture:
    """An image file, and the files of its masks."""

    name: str
    """Its path inside the folder."""
    path: Path
    masks: tuple[Path, ...] = ()
    """One file of indices or colours, or one for each object."""
    each_object: bool = False
    """Whether `masks` are one for each object."""

    @property
    def files(self) -> list[Path]:
        """All its files."""
        return [self.path, *self.masks]


def find_pictures(source: Path, masks: Path | None) -> list[Picture]:
    """Returns the pictures in a folder and its subfolders, in the order of their names.

    The masks of a picture NAME are looked for in the folder `masks`: `NAME.png`, a folder `NAME`
    with one PNG for each object, or such PNGs as `NAME_0.png`. Without `masks` they are in
    `NAME_mask.png` beside the picture.

    Raises:
        UsageError: a folder does not exist, or has no picture or no mask, or it is not clear to
            which of two pictures masks belong.
    """
    for folder in (source, masks):
        if folder is not None and not folder.is_dir():
            raise UsageError(f"{folder}: no such folder")
    names = _names(source, ENDINGS)
    if masks is not None:  # they may lie in the folder of pictures
        place, inside = source.resolve(), masks.resolve()
        names = [name for name in names if not (place / name).is_relative_to(inside)]
    chosen = without_masks(names) if masks is None else names
    if not chosen:
        raise UsageError(f"{source}: no PNG, JPEG or WebP in it")
    by_stem: dict[str, str] = {}
    for name in chosen:
        other = by_stem.setdefault(_stem(name), name)
        if other != name and (masks is not None or len(chosen) < len(names)):
            raise UsageError(f"{source}: {other} and {name}: whose are the masks of that name?")
    if masks is None:
        beside = {masked_stem(name): source / name for name in set(names) - set(chosen)}
        masks_of: dict[str, Masks] = {
            stem: ((beside[stem],), False) for stem in by_stem if stem in beside
        }
    else:
        masks_of = _in_folder(masks, by_stem)
    none: Masks = ((), False)
    return [Picture(name, source / name, *masks_of.get(_stem(name), none)) for name in chosen]


def _in_folder(masks: Path, stems: Mapping[str, str]) -> dict[str, Masks]:
    """Returns the masks of each picture that has some.

    Args:
        masks: the folder of masks.
        stems: names of the pictures by their stems.

    Raises:
        UsageError: there are no masks, or a picture has both kinds.
    """
    whole: dict[str, Path] = {}
    objects: dict[str, list[Path]] = {}
    for name in _names(masks, (".png",)):
        stem = _stem(name)
        if stem in stems:
            whole[stem] = masks / name
        elif (owner := _owner(stem, stems)) is not None:
            objects.setdefault(owner, []).append(masks / name)
    both = next((stem for stem in whole if stem in objects), None)
    if both is not None:
        raise UsageError(
            f"{whole[both]}: the masks of {stems[both]}, which has {objects[both][0].name} too"
        )
    if not whole and not objects:
        raise UsageError(
            f"{masks}: no masks in it: NAME.png, NAME/*.png or NAME_*.png for a picture NAME"
        )
    return {
        **{stem: ((path,), False) for stem, path in whole.items()},
        **{stem: (tuple(paths), True) for stem, paths in objects.items()},
    }


def _owner(stem: str, stems: Mapping[str, str]) -> str | None:
    """Returns the stem of the picture that one object's mask belongs to: the longest that fits."""
    folder = stem.rpartition("/")[0]
    if folder in stems:
        return folder
    start = len(folder)
    while (end := stem.rfind("_", start)) > start:
        stem = stem[:end]
        if stem in stems:
            return stem
    return None


def _names(folder: Path, endings: Sequence[str]) -> list[str]:
    """Returns the paths of files inside a folder, in order; links to folders are not followed."""
    names = []
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        inside = Path(place).relative_to(folder)
        names += [
            (inside / name).as_posix()
            for name in files
            if name.lower().endswith(tuple(endings)) and not name.startswith(".")
        ]
    return sorted(names)


def _stem(name: str) -> str:
    return name[: name.rfind(".")]
