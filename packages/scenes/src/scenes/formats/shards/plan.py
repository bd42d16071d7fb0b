"""What an export to shards is to write: the manifest before its first shard."""

from __future__ import annotations

from scenes.command_line import UsageError, refusing
from scenes.file.reader import SceneFile
from scenes.file.schema import CHUNK_ROWS
from scenes.file.seal import block_rows
from scenes.file.writer import field_of
from scenes.formats import ShardFormat
from scenes.formats.shards.encoding import BLOCK_BYTES
from scenes.formats.shards.form import PNG_KEYS
from scenes.formats.shards.manifest import VERSION, Manifest, Origin, check_split
from scenes.formats.shards.options import ShardOptions
from scenes.limits import check_whole
from scenes.parts.local_workers import available_cores

SHARD_BLOCKS = 32
"""A shard has some 256 MB unpacked: of rooms of 64 x 64 it has 16,384 scenes."""
MOST_PER_SHARD = 1 << 24
MOST_WORKERS = 1 << 10
SPLITS = ("train", "validation", "test")
"""Names of a file, or ends of them, that say which split it is: what `scenes split` writes."""


def plan_of(file: SceneFile, form: ShardFormat, options: ShardOptions) -> Manifest:
    """Returns the manifest before the first shard.

    Raises:
        UsageError: an option cannot be.
    """
    keys = sorted(file.keys(), key=lambda key: (key not in PNG_KEYS, key))  # viewers show these
    hdf5 = {key: file.hdf5[key] for key in keys}
    for key in options.leave_out:
        if key not in hdf5 or key == "image":
            there = ", ".join(sorted(hdf5.keys() - {"image"}))
            raise UsageError(f"--leave-out {key}: {file.path} has {there}")
    fields = {key: field_of(each) for key, each in hdf5.items() if key not in options.leave_out}
    per_shard = options.per_shard
    with refusing():
        if per_shard is None:
            per_shard = SHARD_BLOCKS * block_rows(hdf5, BLOCK_BYTES)
        check_whole("--per-shard", per_shard, CHUNK_ROWS, MOST_PER_SHARD)
        if per_shard % CHUNK_ROWS:
            raise ValueError(f"--per-shard must be a multiple of {CHUNK_ROWS}, got {per_shard}")
        split = split_of(file) if options.split is None else options.split
        check_split(split)
    return Manifest(
        version=VERSION,
        format=form,
        split=split,
        origin=Origin.of(file),
        fields={key: field for key, field in fields.items() if 0 not in field.shape},
        per_shard=per_shard,
    )


def split_of(file: SceneFile) -> str:
    """Returns the name of the split that a file is: by its own name, else by its config."""
    last = file.path.stem.rpartition("_")[2]
    return last if last in SPLITS else str(getattr(file.config, "split", "train"))


def threads_of(options: ShardOptions) -> int:
    """Returns how many threads encode.

    Raises:
        UsageError: it cannot be.
    """
    with refusing():
        count = available_cores() if options.workers is None else options.workers
        check_whole("--workers", count, 1, MOST_WORKERS)
    return count


def empty_fields(file: SceneFile, options: ShardOptions) -> list[str]:
    """Returns the keys of fields without a value, such as factors of no objects."""
    keys = [key for key in file.keys() if key not in options.leave_out]  # noqa: SIM118
    return [key for key in keys if 0 in file.hdf5[key].shape[1:]]
