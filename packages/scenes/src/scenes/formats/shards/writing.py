"""Writes a file of scenes as one split of a folder of shards, and goes on with one that was begun.

The manifest is there before the first shard and is written again after each, so that a shard counts
once it is whole; the card is written last. An export that is given again keeps the whole shards.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from scenes.atomic import clear_unfinished, whole_or_not
from scenes.command_line import UsageError
from scenes.dataset import sha256_of
from scenes.file.checked_rows import CheckedRows
from scenes.file.reader import SceneFile
from scenes.formats import ShardFormat
from scenes.formats.shards.card import check_card, write_card
from scenes.formats.shards.encoding import Encoder
from scenes.formats.shards.form import form_of
from scenes.formats.shards.manifest import Manifest, Shard, read_manifests, shards_in
from scenes.formats.shards.options import ShardOptions
from scenes.formats.shards.plan import empty_fields, plan_of, threads_of
from scenes.lock import locked
from scenes.progress import counting

WORK = ".exporting"
"""Folder, in that of the shards, of what is being written; gone when the work is done."""


@dataclass(frozen=True)
class WrittenShards:
    """What `write_shards` did."""

    manifest: Manifest
    """It has all shards."""
    was_there: bool
    """Whether an earlier command had written all of them."""
    remarks: tuple[str, ...] = ()
    """What the shards do not have of the file."""


def write_shards(
    path: Path, out: Path, form: ShardFormat, options: ShardOptions, *, overwrite: bool
) -> WrittenShards:
    """Writes a file's scenes as a split of a folder of shards.

    Args:
        path: the file.
        out: the folder; other splits in it stay.
        form: of the shards.
        options: how they are cut and called.
        overwrite: replace what lies there under the split's name, and a card of another hand.

    Raises:
        FileError: the file is not as it was written, or a manifest there cannot be read.
        UsageError: an option cannot be, or something else lies there.
        CommandError: what writes the format is not installed.
        OSError: it could not be written.
    """
    workers = threads_of(options)
    with SceneFile(path) as file:
        rows = CheckedRows(file)
        plan = plan_of(file, form, options)
        shards = form_of(plan)
        plan = replace(plan, made_with=shards.made_with)
        empty = empty_fields(file, options)
        remarks = (f"{path}: {', '.join(empty)}: without a value, left out",) if empty else ()
        with _working(out):
            manifest = _begin(out, plan, overwrite=overwrite)
            if was_there := manifest.complete:
                write_card(out, read_manifests(out))
            else:
                with ThreadPoolExecutor(workers) as pool:
                    manifest = _go_on(out, manifest, Encoder(rows, shards, pool, workers))
                write_card(out, read_manifests(out), overwrite=overwrite)
    return WrittenShards(manifest, was_there, remarks)


@contextmanager
def _working(out: Path) -> Iterator[None]:
    """Keeps other commands out of a folder, which is made if it is not there.

    Raises:
        UsageError: it cannot be a folder, or another command works there.
    """
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out}: a file, not a folder")
    if not out.parent.is_dir():
        raise UsageError(f"{out.parent}: no such folder")
    with locked(out / WORK, "exporting"):
        clear_unfinished(out / WORK)
        try:
            yield
        finally:
            shutil.rmtree(out / WORK)
            with suppress(OSError):  # nothing came into it
                out.rmdir()


def _begin(out: Path, plan: Manifest, *, overwrite: bool) -> Manifest:
    """Returns the manifest to go on from, after what is in the way was refused or removed.

    Raises:
        UsageError: something else lies there.
        FileError: a manifest there cannot be read.
    """
    others = read_manifests(out)
    for other in others.values():
        _check_neighbour(out, plan, other)
    mine = others.pop(plan.split, None)
    begun = mine is not None and mine.blank == plan
    if mine is not None and begun:
        plan = replace(mine, shards=tuple(_whole_shards(out, mine)))
    if plan.complete:
        return plan
    in_the_way = [] if begun else list(shards_in(out, plan.format, plan.split))
    if not overwrite:
        check_card(out)
        for name in in_the_way:
            raise UsageError(f"{out / name} exists; --overwrite replaces it")
    for name in in_the_way:
        (out / name).unlink()
    plan.write(out)
    write_card(out, others, overwrite=overwrite)
    return plan


def _check_neighbour(out: Path, plan: Manifest, other: Manifest) -> None:
    """Refuses what `datasets` could not load together with a split that is there.

    Raises:
        UsageError: it has another format or dataset, or other fields.
    """
    elsewhere = "another --out takes these"
    if other.format != plan.format:
        raise UsageError(f"{out}: has {other.format} shards; {elsewhere}")
    if other.split == plan.split:
        return
    if other.origin.dataset != plan.origin.dataset or other.origin.entities != plan.origin.entities:
        raise UsageError(
            f"{out}: {other.split} is of {other.origin.dataset} with "
            f"{len(other.origin.entities)} entities, {plan.split} of {plan.origin.dataset} with "
            f"{len(plan.origin.entities)}; {elsewhere}"
        )
    for key in sorted({*plan.fields, *other.fields}):
        ours, theirs = plan.fields.get(key), other.fields.get(key)
        if theirs is None:
            raise UsageError(f"{out}: {other.split} has no {key}; --leave-out {key}")
        if ours is None:
            raise UsageError(f"{out}: {other.split} has {key}, {plan.split} has not; {elsewhere}")
        if ours != theirs:
            raise UsageError(f"{out}: {key} is another field in {other.split}; {elsewhere}")


def _whole_shards(out: Path, manifest: Manifest) -> Iterator[Shard]:
    """Yields the finished shards up to the first that is gone or has another length."""
    for shard in manifest.shards:
        path = out / shard.name
        if not path.is_file() or path.stat().st_size != shard.bytes:
            return
        yield shard


def _go_on(out: Path, manifest: Manifest, encoder: Encoder) -> Manifest:
    """Writes the shards that are not finished, and after each the manifest."""
    (out / manifest.name(0)).parent.mkdir(exist_ok=True)
    with counting("exporting", manifest.origin.n) as advance:
        advance(sum(shard.rows for shard in manifest.shards))
        for number in range(len(manifest.shards), manifest.count):
            name, numbers = manifest.name(number), manifest.rows(number)
            with whole_or_not(out / name, out / WORK) as temporary:
                with temporary.open("xb") as stream, encoder.form.writing(stream) as write:
                    for count, block in encoder.blocks(numbers):
                        write(block)
                        advance(count)
                size, sha256 = temporary.stat().st_size, sha256_of(temporary)
            shard = Shard(name, len(numbers), size, sha256)
            manifest = replace(manifest, shards=(*manifest.shards, shard))
            manifest.write(out)
    return manifest
