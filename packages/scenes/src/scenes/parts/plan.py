"""Parts of a build: files of some rows each, written whole or not at all."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import h5py

from scenes.atomic import whole_or_not, write_whole
from scenes.command_line import CommandError
from scenes.file.errors import refusal_of_system
from scenes.file.part_rows import open_part
from scenes.file.schema import CHUNK_ROWS, part_name
from scenes.file.seal import seal
from scenes.file.writer import LIBVER, append_rows, blank, build_attributes
from scenes.parts.heartbeat import Beat, no_beat
from scenes.scene import Field, Source

PART_BYTES = 8 << 20
MAX_PART_ROWS = 512
MOST_PARTS = 2_000_000
"""Most parts of a build: their list takes 200 MB, and a billion rows of 64 x 64 some 6 TB."""
CATEGORIES = "categories.json"
"""File in a folder of parts with the names of codes, which all its parts share."""

MADE_AGAIN = "delete it and run the same command again"
"""Advice about a part that cannot be used."""

Opener = Callable[[], Source]
"""Opens the source of a build; it is sent to the workers."""


@dataclass(frozen=True)
class Part:
    """Rows `start` to `stop` of a build, in a file of their own."""

    start: int
    stop: int

    @property
    def rows(self) -> int:
        """Number of rows."""
        return self.stop - self.start

    @property
    def name(self) -> str:
        """Name of its file."""
        return part_name(self.start, self.stop)

    def path(self, folder: Path) -> Path:
        """Returns where the finished part lies."""
        return folder / self.name


def plan(size: int, start: int, n: int) -> list[Part]:
    """Cuts rows `start` to `n` into parts of whole chunks, whatever the number of workers.

    Args:
        size: side of the images in pixels; larger ones make for fewer rows.
        start: a multiple of `CHUNK_ROWS`.
        n: rows of the whole build.
    """
    rows = _part_rows(size)
    return [Part(first, min(first + rows, n)) for first in range(start, n, rows)]


def most_rows(size: int) -> int:
    """Returns how many rows a build may have at most, by the side of its images in pixels."""
    return MOST_PARTS * _part_rows(size)


def _part_rows(size: int) -> int:
    return max(1, min(MAX_PART_ROWS, PART_BYTES // (4 * size**2)) // CHUNK_ROWS) * CHUNK_ROWS


class PartWriter:
    """Makes parts; making one twice, even at the same time, changes nothing.

    Args:
        opener: opens the source.
        folder: where the parts go.
        beat: is called for each block of rows and each attempt at a scene.

    Raises:
        CommandError: the folder's parts are of another renderer, or give codes other names.
    """

    def __init__(self, opener: Opener, folder: Path, beat: Beat = no_beat) -> None:
        self.source = opener()
        self.source.beat = beat
        self._folder = folder
        attributes = build_attributes(self.source)
        claim_renderer(folder, str(attributes["provenance"]))
        claim_categories(folder, self.source.fields)
        self._blank = blank(attributes, self.source.fields)

    def write(self, part: Part) -> None:
        """Makes a part.

        Raises:
            OSError: it could not be written.
        """
        # In memory: on a full disk one plain write fails, rather than the HDF5 library midway.
        content = io.BytesIO(self._blank)
        with h5py.File(content, "r+", libver=LIBVER) as file:
            append_rows(file, self.source.rows(range(part.start, part.stop)))
            seal(file, self.source.fields)
        with whole_or_not(part.path(self._folder), self._folder) as temporary:
            temporary.write_bytes(content.getbuffer())


@contextmanager
def reading_part(path: Path) -> Iterator[h5py.File]:
    """Opens a finished part.

    Raises:
        CommandError: it cannot be read.
        OSError: the system refuses it.
    """
    try:
        file = open_part(path)
    except OSError as error:
        if error.errno is not None:  # the system's word, not HDF5's
            raise refusal_of_system(error.errno, path) from error
        raise CommandError(f"{path}: damaged; {MADE_AGAIN}") from error
    with file:
        yield file


def claim_renderer(folder: Path, provenance: str) -> None:
    """Marks a folder of parts as one renderer's, for other machines that write into it too.

    Raises:
        CommandError: the folder is another renderer's.
    """
    own = folder / f"renderer-{hashlib.sha256(provenance.encode()).hexdigest()[:16]}.json"
    for _ in range(2):  # before and after marking: of two at once, at least one sees the other
        for other in set(folder.glob("renderer-*.json")) - {own}:
            raise CommandError(
                f"{folder}: begun by {other.read_text()}, here it would be {provenance}; go on "
                "with the former, or delete that folder and begin again with --overwrite"
            )
        own.write_text(provenance)


def claim_categories(folder: Path, fields: Mapping[str, Field]) -> None:
    """Marks a folder of parts with the names of their codes, which all its parts share.

    Raises:
        CommandError: the folder's codes have other names, from another version of this package, or
            a part is damaged.
    """
    ours = {key: list(field.categories) for key, field in fields.items() if field.categories}
    mark = folder / CATEGORIES
    if mark.exists():
        begun = json.loads(mark.read_text())
    elif part := next(folder.glob("*-*.h5"), None):  # an earlier version wrote no such mark
        with reading_part(part) as file:
            begun = {key: file[key].attrs["categories"].tolist() for key in ours if key in file}
    else:
        begun = ours
    for key, names in ours.items():
        if key in begun and begun[key] != names:
            raise CommandError(
                f"{folder}: {key}: begun with the codes {', '.join(begun[key])}, here they would "
                f"be {', '.join(names)}; go on with the version of this package that began it, or "
                "delete that folder and begin again with --overwrite"
            )
    write_whole(mark, json.dumps(begun).encode())
