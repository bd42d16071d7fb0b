"""What the shards of one split are, and of which file: `manifests/SPLIT.json` in their folder.

It is written before the first shard and again after each, so that it tells which ones are whole.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from scenes.atomic import write_whole
from scenes.file.errors import FileError
from scenes.file.reader import SceneFile
from scenes.file.seal import SEALED_BY
from scenes.formats import ShardFormat
from scenes.limits import check_whole
from scenes.regular_files import read_regular
from scenes.scene import Field
from scenes.serialise import from_json, parse_json, to_json
from scenes.source_list import DATASETS
from scenes.splits.config import SplitConfig

FOLDER = "manifests"
VERSION = 1
"""Goes up when the same scenes are written otherwise."""
MOST_BYTES = 256 << 20
"""Of a manifest: that of a million shards has 200 MB."""
MOST_SCENES = 1 << 40
SPLIT = re.compile(r"[A-Za-z0-9]\w*", re.ASCII)
"""A split's name, as `datasets` takes it."""
_NAMES: dict[ShardFormat, tuple[str, str]] = {
    "parquet": ("data/{split}-{number:05d}-of-{count:05d}.parquet", r"-\d+-of-\d+\.parquet"),
    "webdataset": ("{split}-{number:06d}.tar", r"-\d+\.tar"),
}
"""A shard's name, and what follows the split's name in that of any."""


@dataclass(frozen=True)
class Origin:
    """The file that the scenes are of."""

    sha256: str
    """Its seal (`scenes.file.seal`): equal ones mean equal content."""
    n: int
    """Number of scenes."""
    dataset: str
    config: str
    """JSON, without the fields that say where on somebody's disk scenes were read from."""
    seed: int
    entities: tuple[str, ...]
    version: str
    """Of the package that made it."""
    provenance: str
    """JSON: renderer and versions."""
    chosen: bool = False
    """Whether the scenes were chosen from another file (`scenes split`)."""

    @classmethod
    def of(cls, file: SceneFile) -> Origin:
        """Returns what a file under a seal says of itself."""
        attributes, config = file.attributes, file.config
        places = DATASETS[config.dataset].places
        told = {k: v for k, v in parse_json(to_json(config)).items() if k not in places}
        return cls(
            sha256=str(attributes[SEALED_BY]),
            n=file.n,
            dataset=file.dataset,
            config=json.dumps(told, sort_keys=True),
            seed=file.seed,
            entities=file.entities,
            version=str(attributes.get("version", "")),
            provenance=file.provenance,
            chosen=isinstance(file.recipe, SplitConfig),
        )


@dataclass(frozen=True)
class Shard:
    """A finished shard."""

    name: str
    """Its path in the folder."""
    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """The shards of a split."""

    version: int
    format: ShardFormat
    split: str
    origin: Origin
    fields: Mapping[str, Field]
    """What each scene has, by HDF5 key."""
    per_shard: int
    """Scenes of each shard but the last."""
    made_with: Mapping[str, str] = field(compare=False, default_factory=dict)
    """Versions of what wrote the shards: other ones may write other bytes of the same content."""
    shards: tuple[Shard, ...] = ()
    """Those that are finished: the first ones."""

    def __post_init__(self) -> None:
        check_split(self.split)
        if self.version != VERSION:
            raise ValueError(f"version {self.version}; this package reads {VERSION}")
        check_whole("n", self.origin.n, 1, MOST_SCENES)
        check_whole("per_shard", self.per_shard, 1, MOST_SCENES)
        if len(self.shards) > self.count:
            raise ValueError(f"{len(self.shards)} shards; {self.count} hold all scenes")
        for number, shard in enumerate(self.shards):
            if (shard.name, shard.rows) != (self.name(number), len(self.rows(number))):
                raise ValueError(f"{shard.name!r:.99} with {shard.rows} rows: no such shard")

    @property
    def count(self) -> int:
        """How many shards there are when all are finished."""
        return -(-self.origin.n // self.per_shard)

    @property
    def complete(self) -> bool:
        """Whether all shards are finished."""
        return len(self.shards) == self.count

    def name(self, number: int) -> str:
        """Returns the path of a shard in the folder."""
        pattern, _ = _NAMES[self.format]
        return pattern.format(split=self.split, number=number, count=self.count)

    def rows(self, number: int) -> range:
        """Returns which rows of the file a shard holds."""
        start = number * self.per_shard
        return range(start, min(start + self.per_shard, self.origin.n))

    @property
    def glob(self) -> str:
        """Pattern of the paths of these shards, as a hub reads it."""
        pattern, _ = _NAMES[self.format]
        return re.sub(
            r"\{number[^}]*\}", "*", pattern.replace("{count:05d}", f"{self.count:05d}")
        ).format(split=self.split)

    @property
    def blank(self) -> Manifest:
        """The same, before the first shard; equal ones are of the same work."""
        return replace(self, shards=())

    def write(self, folder: Path) -> None:
        """Writes it into the folder of its shards.

        Raises:
            OSError: it could not be written.
        """
        path = folder / FOLDER / f"{self.split}.json"
        path.parent.mkdir(exist_ok=True)
        write_whole(path, f"{json.dumps(parse_json(to_json(self)), indent=1)}\n".encode())


def check_split(name: str) -> None:
    """Refuses what is no name of a split.

    Raises:
        ValueError: it is none.
    """
    if not SPLIT.fullmatch(name):
        raise ValueError(f"--split must be letters, digits and _, got {name!r:.99}")


def read_manifests(folder: Path) -> dict[str, Manifest]:
    """Returns the manifests of a folder, by their splits' names in the order of the alphabet.

    Raises:
        FileError: one cannot be read.
        OSError: the system refuses one.
    """
    manifests = {}
    for path in sorted((folder / FOLDER).glob("*.json")):
        try:
            manifest: Manifest = from_json(read_regular(path, MOST_BYTES).decode(), Manifest)
            if manifest.split != path.stem:
                raise ValueError(f"it is of the split {manifest.split}")
        except ValueError as error:
            reason = str(error).removeprefix(f"{path}: ")
            raise FileError(f"{path}: no manifest of this version: {reason}") from error
        manifests[manifest.split] = manifest
    return manifests


def shards_in(folder: Path, form: ShardFormat, split: str) -> Iterator[str]:
    """Yields the paths in a folder of all that has the name of a shard of a split."""
    pattern, rest = _NAMES[form]
    inside = Path(pattern).parent
    place = folder / inside
    if place.is_dir():
        for path in sorted(place.iterdir()):
            if re.fullmatch(re.escape(split) + rest, path.name):
                yield str(inside / path.name)
