"""Other projects' files as one file of scenes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from glob import has_magic
from pathlib import Path

import numpy as np

from scenes.command_line import CommandError, UsageError
from scenes.driver import build
from scenes.file.reader import SceneFile
from scenes.file.schema import MOST_ENTITIES
from scenes.fit import Fit, check_fit
from scenes.formats.config import ImportedConfig
from scenes.formats.input_files import content_of, find_shards
from scenes.formats.multi_object_datasets import LAYOUTS
from scenes.formats.readers.array_reader import FloatRange
from scenes.formats.records import Contents, Reader, RecordError
from scenes.formats.room_labels import objects_among_walls
from scenes.progress import counting
from scenes.survey import Survey

ROOM = LAYOUTS["objects_room"]


@dataclass(frozen=True)
class Imported:
    """What `import_files` did."""

    n: int
    """Number of scenes."""
    layout: str
    """Which of multi_object_datasets' datasets it is, or which other format."""
    remarks: tuple[str, ...] = ()
    """What is odd about the files, and how it was read."""
    broken: str = ""
    """Why the record after the last one cannot be read; empty where there is none."""


def default_name(sources: Sequence[Path]) -> Path:
    """Returns where scenes of some files go: named as the file, or the folder of several."""
    first = sources[0]
    if len(sources) == 1 and not has_magic(first.name):
        name = first.resolve().name if first.is_dir() else first.stem
    else:
        name = first.resolve().parent.name
    return Path("data/imported") / f"{name}.h5"


def import_files(
    sources: Sequence[Path],
    out: Path,
    *,
    size: int | None = None,
    fit: Fit | None = None,
    float_range: FloatRange | None = None,
    overwrite: bool = False,
) -> Imported:
    """Writes the scenes of other projects' files as one file of scenes.

    Args:
        sources: files, patterns and folders of shards, all of one format and layout.
        out: the file of scenes.
        size: makes the images squares of so many pixels.
        fit: how an image that is no square becomes one; `crop` by default.
        float_range: what is black and what is white in images of floats.
        overwrite: replace a file that holds something else.

    Returns:
        What was read: the records before a broken one are kept.

    Raises:
        CommandError: not one record can be read.
        UsageError: `out` holds something else, or the files are not of one kind.
    """
    records = survey(sources, size=size, fit=fit, float_range=float_range)
    count, broken = records.n, records.broken
    try:
        build(records.config, n=count, seed=0, out=out, workers=1, overwrite=overwrite)
    except RecordError as error:  # told well, but not to be decoded
        count, broken = error.number, str(error)
        if count == 0:
            raise CommandError(broken) from error
        build(records.config, n=count, seed=0, out=out, workers=1, overwrite=overwrite)
    remarks = (*records.remarks, *_remarks(records.config, out))
    return Imported(count, records.config.layout, remarks, broken)


def survey(
    sources: Sequence[Path],
    *,
    size: int | None = None,
    fit: Fit | None = None,
    float_range: FloatRange | None = None,
) -> Survey[ImportedConfig]:
    """Looks through other projects' files, as far as that needs no record decoded whole.

    Args:
        sources: as for `import_files`.
        size: likewise.
        fit: likewise.
        float_range: likewise.

    Raises:
        CommandError: the first record cannot be read.
        UsageError: the files are not of one kind, or size and fit do not go together.
    """
    if size is None and fit is not None:
        raise UsageError(f"--fit {fit} needs --size, the side of the square in pixels")
    if size is not None:
        check_fit(size, fit or "crop")
    try:
        shards = find_shards(sources)
        readers = [shards.form.open(path, float_range) for path in shards.paths]
    except RecordError as error:
        raise CommandError(str(error)) from error
    _check_alike(readers)
    contents = readers[0].contents
    counts, entities, broken = _counted(readers)
    if not sum(counts):
        raise CommandError(broken)
    many = len(readers) > 1 or contents.layout not in LAYOUTS
    config = ImportedConfig(
        file=str(shards.paths[0]),
        items=content_of(shards.paths),
        layout=contents.layout,
        num_entities=entities,
        size=size or max(contents.sides),
        more=tuple(str(path) for path in shards.paths[1:]),
        counts=tuple(counts) if many else (),
        fit=None if size is None else fit or "crop",
        float_range=float_range,
    )
    remarks = [f"left out: {reason}" for reason in shards.left_out]
    for reader in readers:
        remarks += [f"{reader.path}: {remark}" for remark in reader.contents.remarks]
    if contents.unread:
        names = ", ".join(contents.unread)
        remarks.append(f"{shards.paths[0]}: no field for, and so not kept: {names}")
    return Survey(config, sum(counts), broken, tuple(remarks))


def _check_alike(readers: Sequence[Reader]) -> None:
    """Refuses files that are of one format, but do not hold the same.

    Raises:
        UsageError: one does not.
    """
    first = readers[0]
    for reader in readers[1:]:
        apart = _difference(reader.contents, first.contents)
        if apart:
            raise UsageError(f"{reader.path}: not as {first.path}: {apart}; import each by itself")


def _difference(one: Contents, other: Contents) -> str:
    """Returns in words what two files do not have in common."""
    if one.layout != other.layout:
        return f"{one.layout}, not {other.layout}"
    if one.masked != other.masked:
        return "it has masks" if one.masked else "it has no masks"
    if one.background != other.background:
        return f"{len(one.background)} entities of the background, not {len(other.background)}"
    if one.fields != other.fields:
        keys = one.fields.keys() ^ other.fields.keys()
        return f"other fields: {', '.join(sorted(keys)) or 'of other shapes or types'}"
    return ""


def _counted(readers: Sequence[Reader]) -> tuple[list[int], int, str]:
    """Returns counts of each file's records, the most entities of one, and what ends them."""
    counts, most, broken = [0] * len(readers), 0, ""
    with counting("counting records") as advance:
        for place, reader in enumerate(readers):
            try:
                for entities in reader.entities():
                    _check_entities(reader, counts[place], entities)
                    counts[place] += 1
                    most = max(most, entities)
                    advance(1)
            except RecordError as error:
                return counts, most, str(error)
    return counts, most, broken


def _check_entities(reader: Reader, number: int, entities: int) -> None:
    if entities > MOST_ENTITIES:
        raise RecordError(
            f"{reader.path}: record {number}: {entities} entities, background included; at most "
            f"{MOST_ENTITIES} are read"
        )


def _remarks(config: ImportedConfig, out: Path) -> Iterator[str]:
    with SceneFile(out) as file:
        if not file.has("mask_conflicts"):
            return
        pixels = file["mask_conflicts"][:]
        is_room = file.entities[: len(ROOM.background)] == ROOM.background
        rooms = objects_among_walls(file) if is_room else 0
    name = config.file if not config.more else f"{config.file} and {len(config.more)} more"
    if pixels.any():
        yield (
            f"{name}: {pixels.sum():,} pixels of {np.count_nonzero(pixels):,} scenes are not in "
            "exactly one mask: they get the first of those that hold most (mask_conflicts)"
        )
    if rooms:
        yield (
            f"{name}: in {rooms:,} of {len(pixels):,} scenes mask 3 is an object, not a second "
            "wall, by the rule in docs/formats.md: it counts as background"
        )
