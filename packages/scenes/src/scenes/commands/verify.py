"""`scenes verify`: is a file whole, and what its config makes?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from scenes.command_line import CommandError, UsageError
from scenes.commands.one_file import OneFile, only
from scenes.notices import tell


@dataclass(frozen=True)
class Verify:
    """Check a file: checksums, counts, ranges, masks, and scenes made again from their seed."""

    file: OneFile
    """The file to check, or a folder of shards that `scenes export` wrote."""
    n: int = 4
    """Scenes to make again and compare, spread over the file; 0 for none. Of shards, scenes to
    compare with --source."""
    source: Path | None = None
    """What the scenes were read from, to read some again: pictures, a TFRecord, dSprites' npz file,
    the file of a split, or that of the shards. Without it none is, as a path that a file names is
    not opened."""
    scenes: Path | None = None
    """CLEVR's scenes JSON, or a folder of them; looked for beside --source by default."""
    masks: Path | None = None
    """The folder of masks, where --source is a folder of pictures that have one."""

    def run(self) -> None:
        """Checks the file; an error where anything is wrong."""
        from scenes.formats.shards.verification import (
            ShardVerification,
            is_shard_folder,
            verify_shards,
        )
        from scenes.verification import Verification, verify

        file = only(self.file, "scenes verify")
        if self.n < 0:
            raise UsageError(f"--n must be at least 0, got {self.n}")
        if not file.exists():
            raise UsageError(f"{file}: no such file")
        report: Verification | ShardVerification
        if is_shard_folder(file):
            report = verify_shards(file, compared=self.n, source=self.source)
        else:
            report = verify(
                file, remade=self.n, source=self.source, scenes=self.scenes, masks=self.masks
            )
        for problem in report.problems[:-1]:
            tell(problem)
        if report.problems:
            raise CommandError(report.problems[-1])
        print("\n".join(report.summary(file)))
