"""`scenes show`: a contact sheet, or a page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from scenes.commands.one_file import OneFile, only


@dataclass(frozen=True)
class Show:
    """Write a contact sheet of a file, or a page to leaf through its scenes."""

    file: OneFile
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

    def run(self) -> None:
        """Writes the picture or the page."""
        from scenes.pictures.gallery import show

        file = only(self.file, "scenes show")
        print(show(file, self.out, page=self.html, n=self.n, masks=self.masks, depth=self.depth))
