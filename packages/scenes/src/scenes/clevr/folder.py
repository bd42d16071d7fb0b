"""Finds and inspects the PNGs in a folder of CLEVR's, and finds their scenes JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from scenes.clevr.config import ClevrConfig
from scenes.clevr.images import DISTRIBUTED, STANDARD
from scenes.clevr.properties import Objects
from scenes.dataset import sha256_of
from scenes.formats.image_file import open_image, read_rgb
from scenes.inspection import Inspection, content_digest, digest, reason, without_masks

PNG = ("PNG",)


def image_folder(source: Path) -> Path:
    """Returns the folder that holds the PNGs: `source` itself, or its `images`.

    Raises:
        FileNotFoundError: `source` does not exist.
        ValueError: neither folder has a PNG.
    """
    source.stat()
    for folder in (source, source / "images"):
        if folder.is_dir() and png_names(folder):
            return folder
    raise ValueError(f"{source}: no PNG in it; give CLEVR's images/train, or a generator's output")


def png_names(folder: Path) -> list[str]:
    """Returns the names of the PNGs in order, without those that are masks of another PNG."""
    paths = (path for path in folder.iterdir() if path.suffix.lower() == ".png")
    return without_masks(sorted(path.name for path in paths if not path.name.startswith(".")))


def find_scenes(folder: Path) -> Path | None:
    """Returns the scenes JSON of a folder of PNGs, or the folder of one JSON for each scene.

    CLEVR_v1.0 has `scenes/CLEVR_train_scenes.json` beside `images/train`; the generator writes
    `CLEVR_scenes.json` and a folder `scenes` beside `images`.
    """
    split = f"CLEVR_{folder.name}_scenes.json"
    for place in (
        folder.parent.parent / "scenes" / split,
        folder.parent / "scenes" / split,
        folder.parent / "CLEVR_scenes.json",
        folder / "CLEVR_scenes.json",
    ):
        if place.is_file():
            return place
    each = folder.parent / "scenes"
    stems = (Path(name).stem for name in png_names(folder))
    return each if any((each / f"{stem}.json").is_file() for stem in stems) else None


def select_names(
    names: Sequence[str], scenes: Mapping[str, Objects] | None, max_objects: int | None
) -> list[str]:
    """Returns the names of the scenes with at most `max_objects` objects.

    Raises:
        ValueError: the scenes JSON lacks an image, or objects cannot be counted without one.
    """
    if scenes is None:
        if max_objects is not None:
            raise ValueError("--max-objects counts objects in a scenes JSON; name it by --scenes")
        return list(names)
    missing = [name for name in names if name not in scenes]
    if missing:
        raise ValueError(f"the scenes JSON lacks {missing[0]} and {len(missing) - 1} more images")
    if max_objects is None:
        return list(names)
    return [name for name in names if len(scenes[name].codes) <= max_objects]


def objects_content(images: Sequence[Inspection], scenes: Mapping[str, Objects] | None) -> str:
    """Returns the SHA-256 of images and their objects, in order, wherever they lie."""
    if scenes is None:
        return content_digest(images)
    named = {image.name: scenes[image.name] for image in images}
    return content_digest(
        images, {name: (o.codes, o.position, o.rotation_rad) for name, o in named.items()}
    )


def moved_folder(config: ClevrConfig, path: Path, scenes: Path | None) -> ClevrConfig:
    """Returns a config whose images are read from another folder.

    The source will check that they are the same images.

    Args:
        config: of the images.
        path: the folder.
        scenes: the scenes JSON, if the config has one; looked for beside the images by default.

    Raises:
        ValueError: the folder has no images, or their scenes JSON is missing.
        OSError: there is no such folder.
    """
    if config.scenes is None:
        return replace(config, source=str(path))
    place = scenes or find_scenes(image_folder(path))
    if place is None:
        raise ValueError(f"{path}: no scenes JSON beside it; name it by --scenes")
    return replace(config, source=str(path), scenes=str(place))


def moved_records(config: ClevrConfig, path: Path) -> ClevrConfig:
    """Returns a config whose records are read from another file.

    Raises:
        OSError: there is no such file.
    """
    return replace(config, source=str(path), items=digest([path]), content=sha256_of(path))


def inspect(path: Path) -> Inspection:
    """Decodes a whole PNG and verifies its checksums, unless it is of another size than CLEVR's."""
    try:
        with open_image(path, PNG) as image:
            size = image.size
            if size not in (STANDARD, DISTRIBUTED):
                return Inspection(path.name, size, "")
            image.verify()
        read_rgb(path, PNG)
        return Inspection(path.name, size, "", sha256_of(path))
    except (OSError, ValueError) as error:
        return Inspection(path.name, (0, 0), reason(error, path))
