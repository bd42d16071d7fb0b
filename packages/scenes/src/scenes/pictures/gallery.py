"""Shows a file to people, as a contact sheet or as a page."""

from __future__ import annotations

from pathlib import Path

from scenes.command_line import UsageError
from scenes.file.errors import FileError
from scenes.file.reader import SceneFile
from scenes.pictures.page import scene_page
from scenes.pictures.sheet import contact_sheet

MOST_SCENES = 10_000
"""Most scenes of a picture or a page, because it is made in memory."""


def show(
    path: Path,
    out: Path | None = None,
    *,
    page: bool = False,
    n: int | None = None,
    masks: bool = False,
    depth: bool = False,
) -> Path:
    """Writes the first scenes of a file as a picture, or as a page to leaf through.

    Args:
        path: the file.
        out: a PNG, or an HTML page; beside the file by default.
        page: write a page rather than a contact sheet.
        n: number of scenes; 32 on a sheet and 240 on a page by default.
        masks: put each scene's segmentation beside it; a page begins with segmentations.
        depth: put each scene's depths beside it; a page begins with depths.

    Returns:
        The path of the picture or the page.

    Raises:
        UsageError: `n` is out of range, `out` has a wrong ending, or the file has no segmentations
            or depths to show.
        FileError: the file cannot be read, or has no scenes.
    """
    if n is not None and not 1 <= n <= MOST_SCENES:
        limit = "at least 1" if n < 1 else f"at most {MOST_SCENES:,}"
        raise UsageError(f"--n must be {limit}, got {n}")
    if not path.name:
        raise UsageError(f"{path}: a folder, not a file")
    suffix = ".html" if page else ".png"
    out = out or path.with_suffix(suffix)
    if out.suffix.lower() != suffix:
        kind = "a page (--html)" if page else "a contact sheet"
        raise UsageError(f"{out}: {kind} must have a name that ends in {suffix}")
    with SceneFile(path) as file:
        if not file.n:
            raise FileError(f"{path}: has no scenes")
        if page:
            scene_page(file, out, n=n or 240, masks=masks, depth=depth)
        else:
            contact_sheet(file, out, n=n or 32, masks=masks, depth=depth)
    return out
