"""What a user may choose of shards; here alone, since a command's `--help` shows it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ShardOptions:
    """How shards are cut and called, and which fields they have."""

    split: str | None = None
    """Name of the split; told from the file by default: train, validation, test, or its law's."""
    per_shard: int | None = None
    """Scenes of each shard, a multiple of 16; by default as many as have 256 MB unpacked."""
    leave_out: tuple[str, ...] = ()
    """Fields to leave out, such as amodal, where another split in the folder lacks them."""
    workers: int | None = None
    """Threads that encode; one per core by default. The bytes do not depend on it."""
