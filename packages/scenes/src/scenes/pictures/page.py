"""Writes a page to leaf through scenes, with masks and factors on hover, without a network."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from scenes.atomic import write_whole
from scenes.file.reader import SceneFile
from scenes.pictures.palette import colorize_depth, entity_palette
from scenes.pictures.sheet import check_shown
from scenes.pictures.web_page import render_page
from scenes.progress import counting


def scene_page(
    file: SceneFile, out: Path, *, n: int = 240, masks: bool = False, depth: bool = False
) -> None:
    """Writes the first scenes of a file as one HTML page.

    Args:
        file: the file.
        out: path of the page.
        n: number of scenes.
        masks: begin with segmentations.
        depth: begin with depths.

    Raises:
        UsageError: the file has no segmentation, or no depth.
        FileError: it has entities without a name.
    """
    check_shown(file, masks=masks, depth=depth)
    n = min(n, file.n)
    keys = [key for key in file.keys() if key != "amodal"]  # noqa: SIM118
    fields = {key: np.asarray(file[key][:n]) for key in keys}
    depths = colorize_depth(fields["depth"]) if "depth" in fields else None
    first = file.num_background
    if "segmentation" in fields:
        fields["segmentation"] = file.segmentation(slice(0, n))
    scenes = []
    with counting("drawing", n) as advance:
        for row in range(n):
            scene: dict[str, Any] = {"image": _png(fields["image"][row])}
            if "segmentation" in fields:
                scene["runs"] = _runs(fields["segmentation"][row])
            if depths is not None:
                scene["depth"] = _png(depths[row])
            scene["values"] = _values(file, fields, row)
            scene["objects"] = [
                _factors(file, fields, row, index) for index in range(len(file.entities) - first)
            ]
            scenes.append(scene)
            advance(1)
    _, height, width, _ = fields["image"].shape
    data = {
        "entities": file.entities,
        "background": first,
        "palette": entity_palette(file.entities, first).tolist(),
        "width": width,
        "height": height,
        "show": "masks" if masks else "depth" if depth else "images",
        "scenes": scenes,
    }
    page = render_page(
        "scenes/pictures/page.html",
        title=f"{file.path.name}: the first {n:,} of {file.n:,} scenes",
        styles=("scenes/pictures/page.css",),
        scripts=("scenes/pictures/page.js",),
        data=data,
        words={"about": f"{file.dataset}, seed {file.seed}, {file.attributes['config']}"},
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    write_whole(out, page.encode(errors="backslashreplace"))


def _png(image: UInt8[np.ndarray, "H W 3"]) -> str:
    content = io.BytesIO()
    Image.fromarray(image).save(content, "PNG")
    return "data:image/png;base64," + base64.b64encode(content.getvalue()).decode()


def _runs(segmentation: UInt8[np.ndarray, "H W"]) -> list[int]:
    """Returns a segmentation as runs: entity and number of pixels in turn, row by row."""
    labels = segmentation.ravel()
    starts = np.flatnonzero(np.diff(labels, prepend=-1))
    lengths = np.diff(starts, append=len(labels))
    return np.stack([labels[starts], lengths], axis=1).ravel().tolist()


def _factors(
    file: SceneFile, fields: dict[str, np.ndarray], row: int, index: int
) -> list[tuple[str, str, str]]:
    """Returns name, value and CSS colour of an object's factors; nothing for an unused row."""
    present = fields.get("factors/present")
    if present is not None and not present[row, index]:
        return []
    names = [key for key in fields if key.startswith("factors/") and key != "factors/present"]
    return [_entry(file, key, fields[key][row, index]) for key in names]


def _values(file: SceneFile, fields: dict[str, np.ndarray], row: int) -> list[tuple[str, str, str]]:
    pictures = ("image", "segmentation", "depth")
    names = [key for key in fields if key not in pictures and not key.startswith("factors/")]
    return [_entry(file, key, fields[key][row]) for key in names]


def _entry(file: SceneFile, key: str, value: np.ndarray | np.generic) -> tuple[str, str, str]:
    attributes = file[key].attrs
    categories, unit = attributes["categories"], attributes["unit"]
    numbers = np.atleast_1d(value)
    code = numbers.ravel()[0] if len(categories) and numbers.size == 1 else -1
    if 0 <= code < len(categories):
        text = str(categories[int(code)])
    else:
        style = "{:.3g}" if numbers.dtype.kind == "f" else "{}"
        text = ", ".join(style.format(number) for number in numbers.ravel().tolist())
    color = ""
    if key.endswith("_rgb") and numbers.shape == (3,) and np.isfinite(numbers).all():
        color = "rgb({} {} {})".format(*np.rint(255 * numbers).astype(int))
    return key.removeprefix("factors/"), f"{text} {unit}".strip(), color
