"""Decides whether a build may go on from the file or the parts that an earlier one left."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from scenes.atomic import clear_unfinished, write_whole
from scenes.command_line import CommandError, UsageError
from scenes.dataset import DatasetConfig
from scenes.file.errors import FileError
from scenes.file.reader import SceneFile
from scenes.file.schema import CHUNK_ROWS, dataset_keys, part_stop
from scenes.file.seal import check_rows, check_seal
from scenes.file.writer import field_of
from scenes.identity import identity_of, same_scenes
from scenes.lock import LOCK
from scenes.parts.plan import CATEGORIES, claim_categories, claim_renderer
from scenes.scene import Field
from scenes.source_list import other_drawing

Layout = Literal["file", "parts"]
"""One file, or an index of parts that stay beside it."""
WAYS_OUT = "--overwrite makes all scenes anew, another --out leaves these as they are"


def no_advance(_rows: int) -> None:
    """Ignores the number of rows: for callers that show no bar."""


@dataclass(frozen=True)
class Existing:
    """The rows that a build finds in a finished file."""

    rows: int = 0
    is_index: bool = False
    provenance: str | None = None
    fields: Mapping[str, Field] = field(default_factory=dict)

    def is_all(self, n: int, layout: Layout) -> bool:
        """Whether the file has all rows already, in the right layout."""
        return self.rows == n and self.is_index == (layout == "parts")

    @property
    def whole_chunks(self) -> int:
        """Rows to copy from the file, in whole chunks; none from an index, whose parts stay."""
        return 0 if self.is_index else self.rows - self.rows % CHUNK_ROWS


def existing_rows(
    config: DatasetConfig, seed: int, n: int, out: Path, layout: Layout, *, overwrite: bool
) -> Existing:
    """Returns the rows that a build finds in the file at `out`.

    Args:
        config: of the build.
        seed: of the build.
        n: rows of the build.
        out: the file, if there is one.
        layout: of the build.
        overwrite: whether the file is to be replaced, so that its rows do not count.

    Raises:
        UsageError: the file is another dataset's, is not as it was written, has more rows, another
            layout, or fewer rows and another drawing.
    """
    if overwrite or not out.exists():
        return Existing()
    try:
        with SceneFile(out) as file:
            if not file.is_of(identity_of(config, seed)):
                raise UsageError(f"{out} exists and is something else; --overwrite replaces it")
            fields = {key: field_of(file.hdf5[key]) for key in dataset_keys(file.hdf5)}
            existing = Existing(file.n, file.is_index, file.provenance, fields)
    except FileError as error:
        raise UsageError(
            f"{out} exists and is something else; --overwrite replaces it ({error.reason(out)})"
        ) from error
    if existing.rows < n:
        check_kept(out, 0)
    if existing.rows > n:
        raise UsageError(
            f"{out} has {existing.rows} scenes already, more than {n}; --overwrite replaces it"
        )
    other = other_drawing(config, existing.provenance or "{}")
    if other and existing.rows < n:
        raise UsageError(f"{out}: {other}; {WAYS_OUT}")
    if layout == "parts" and not existing.is_index:
        raise UsageError(f"{out} is one file; --overwrite makes parts anew in its place")
    return existing


def check_kept(out: Path, rows: int, advance: Callable[[int], None] = no_advance) -> None:
    """Refuses a finished file whose attributes, or first rows, are not as written.

    Args:
        out: the file, which is to be extended.
        rows: how many rows are to be kept.
        advance: is called with the number of rows each time some were checked.

    Raises:
        CommandError: the file changed since it was written.
    """
    try:
        with SceneFile(out) as file:
            check_seal(out, file.hdf5)
            check_rows(out, file.hdf5, rows, advance)
    except FileError as error:
        raise CommandError(f"{error}; it is not built on, --overwrite replaces it") from error


def is_left_over(folder: Path, config: DatasetConfig, seed: int, n: int) -> bool:
    """Whether a folder's parts are all in the finished file of `n` rows, and so may be deleted.

    Parts that go beyond `n` belong to an extension that was interrupted, and are kept.
    """
    label = folder / "build.json"
    own = not label.exists() or same_scenes(_read_label(label), identity_of(config, seed))
    return own and all(part_stop(path.name) <= n for path in folder.glob("*.h5"))


def claim(
    folder: Path,
    config: DatasetConfig,
    seed: int,
    out: Path,
    existing: Existing,
    *,
    overwrite: bool,
) -> None:
    """Marks the folder of parts as this build's, and clears what a killed build left there.

    Args:
        folder: of the parts.
        config: of the build.
        seed: of the build.
        out: the build's file.
        existing: the rows of that file.
        overwrite: whether parts of another build, and an index of them, may be deleted.

    Raises:
        UsageError: the folder holds parts of another build, or of another drawing.
        CommandError: the folder's parts, or the file's rows, are of another renderer.
    """
    label = folder / "build.json"
    identity = identity_of(config, seed)
    if overwrite and _is_index(out):
        out.unlink()  # first, so that no index is left without its parts
        _empty(folder)
    elif label.exists() and not same_scenes(_read_label(label), identity):
        if not overwrite:
            raise UsageError(f"{folder} holds parts of another build; --overwrite replaces them")
        _empty(folder)
    elif other := _other_drawing(folder, config):
        if not overwrite:
            raise UsageError(f"{folder}: {other}; {WAYS_OUT}")
        _empty(folder)
    clear_unfinished(folder)
    if not any(folder.glob("*.h5")):  # no part yet: any renderer, or version, may begin
        for mark in (*folder.glob("renderer-*.json"), folder / CATEGORIES):
            mark.unlink(missing_ok=True)
    write_whole(label, f"{identity}\n".encode())
    if existing.provenance is not None:
        claim_renderer(folder, existing.provenance)
        claim_categories(folder, existing.fields)


def _other_drawing(folder: Path, config: DatasetConfig) -> str:
    """Returns in words how a folder's parts were drawn; empty where as they would be now."""
    if not any(folder.glob("*.h5")):
        return ""
    marks = (_read_label(mark) for mark in sorted(folder.glob("renderer-*.json")))
    return next((other for mark in marks if (other := other_drawing(config, mark))), "")


def _read_label(label: Path) -> str:
    return label.read_text(errors="replace").strip()


def _is_index(out: Path) -> bool:
    try:
        with SceneFile(out) as file:
            return file.is_index
    except FileError:
        return False


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.name != LOCK:
            path.unlink()
