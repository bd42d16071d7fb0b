"""Finished files in other projects' formats, written whole or not at all, and known again.

An export is a file, with metadata beside it in one format, or a folder of shards with a card
(`scenes.formats.shards`).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from scenes.command_line import UsageError
from scenes.file.reader import SceneFile
from scenes.file.seal import SEALED_BY, check_rows, check_seal
from scenes.formats import ExportFormat
from scenes.formats.object_centric_library import (
    columns_of,
    knows_camera,
    metadata_path,
    write_object_centric_library,
)
from scenes.formats.shards.options import ShardOptions
from scenes.formats.shards.writing import write_shards
from scenes.formats.tfrecord_export import layout_of, write_tfrecord
from scenes.progress import counting
from scenes.regular_files import check_regular, open_regular

VERSION = 1
"""Goes up when the same scenes are written otherwise."""
MARK_WITHIN_BYTES = 1 << 20
"""A mark lies at a file's beginning, or in metadata, which have some kilobytes."""


@dataclass(frozen=True)
class Exported:
    """What `export` did."""

    n: int
    """Number of scenes."""
    was_there: bool
    """Whether an earlier command had written the same."""
    remarks: tuple[str, ...] = ()
    """What the other format does not get as it was."""


@dataclass(frozen=True)
class _Form:
    ending: str
    """Of the default name."""
    check: Callable[[SceneFile], object]
    """Refuses, before anything is written, a file that has no such form."""
    write: Callable[[SceneFile, Path, str], None]
    beside: Callable[[Path], Path] | None = None
    """The second file, which is there whenever the first one is; `None` where there is none."""

    def files(self, out: Path) -> list[Path]:
        """Returns what an export consists of."""
        return [out] if self.beside is None else [out, self.beside(out)]


_FORMS: dict[str, _Form] = {
    "tfrecord": _Form(".tfrecords", layout_of, write_tfrecord),
    "object-centric-library": _Form(
        "_ocl.hdf5", columns_of, write_object_centric_library, metadata_path
    ),
}
_SHARDS: dict[str, str] = {"parquet": "_parquet", "webdataset": "_webdataset"}
"""Endings of the default names of folders."""


def default_name(path: Path, form: ExportFormat) -> Path:
    """Returns the name of an export beside its file, of shards that of their folder.

    Without dashes where their loader takes the part before the first one for the dataset's name.

    Raises:
        UsageError: the path is a folder's, such as `.`, beside which nothing can lie.
    """
    if not path.name:
        raise UsageError(f"{path}: a folder, not a file")
    if form in _SHARDS:
        return path.with_name(f"{path.stem}{_SHARDS[form]}")
    ending = _FORMS[form].ending
    stem = path.stem if ending.startswith(".") else path.stem.replace("-", "_")
    return path.with_name(f"{stem}{ending}")


def export(
    path: Path,
    out: Path,
    form: ExportFormat,
    *,
    overwrite: bool = False,
    shards: ShardOptions | None = None,
) -> Exported:
    """Writes a file in another project's format.

    Args:
        path: the file.
        out: where it goes: a file, or the folder of shards, which may hold other splits. What an
            earlier command wrote there of the same scenes is left.
        form: multi_object_datasets' TFRecord, object-centric-library's HDF5 and metadata, or shards
            of Parquet or of tar.
        overwrite: replace what is something else.
        shards: how shards are cut and called.

    Raises:
        FileError: the file has no such form, or rows that are not as they were written.
        UsageError: there is no such format, or something else lies at `out`, or may not.
        CommandError: what writes the format is not installed.
        OSError: it could not be written.
    """
    if form == "parquet" or form == "webdataset":
        written = write_shards(path, out, form, shards or ShardOptions(), overwrite=overwrite)
        return Exported(written.manifest.origin.n, written.was_there, written.remarks)
    if form not in _FORMS:
        raise UsageError(f"--format {form}: there are {', '.join([*_FORMS, *_SHARDS])}")
    if shards not in (None, ShardOptions()):
        raise UsageError(f"--format {form} has no splits or shards; {' and '.join(_SHARDS)} have")
    _check_place(path, out, form)
    with SceneFile(path) as file:
        check_seal(path, file.hdf5)
        _FORMS[form].check(file)
        remarks = tuple(_remarks(file, form))
        sealed = f"{VERSION} {form} {file.attributes[SEALED_BY]}"
        mark = f"scenes export {hashlib.sha256(sealed.encode()).hexdigest()}"
        files = _FORMS[form].files(out)
        there = [each for each in files if os.path.lexists(each)]
        ours = [each for each in there if _has_mark(each, mark)]
        if ours == files:
            return Exported(file.n, was_there=True, remarks=remarks)
        # Without the first file, the second is of a command that was killed between the two.
        if there and not overwrite and (out in there or not ours):
            raise UsageError(f"{there[0]} exists; --overwrite replaces it")
        with counting("checking", file.n) as advance:
            check_rows(path, file.hdf5, file.n, advance)
        _FORMS[form].write(file, out, mark)
        return Exported(file.n, was_there=False, remarks=remarks)


def _check_place(path: Path, out: Path, form: ExportFormat) -> None:
    """Refuses places before any work.

    Raises:
        UsageError: an export cannot lie there.
        ValueError: something other than a file lies there.
    """
    if form == "object-centric-library" and out.stem.startswith("objects_room"):
        raise UsageError(
            f"{out}: under the name objects_room that library changes the labels; choose another"
        )
    if not out.parent.is_dir():
        raise UsageError(f"{out.parent}: no such folder")
    for each in _FORMS[form].files(out):
        if each.exists():
            check_regular(each, each.stat())
            if path.exists() and each.samefile(path):
                raise UsageError(f"{each}: an export cannot replace the file that it is made of")


def _remarks(file: SceneFile, form: ExportFormat) -> Iterator[str]:
    if form == "tfrecord":
        return
    if file.has("factors/position") and not knows_camera(file):
        yield f"{file.path}: pixel_coords are not known: NaN"
    if file.has("mask_conflicts") and (odd := int(file["mask_conflicts"][:].sum())):
        yield f"{file.path}: {odd:,} pixels were not in exactly one mask: each has one label"


def _has_mark(path: Path, mark: str) -> bool:
    if not path.exists():
        return False
    with open_regular(path) as file:
        return mark.encode() in file.read(MARK_WITHIN_BYTES)
