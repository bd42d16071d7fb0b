"""Which files one import reads: files, patterns and folders of shards, in the order of their names.

Names are ordered as people count: `shard-2` before `shard-10`.
"""

from __future__ import annotations

import glob
import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from scenes.command_line import UsageError
from scenes.dataset import sha256_of
from scenes.formats.readers.numpy_files import is_masks, masks_beside
from scenes.formats.readers.recognition import Format, format_of
from scenes.formats.records import RecordError

MOST_FILES = 100_000
METADATA = "-metadata.npy"
"""Ending of object-centric-library's metadata, a pickle."""


@dataclass(frozen=True)
class Shards:
    """Files that make one dataset."""

    paths: tuple[Path, ...]
    form: Format
    left_out: tuple[str, ...] = ()
    """Files of a folder that are of no format, and why, in words."""


def find_shards(sources: Sequence[Path]) -> Shards:
    """Returns the files that sources name, which must all be of one format.

    Args:
        sources: files; folders, whose files are taken, but not the folders in them; patterns such
            as `shards/*.tar`.

    Raises:
        UsageError: there are none, one is named twice, or they are of several formats.
        RecordError: a file that was named is of no format.
        OSError: it cannot be opened.
    """
    forms: dict[Path, Format] = {}
    left_out: list[str] = []
    for path, named in sorted(_expanded(sources), key=lambda each: natural(str(each[0]))):
        if path in forms:
            raise UsageError(f"{path}: named twice")
        if len(forms) >= MOST_FILES:
            raise UsageError(f"{path}: more than {MOST_FILES:,} files")
        try:
            if path.name.endswith(METADATA):
                raise RecordError(f"{path}: a pickle, which is never loaded; the HDF5 says it all")
            if not named and path.suffix == ".npy" and is_masks(path):
                continue
            forms[path] = format_of(path)
        except RecordError as error:
            if named:
                raise
            left_out.append(str(error))
    if not forms:
        names = ", ".join(map(str, sources))
        reason = f"; {left_out[0]}" if left_out else ""
        raise UsageError(f"{names}: no file that can be read{reason}")
    first = next(iter(forms))
    for path, form in forms.items():
        if form is not forms[first]:
            raise UsageError(
                f"{path}: {form.name}, but {first} is {forms[first].name}; import each kind by "
                "itself"
            )
    return Shards(tuple(forms), forms[first], tuple(left_out))


def _expanded(sources: Sequence[Path]) -> Iterable[tuple[Path, bool]]:
    """Yields files, and whether each was named as itself."""
    for source in sources:
        if source.is_dir():
            for path in source.iterdir():
                if not path.name.startswith(".") and not path.is_dir():
                    yield path, False
        elif not source.exists() and glob.has_magic(str(source)):
            matches = glob.glob(str(source), recursive=True)  # noqa: PTH207 (absolute patterns too)
            if not matches:
                raise UsageError(f"{source}: no file has such a name")
            yield from ((Path(match), True) for match in matches if not Path(match).is_dir())
        else:
            source.stat()
            yield source, True


def natural(text: str) -> list[tuple[int, int, str]]:
    """Returns what orders names as people count: numbers in them by their value."""
    return [
        (0, int(word), "") if word.isdecimal() else (1, 0, word)
        for word in re.split(r"(\d+)", text)
        if word
    ]


def content_of(paths: Sequence[Path]) -> str:
    """Returns the SHA-256 of what files hold, in order; of one file, its own.

    Raises:
        OSError: one cannot be read.
    """
    digests = []
    for path in paths:
        digests.append(sha256_of(path))
        if path.suffix == ".npy" and (masks := masks_beside(path)) is not None:
            digests.append(sha256_of(masks))
    if len(digests) == 1:
        return digests[0]
    return hashlib.sha256("".join(digests).encode()).hexdigest()
