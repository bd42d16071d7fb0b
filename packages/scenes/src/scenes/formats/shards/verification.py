"""Whether a folder of shards is as it was written, and holds what its files hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scenes.command_line import UsageError, in_words
from scenes.dataset import sha256_of
from scenes.file.checked_rows import CheckedRows
from scenes.file.errors import FileError
from scenes.file.reader import SceneFile
from scenes.file.schema import CHUNK_ROWS
from scenes.file.seal import SEALED_BY
from scenes.formats.shards.form import form_of
from scenes.formats.shards.manifest import FOLDER, Manifest, read_manifests, shards_in
from scenes.progress import counting
from scenes.regular_files import check_regular
from scenes.remake import difference


@dataclass(frozen=True)
class ShardVerification:
    """What `verify_shards` found."""

    splits: Mapping[str, int]
    """Number of scenes of each split."""
    problems: tuple[str, ...] = ()
    """Empty for a sound folder."""
    compared: tuple[int, ...] = ()
    """Rows that were compared with the file that they were exported from."""

    def summary(self, folder: Path) -> list[str]:
        """Returns in lines what was checked of a sound folder.

        Args:
            folder: as it was given.
        """
        splits = ", ".join(f"{n:,} of {split}" for split, n in self.splits.items())
        lines = [f"{folder}: {splits}: all shards are there, and as written"]
        if self.compared:
            numbers = ", ".join(map(str, self.compared))
            lines.append(f"compared {numbers} with their file: the same in every byte")
        else:
            lines.append("compared none with the file that they are of: --source FILE does")
        return lines


def is_shard_folder(path: Path) -> bool:
    """Whether `scenes export` wrote shards into a folder."""
    return (path / FOLDER).is_dir()


def verify_shards(
    folder: Path, *, compared: int = 4, source: Path | None = None
) -> ShardVerification:
    """Checks a folder of shards.

    Args:
        folder: it has manifests.
        compared: how many scenes to compare with those of `source`, spread over it.
        source: the file that one of the splits was exported from.

    Raises:
        UsageError: `source` is the file of no split.
        FileError: `source` cannot be read.
        CommandError: what reads the format is not installed.
        OSError: the system refuses a file.
    """
    try:
        manifests = read_manifests(folder)
    except FileError as error:
        return ShardVerification({}, (str(error),))
    splits = {split: manifest.origin.n for split, manifest in manifests.items()}
    problems = [] if manifests else [f"{folder / FOLDER}: holds no manifest"]
    with counting("verifying", sum(splits.values())) as advance:
        for manifest in manifests.values():
            for shard, problem in _problems(folder, manifest):
                problems += [problem] if problem else []
                advance(shard)
    if problems or source is None:
        return ShardVerification(splits, tuple(problems))
    with SceneFile(source) as file:
        rows = CheckedRows(file)
        seal = file.attributes[SEALED_BY]
        exports = [each for each in manifests.values() if each.origin.sha256 == seal]
        if not exports:
            raise UsageError(f"{source}: not what a split of {folder} was exported from")
        numbers = np.linspace(0, file.n - 1, min(compared, file.n)).astype(int).tolist()
        differences = tuple(_differences(folder, exports[0], rows, numbers))
    return ShardVerification(splits, differences, tuple(numbers))


def _problems(folder: Path, manifest: Manifest) -> Iterator[tuple[int, str]]:
    """Yields the rows of each shard, and what is wrong with it; of a sound one nothing is."""
    for shard in manifest.shards:
        yield shard.rows, _problem(folder / shard.name, shard.bytes, shard.sha256)
    if not manifest.complete:
        done = f"{len(manifest.shards)} of {manifest.count} shards"
        yield 0, f"{folder}: {manifest.split}: {done}; the command that exports it goes on"
        return
    names = {shard.name for shard in manifest.shards}
    for name in shards_in(folder, manifest.format, manifest.split):
        if name not in names:
            yield 0, f"{folder / name}: no shard of this export"


def _problem(path: Path, size: int, sha256: str) -> str:
    try:
        status = path.stat()
        check_regular(path, status)
        if status.st_size != size:
            return f"{path}: {status.st_size:,} bytes, not {size:,}"
        return "" if sha256_of(path) == sha256 else f"{path}: not as it was written"
    except ValueError as error:
        return str(error)
    except OSError as error:
        return in_words(error)


def _differences(
    folder: Path, manifest: Manifest, rows: CheckedRows, numbers: list[int]
) -> Iterator[str]:
    form = form_of(manifest)
    for number in numbers:
        shard, place = divmod(number, manifest.per_shard)
        path = folder / manifest.name(shard)
        start = number - number % CHUNK_ROWS
        chunk = rows.read(start, start + CHUNK_ROWS)
        try:
            row = form.read(path, place)
        except ValueError as error:
            yield str(error)
            continue
        for key, values in row.items():
            apart = difference(key, chunk[key][number - start, ...], values, exact=True)
            if apart:
                yield f"{path}: {key}: scene {number} is not that of {rows.file.path}: {apart}"
