"""Checks that a file is whole, and that its scenes are those which its config and seed make.

The file's digest (`scenes.file.seal`) covers everything that a reader gets, so that one flipped
byte is found. Counts and ranges find values that were wrong as they were written, and making scenes
again finds rows that another program, or another version, wrote.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scenes.command_line import CommandError, UsageError
from scenes.dataset import DatasetConfig
from scenes.file.errors import FileError
from scenes.file.reader import SceneFile
from scenes.file.schema import CHECKSUMS
from scenes.file.seal import SEALED_BY, block_rows, changed_chunks, check_seal, chunks_of
from scenes.identity import identity_of, same_scenes
from scenes.progress import counting
from scenes.remake import RemadeScenes, difference, remake
from scenes.source_list import DATASETS, OpenSource, other_drawing


@dataclass(frozen=True)
class Verification:
    """The result of `verify`."""

    rows: int = 0
    fields: int = 0
    problems: tuple[str, ...] = ()
    """Empty for a sound file."""
    remade: tuple[int, ...] = ()
    """Rows that were made again and compared."""
    other_renderer: str = ""
    """Provenance of the file where its renderer is not this machine's, so that rows are compared
    within bounds; empty where the renderer is the same."""
    not_remade: str = ""
    """Why no row was made again although rows were asked for; empty otherwise."""

    def summary(self, path: Path) -> list[str]:
        """Returns lines that say what was checked of a sound file.

        Args:
            path: of the file, as the user wrote it.
        """
        whole = "checksums, counts, ranges and masks hold"
        lines = [f"{path}: {self.rows:,} scenes of {self.fields} fields: {whole}"]
        numbers = ", ".join(str(number) for number in self.remade)
        if self.not_remade:
            lines.append(f"made none again: {self.not_remade}")
        elif self.other_renderer:
            lines.append(f"made {numbers} again: within the bounds for another renderer")
            lines.append(f"the file's is {self.other_renderer}")
        elif self.remade:
            lines.append(f"made {numbers} again: the same in every byte")
        return lines


def verify(
    path: Path | str,
    *,
    remade: int = 4,
    source: Path | None = None,
    scenes: Path | None = None,
    masks: Path | None = None,
) -> Verification:
    """Checks that a file, or an index of parts, is whole, and is what its config and seed make.

    Example:
        >>> import scenes
        >>> scenes.build(scenes.MultiDSpritesConfig(), n=4, seed=0, out="sprites.h5")
        >>> report = scenes.verify("sprites.h5", remade=2)
        >>> report.problems, report.remade
        ((), (0, 3))

    Args:
        path: the file.
        remade: how many rows to make again, spread over the file.
        source: path of what scenes were read from: pictures, a TFRecord, dSprites' own file, or the
            file of a split. A path that the file itself names is not opened.
        scenes: path of CLEVR's scenes JSON; looked for beside `source` by default.
        masks: the folder of masks, where `source` is a folder of pictures that has one.

    Raises:
        UsageError: the scenes were not read from `source`.
        CommandError: this machine cannot make scenes, or the file could not be read in a minute.
        OSError: the system refuses the file, or `source`.
    """
    path = Path(path)
    try:
        with SceneFile(path) as file:
            keys = file.keys()
            rows, fields, problems = file.n, len(keys), tuple(_problems(file, keys))
            if problems:
                return Verification(rows, fields, problems)
            config, identity, seed = file.recipe, file.identity, file.seed
            numbers = np.linspace(0, rows - 1, min(remade, rows)).astype(int).tolist()
            stored = {i: {key: np.asarray(file[key][i]) for key in keys} for i in numbers}
            categories = {key: file[key].attrs["categories"].tolist() for key in keys}
            provenance = file.provenance
    except FileError as error:
        return Verification(problems=(str(error),))
    except CommandError:  # a slow disk is no damage
        raise
    except Exception as error:  # a damaged file makes HDF5 raise anything: KeyError, RuntimeError…
        if isinstance(error, OSError) and error.errno is not None:
            raise  # an error of the system, not of the file
        return Verification(problems=(f"{path}: cannot be read: {error!r}",))
    if not numbers:
        return Verification(rows, fields)
    if other := other_drawing(config, provenance):
        return Verification(rows, fields, not_remade=other)
    if unopened := _unopened(config, source):
        return Verification(rows, fields, not_remade=unopened)
    if source is not None:
        config = _moved(path, config, source, {"scenes": scenes, "masks": masks})
        if not same_scenes(identity_of(config, seed), identity):
            raise UsageError(f"{source}: not what the scenes of {path} were read from")
    with counting("making scenes again"):
        anew = remake(OpenSource(config, seed), numbers)
    same = provenance == anew.attributes["provenance"]
    return Verification(
        rows,
        fields,
        tuple(_differences(path, stored, anew.with_codes(categories), exact=same)),
        tuple(numbers),
        "" if same else provenance,
    )


def _unopened(config: DatasetConfig, source: Path | None) -> str:
    """Returns why no scene can be made again: they were arrays, or `--source` is missing."""
    if DATASETS[config.dataset].from_arrays:
        return "they were given as arrays"
    places = (getattr(config, place) for place in DATASETS[config.dataset].places)
    place = next((place for place in places if place is not None), None)
    if place is None or source is not None:
        return ""
    return f"{place}, which the file names, is not opened for that; --source PATH is"


def _moved(
    path: Path, config: DatasetConfig, source: Path, others: Mapping[str, Path | None]
) -> DatasetConfig:
    """Returns the config with the paths that the user gives.

    Args:
        path: of the file, for messages.
        config: of its scenes.
        source: the path of what they were read from.
        others: further paths, by the name of their flag.

    Raises:
        UsageError: its scenes were not read from anything of that kind.
    """
    kind = DATASETS[config.dataset]
    if kind.moved is None:
        raise UsageError(f"{path}: its scenes are made from config and seed; leave --source out")
    for name, place in others.items():
        if place is not None and getattr(config, name, None) is None:
            raise UsageError(f"{path}: holds nothing of {name} elsewhere; leave --{name} out")
    other = next((place for place in others.values() if place is not None), None)
    moved: DatasetConfig = kind.moved(config, source, other)
    return moved


def _problems(file: SceneFile, keys: list[str]) -> Iterator[str]:
    where = file.path
    if SEALED_BY not in file.attributes or CHECKSUMS not in file.hdf5:
        name = CHECKSUMS if SEALED_BY in file.attributes else SEALED_BY
        yield f"{where}: {name}: missing; an earlier version wrote this file"
        return
    checksums = file.hdf5[CHECKSUMS][:]
    if len(checksums) != chunks_of(file.n):
        yield f"{where}: {CHECKSUMS}: {len(checksums)} for {chunks_of(file.n)} chunks"
        return
    step = block_rows({key: file[key] for key in keys})
    with counting("verifying", file.n) as advance:
        for start in range(0, file.n, step):
            block = slice(start, min(start + step, file.n))
            yield from _block_problems(file, keys, block, checksums)
            advance(block.stop - start)
    # Last, because it is the least precise about where the damage is.
    try:
        check_seal(where, file.hdf5)
    except FileError as error:
        yield str(error)


def _block_problems(
    file: SceneFile, keys: list[str], block: slice, checksums: np.ndarray
) -> Iterator[str]:
    rows = {}
    for key in keys:
        try:
            rows[key] = np.asarray(file[key][block])
        except FileError as error:
            between = f"rows {block.start} to {block.stop - 1}"
            yield f"{file.path}: {key}: {between} cannot be read: {error.__cause__}"
            return
    for changed in changed_chunks(rows, block.start, checksums):
        yield f"{file.path}: rows {changed[0]} to {changed[-1]} are not as written"
    for key, wrong, rule in _ranges(file, rows):
        for row in np.flatnonzero(wrong.reshape(len(wrong), -1).any(axis=1))[:1]:
            yield f"{file.path}: {key}: row {block.start + row}: {rule}"


def _ranges(file: SceneFile, rows: dict[str, np.ndarray]) -> Iterator[tuple[str, np.ndarray, str]]:
    """Yields, for each rule, the key, where it is broken (rows first), and the rule."""
    for key, values in rows.items():
        names = file[key].attrs["categories"]
        if len(names):
            yield key, values >= len(names), f"a code without a name, of {len(names)}"
        if values.dtype.kind == "f":
            wrong = np.isnan(values) if key == "depth" else ~np.isfinite(values)
            yield key, wrong, "not a finite number"
        if key.endswith(("_rgb", "_hsv")):
            yield key, (values < 0) | (values > 1), "a colour outside [0, 1]"
    if "depth" in rows:
        yield "depth", rows["depth"] <= 0, "not before the camera"
    count = rows.get("num_objects")
    if count is not None and "factors/present" in rows:
        present = rows["factors/present"].sum(axis=1)
        yield "factors/present", present != count, "not as many as num_objects"
    if "segmentation" in rows:
        yield from _mask_ranges(file, rows)


def _mask_ranges(
    file: SceneFile, rows: dict[str, np.ndarray]
) -> Iterator[tuple[str, np.ndarray, str]]:
    labels, entities, first = rows["segmentation"], len(file.entities), file.num_background
    yield "segmentation", labels >= entities, f"a pixel in none of the {entities} masks"
    counts = (
        np.stack([(labels == e).sum(axis=(1, 2)) for e in range(first, entities)], axis=1)
        if entities > first
        else np.zeros((len(labels), 0), dtype=int)
    )
    if "factors/visible_pixels" in rows:
        wrong = rows["factors/visible_pixels"] != counts
        yield "factors/visible_pixels", wrong, "not the segmentation's count"
    if "num_visible" in rows:
        wrong = rows["num_visible"] != (counts > 0).sum(axis=1)
        yield "num_visible", wrong, "not the number of objects in the segmentation"
    if "amodal" in rows:
        objects = np.arange(first, entities)[:, None, None]
        hidden = (labels[:, None] == objects) & ~rows["amodal"]
        yield "amodal", hidden, "an object is seen outside its full extent"


def _differences(
    path: Path, stored: dict[int, dict[str, np.ndarray]], anew: RemadeScenes, *, exact: bool
) -> Iterator[str]:
    for number, row in stored.items():
        if row.keys() != anew.fields.keys():
            odd = ", ".join(sorted(row.keys() ^ anew.fields.keys()))
            yield f"{path}: {odd}: either only in the file or only in what its config makes"
            return
        for key, values in row.items():
            apart = difference(key, anew.rows[number][key], values, exact=exact)
            if apart:
                yield f"{path}: {key}: row {number} is not what its config and seed make: {apart}"
