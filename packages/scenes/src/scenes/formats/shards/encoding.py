"""Blocks of a file's rows as bytes of a shard, by several threads, in their order."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from scenes.file.checked_rows import CheckedRows
from scenes.file.errors import FileError
from scenes.file.seal import block_rows
from scenes.formats.shards.form import ShardForm

BLOCK_BYTES = 8 << 20
"""Unpacked bytes of the scenes that are encoded at once, and lie together in a Parquet."""
BLOCKS_AHEAD = 2
"""Blocks in memory for each thread: one in work, one read meanwhile."""


class Encoder:
    """Encodes rows of a file: memory has a few blocks of them, however many there are.

    By threads: compressing images takes most of the time, and lets other threads run meanwhile.

    Args:
        rows: of the file.
        form: what they become.
        pool: the threads.
        workers: how many there are.
    """

    def __init__(
        self, rows: CheckedRows, form: ShardForm, pool: ThreadPoolExecutor, workers: int
    ) -> None:
        self._rows, self.form, self._pool = rows, form, pool
        self._most = BLOCKS_AHEAD * workers
        self._step = block_rows({key: rows.file.hdf5[key] for key in rows.file.keys()}, BLOCK_BYTES)  # noqa: SIM118

    def blocks(self, numbers: range) -> Iterator[tuple[int, Any]]:
        """Yields how many rows a block has, and the block as the form writes it.

        Args:
            numbers: which rows; the first is a multiple of `CHUNK_ROWS`.

        Raises:
            FileError: rows are not as they were written, or the form has no place for a value.
        """
        pending: deque[tuple[int, Future[Any]]] = deque()
        try:
            for start in range(numbers.start, numbers.stop, self._step):
                block = self._rows.read(start, min(start + self._step, numbers.stop))
                if "segmentation" in block:
                    self._rows.file.check_entities(block["segmentation"])
                future = self._pool.submit(self.form.encode, block, start)
                pending.append((len(block["image"]), future))
                if len(pending) >= self._most:
                    yield self._next(pending)
            while pending:
                yield self._next(pending)
        finally:
            for _, future in pending:
                future.cancel()

    def _next(self, pending: deque[tuple[int, Future[Any]]]) -> tuple[int, Any]:
        count, future = pending.popleft()
        try:
            return count, future.result()
        except ValueError as error:
            raise FileError(f"{self._rows.file.path}: {error}") from error
