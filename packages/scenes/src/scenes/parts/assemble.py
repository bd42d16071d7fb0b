"""The last step of a build: one file of all parts, or an index of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from scenes.command_line import CommandError
from scenes.file.errors import FileError
from scenes.file.schema import CHECKSUMS, PARTS, dataset_keys
from scenes.file.seal import check_rows, check_seal, seal
from scenes.file.structure import check_structure
from scenes.file.writer import (
    LIBVER,
    append_chunks,
    describe,
    describe_field,
    field_of,
    lay_out,
)
from scenes.hdf5_output import hdf5_output
from scenes.identity import identity_of_json, same_scenes
from scenes.parts.plan import MADE_AGAIN, Part, reading_part


@dataclass(frozen=True)
class Origin:
    """A file, and how many of its first rows go into the joined file."""

    path: Path
    rows: int


def join(origins: list[Origin], target: Path, advance: Callable[[int], None]) -> None:
    """Copies the compressed rows of several files, in order, into a new one.

    Args:
        origins: in order; all but the last give a multiple of `CHUNK_ROWS` rows.
        target: the file to write.
        advance: is called with the number of rows each time some were copied.

    Raises:
        CommandError: an origin is damaged, not as it was written, or of another renderer or build
            than the others.
        OSError: the target could not be written.
    """
    with reading_part(origins[0].path) as first:
        attributes = dict(first.attrs)
        fields = {key: field_of(first[key]) for key in dataset_keys(first)}
    with hdf5_output(target, libver=LIBVER) as output:
        file = output.file
        lay_out(file, attributes, fields)
        datasets = {key: file[key] for key in (*fields, CHECKSUMS)}
        for origin in origins:
            with reading_part(origin.path) as rows:
                _check_kin(origin.path, rows, attributes)
                append_chunks(datasets, rows, origin.rows)
            output.check()
            advance(origin.rows)
        seal(file, fields)


def index(parts: list[Part], folder: Path, target: Path) -> None:
    """Writes an index: virtual datasets of all parts, and their checksums.

    The parts' paths are relative, so that the file may move with its folder.

    Args:
        parts: in order, without gaps.
        folder: the folder that they lie in.
        target: the file to write.

    Raises:
        CommandError: as from `join`.
    """
    checksums = []
    with reading_part(parts[0].path(folder)) as first:
        attributes = dict(first.attrs)
        fields = {key: field_of(first[key]) for key in dataset_keys(first)}
    for part in parts:
        with reading_part(part.path(folder)) as rows:
            _check_kin(part.path(folder), rows, attributes)
            checksums.append(rows[CHECKSUMS][:])
    n = parts[-1].stop
    with hdf5_output(target, libver=LIBVER) as output:
        file = output.file
        describe(file, attributes)
        for key, field in fields.items():
            if 0 in field.shape:  # without elements, which HDF5 cannot map
                dataset = file.create_dataset(key, shape=(n, *field.shape), dtype=field.dtype)
            else:
                layout = h5py.VirtualLayout((n, *field.shape), field.dtype)
                for part in parts:
                    layout[part.start : part.stop] = h5py.VirtualSource(
                        f"{folder.name}/{part.name}", key, (part.rows, *field.shape), field.dtype
                    )
                dataset = file.create_virtual_dataset(key, layout)
            describe_field(dataset, field)
        file[CHECKSUMS] = np.concatenate(checksums)
        file[PARTS] = np.array([(part.start, part.stop) for part in parts], dtype=np.uint64)
        file[PARTS].attrs["meaning"] = "first row of each part, and the row after its last"
        seal(file, fields)


def check_parts(parts: list[Part], folder: Path, advance: Callable[[int], None]) -> None:
    """Refuses parts of an earlier command that are not as it wrote them.

    Args:
        parts: the finished parts.
        folder: the folder that they lie in.
        advance: is called with the number of rows each time some were checked.

    Raises:
        CommandError: a part is damaged.
    """
    for part in parts:
        path = part.path(folder)
        try:
            check_structure(path)
            with reading_part(path) as file:
                check_seal(path, file)
                check_rows(path, file, part.rows, advance)
        except FileError as error:
            raise CommandError(f"{path}: damaged; {MADE_AGAIN} ({error.reason(path)})") from error


def _check_kin(path: Path, file: h5py.File, first: dict[str, Any]) -> None:
    """Refuses a file that changed since it was written, or is of another renderer or build.

    Args:
        path: of the file.
        file: the file, open.
        first: root attributes of the first file, which all others must match.

    Raises:
        CommandError: the file cannot be joined with the first.
    """
    try:
        check_seal(path, file)
    except FileError as error:
        raise CommandError(f"{path}: damaged; {MADE_AGAIN} ({error.reason(path)})") from error
    if file.attrs["provenance"] != first["provenance"]:
        raise CommandError(
            f"{path} was rendered by {file.attrs['provenance']}, others by "
            f"{first['provenance']}; {MADE_AGAIN}"
        )
    if not same_scenes(_identity(file.attrs), _identity(first)):
        raise CommandError(f"{path} holds scenes of another build than the others; {MADE_AGAIN}")


def _identity(attributes: Mapping[str, Any]) -> str:
    names = ("dataset", "config", "seed", "provenance")
    dataset, config, seed, provenance = (attributes[name] for name in names)
    return identity_of_json(dataset, config, int(seed), provenance)
