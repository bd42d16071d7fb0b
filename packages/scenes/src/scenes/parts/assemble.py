"""The last step of a build: one file of all parts, or an index of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from scenes.command_line import CommandError
from scenes.file.schema import CHECKSUMS, PARTS, dataset_keys
from scenes.file.writer import append_chunks, create, describe, describe_field, field_of, seal
from scenes.parts.plan import Part, reading_part


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
        CommandError: an origin is damaged, or of another renderer than the others.
        OSError: the target could not be written.
    """
    with reading_part(origins[0].path) as first:
        attributes = dict(first.attrs)
        fields = {key: field_of(first[key]) for key in dataset_keys(first)}
    with create(target, attributes, fields) as file:
        datasets = {key: file[key] for key in (*fields, CHECKSUMS)}
        for origin in origins:
            with reading_part(origin.path) as rows:
                _check_renderer(origin.path, rows, attributes)
                append_chunks(datasets, rows, origin.rows)
            advance(origin.rows)
        seal(file, fields)


def index(parts: list[Part], folder: Path, target: Path) -> None:
    """Writes an index: virtual datasets of all parts, and their checksums.

    The parts' paths are relative, so that the file may move with its folder.

    Args:
        parts: in order, without gaps.
        folder: where they lie.
        target: the file to write.

    Raises:
        CommandError: a part is damaged, or of another renderer than the others.
    """
    checksums = []
    with reading_part(parts[0].path(folder)) as first:
        attributes = dict(first.attrs)
        fields = {key: field_of(first[key]) for key in dataset_keys(first)}
    for part in parts:
        with reading_part(part.path(folder)) as rows:
            _check_renderer(part.path(folder), rows, attributes)
            checksums.append(rows[CHECKSUMS][:])
    n = parts[-1].stop
    with h5py.File(target, "w", libver="v110") as file:
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


def _check_renderer(path: Path, file: h5py.File, attributes: dict[str, Any]) -> None:
    if file.attrs["provenance"] != attributes["provenance"]:
        raise CommandError(
            f"{path} was rendered by {file.attrs['provenance']}, others by "
            f"{attributes['provenance']}; delete it and run the same command again"
        )
