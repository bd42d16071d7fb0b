"""What a format of shards is: how rows become bytes, and bytes rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, BinaryIO, Protocol, runtime_checkable

import numpy as np

from scenes.command_line import CommandError
from scenes.formats.shards.manifest import Manifest

PNG_KEYS = ("image", "segmentation")
"""Fields that are PNG in every form."""


@runtime_checkable
class ShardForm(Protocol):
    """One format's shards of one split."""

    made_with: Mapping[str, str]
    """Versions of the libraries that decide the bytes."""

    def encode(self, rows: Mapping[str, np.ndarray], start: int) -> Any:
        """Returns consecutive rows as `writing` takes them; several threads call it at once.

        Args:
            rows: all fields, by HDF5 key.
            start: number of the first.

        Raises:
            ValueError: a value has no place in this format.
        """
        ...

    def writing(self, stream: BinaryIO) -> AbstractContextManager[Callable[[Any], object]]:
        """Begins a shard, and ends it when all is written.

        Args:
            stream: takes its bytes.

        Yields:
            What takes encoded rows, in their order.

        Raises:
            OSError: they could not be written.
        """
        ...

    def read(self, path: Path, number: int) -> dict[str, np.ndarray]:
        """Returns a row of a shard, all fields by HDF5 key.

        Args:
            path: the shard.
            number: of the row, in the shard.

        Raises:
            ValueError: the shard is damaged, or does not hold what the manifest says.
            OSError: the system refuses it.
        """
        ...


def form_of(manifest: Manifest) -> ShardForm:
    """Returns the form of a manifest's shards; imports what writes it only now.

    Raises:
        CommandError: what writes it is not installed.
    """
    if manifest.format == "webdataset":
        from scenes.formats.shards.tar_shards import TarShards

        return TarShards(manifest)
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        raise CommandError("--format parquet needs pyarrow: install scenes[parquet]") from None
    from scenes.formats.shards.parquet_shards import ParquetShards

    return ParquetShards(manifest)
