"""Which pictures a folder has, and which files are whose masks."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scenes.command_line import UsageError
from scenes.inspection import masked_stem, without_masks

ENDINGS = (".png", ".jpg", ".jpeg", ".webp")


Masks = tuple[tuple[Path, ...], bool]
"""Files, and whether they are one for each object."""


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
    """Returns the pictures of a folder and the folders in it, in the order of their names.

    Masks are looked for in `masks`, under the picture's name: `NAME.png`, a folder `NAME` of one
    PNG for each object, or such PNGs as `NAME_0.png`. Without `masks` it is `NAME_mask.png` beside
    the picture.

    Raises:
        UsageError: there is no such folder, no picture or no mask in it, or masks are of two
            pictures.
    """
    for folder in (source, masks):
        if folder is not None and not folder.is_dir():
            raise UsageError(f"{folder}: no such folder")
    names = _names(source, ENDINGS)
    if masks is not None:  # they may lie in the folder of pictures
        names = [name for name in names if not _is_in(source / name, masks)]
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
        found: dict[str, Masks] = {
            stem: ((beside[stem],), False) for stem in by_stem if stem in beside
        }
    else:
        found = _in_folder(masks, by_stem)
    none: Masks = ((), False)
    return [Picture(name, source / name, *found.get(_stem(name), none)) for name in chosen]


def _in_folder(masks: Path, stems: Mapping[str, str]) -> dict[str, Masks]:
    """Returns the masks of each picture, and whether they are one for each object.

    Raises:
        UsageError: there are none, or a picture has both kinds.
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
    """Returns the picture that one object's mask belongs to: the one with the longest name."""
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
    """Returns the paths of files inside a folder, in order; links to folders are not entered."""
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


def _is_in(path: Path, folder: Path) -> bool:
    return path.absolute().is_relative_to(folder.absolute())


def _stem(name: str) -> str:
    return name[: name.rfind(".")]
