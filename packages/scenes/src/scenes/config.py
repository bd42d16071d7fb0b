"""One frozen dataclass per dataset: with a seed, it decides every scene."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal, Protocol, get_args, runtime_checkable

from scenes.objects_room.kinds import SHAPES, Kind, Shape, exists

Split = Literal[
    "train", "test", "empty_room", "six_objects", "identical_color", "four_identical", "objects"
]


@runtime_checkable
class DatasetConfig(Protocol):
    """What `scenes.driver` asks of every config."""

    @property
    def dataset(self) -> str:
        """Name of the dataset."""
        ...

    @property
    def size(self) -> int:
        """The longer side of the images in pixels."""
        ...

    @property
    def isolated(self) -> bool:
        """Whether its source is opened in processes of its own only; it must never end."""
        ...

    @property
    def sequential(self) -> bool:
        """Whether one worker makes all scenes, in order."""
        ...


@dataclass(frozen=True)
class ObjectsRoomConfig:
    """The Objects Room (MONet paper, appendix C)."""

    dataset: ClassVar[str] = "objects_room"
    isolated: ClassVar[bool] = True
    """Software OpenGL brings an LLVM which crashes the one of torch (Triton) if that is loaded
    later: even one worker is a process of its own."""
    sequential: ClassVar[bool] = False

    split: Split = "train"
    """Which law the scenes follow; `objects` places exactly `objects` of them, all in view."""
    objects: int | None = None
    """Number of objects of the split `objects`, 0 to 9."""
    size: int = 64
    """Side of the square images, in pixels; even, 16 to 512."""
    depth: bool = False
    """Whether to write the depth of each pixel."""
    amodal: bool | None = None
    """Whether to write each object's full extent; by default in every split but `train`."""
    shapes: tuple[Shape, ...] = SHAPES
    """Shapes to draw from. The paper uses six and names none; GQN's cone is left out."""
    views: int = 1
    """Pictures of each scene, from as many places on the ring; each is a row."""
    hold_out: tuple[Kind, ...] = ()
    """Kinds of objects that no scene has."""
    only_held_out: bool = False
    """Whether instead every scene shows an object of those kinds, among others."""

    def __post_init__(self) -> None:
        if not 16 <= self.size <= 512 or self.size % 2:
            raise ValueError(f"--size must be even, from 16 to 512, got {self.size}")
        if (self.split == "objects") != (self.objects is not None):
            raise ValueError(
                f"the split 'objects' and a number of objects go together, got split "
                f"{self.split!r} with objects {self.objects}"
            )
        if self.objects is not None and not 0 <= self.objects <= 9:
            raise ValueError(f"--objects must be from 0 to 9, got {self.objects}")
        if not self.shapes:
            raise ValueError("--shapes must name at least one shape")
        if not 1 <= self.views <= 64:
            raise ValueError(f"--views must be from 1 to 64, got {self.views}")
        self._check_kinds()

    def _check_kinds(self) -> None:
        if self.only_held_out and not self.hold_out:
            raise ValueError("--only-held-out needs --hold-out, which names the objects")
        if self.only_held_out and self.max_objects == 0:
            raise ValueError("--only-held-out needs a split that has objects")
        if self.hold_out and not exists(self.hold_out, self.shapes, held_out=self.only_held_out):
            raise ValueError(
                "--hold-out names no object of --shapes"
                if self.only_held_out
                else "--hold-out leaves no object of --shapes"
            )

    @property
    def condition(self) -> str:
        """Name of the law, such as `train` or `objects_3_hold_out`; files are called so."""
        names: list[str] = [self.split if self.objects is None else f"objects_{self.objects}"]
        if self.shapes != SHAPES:
            names += self.shapes
        if self.hold_out:
            names.append("only_held_out" if self.only_held_out else "hold_out")
        if self.views > 1:
            names.append(f"{self.views}_views")
        return "_".join(names)

    @property
    def object_counts(self) -> tuple[int, ...]:
        """Numbers of objects that may be placed, each as likely."""
        if self.objects is not None:
            return (self.objects,)
        counts = {"empty_room": (0,), "six_objects": (6,), "four_identical": (4,)}
        return {**counts, "identical_color": (4, 5, 6)}.get(self.split, (3,))

    @property
    def max_objects(self) -> int:
        """Rows of the factors: the largest number of objects placed."""
        return max(self.object_counts)

    @property
    def with_amodal(self) -> bool:
        """Whether each object's full extent is written."""
        return self.split != "train" if self.amodal is None else self.amodal

    @property
    def all_in_view(self) -> bool:
        """Whether every object placed must be seen; otherwise at least one."""
        return self.split not in ("train", "test")

    @property
    def one_color(self) -> bool:
        """Whether all objects of a scene have the same colour."""
        return self.split in ("identical_color", "four_identical")

    def is_held_out(self, shape: Shape, hue: float) -> bool:
        """Tells whether an object is of a kind that `hold_out` names."""
        return any(kind.holds(shape, hue) for kind in self.hold_out)

    @property
    def stream(self) -> int:
        """Number of the random stream, its own for every law that the scenes may follow."""
        order: tuple[Split, ...] = get_args(Split)
        usual = order.index(self.split) if self.objects is None else 100 + self.objects
        law = (self.shapes, self.views, self.hold_out, self.only_held_out)
        if law == (SHAPES, 1, (), False):
            return usual
        # 63 bits, clear of the small numbers: no two laws will ever meet.
        digest = hashlib.sha256(repr((usual, law)).encode()).digest()
        return (1 << 63) | int.from_bytes(digest[:8], "big") >> 1


def sha256_of(path: Path) -> str:
    """Returns the digest of a file that scenes are read from.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def condition_config(condition: str, size: int) -> ObjectsRoomConfig:
    """Returns the config behind a condition's name, such as `objects_4` or `identical_color`.

    Raises:
        ValueError: there is no such condition.
    """
    prefix, _, number = condition.rpartition("_")
    if prefix == "objects" and number.isdigit():
        return ObjectsRoomConfig(split="objects", objects=int(number), size=size)
    if condition == "objects" or condition not in get_args(Split):
        names = ", ".join(name for name in get_args(Split) if name != "objects")
        raise ValueError(f"no condition {condition!r}; there are {names} and objects_0 to 9")
    return ObjectsRoomConfig(split=condition, size=size)  # type: ignore[arg-type]


SpritesVariant = Literal["colored_on_colored", "colored_on_grayscale", "binarized"]
SPRITE_COUNTS: dict[SpritesVariant, tuple[int, int]] = {
    "colored_on_colored": (1, 4),
    "colored_on_grayscale": (2, 5),
    "binarized": (2, 3),
}


@dataclass(frozen=True)
class MultiDSpritesConfig:
    """Multi-dSprites (MONet paper, appendix C)."""

    dataset: ClassVar[str] = "multi_dsprites"
    isolated: ClassVar[bool] = False
    sequential: ClassVar[bool] = False

    variant: SpritesVariant = "colored_on_colored"
    """The paper's: 1 to 4 random RGB sprites on random RGB. Else 2 to 5 HSV on grey, or 2 to 3
    white on black."""
    split: Literal["train", "test"] = "train"
    """Test scenes have a random stream of their own and each sprite's full extent."""
    dsprites: str | None = None
    """dSprites' own npz file; without it the sprites are drawn."""
    dsprites_items: str | None = None
    """SHA-256 of what that file holds."""

    @property
    def size(self) -> int:
        """Side of the images in pixels, dSprites' own."""
        return 64

    @property
    def min_objects(self) -> int:
        """Fewest sprites of a scene."""
        return SPRITE_COUNTS[self.variant][0]

    @property
    def max_objects(self) -> int:
        """Most sprites of a scene, and the rows of the factors."""
        return SPRITE_COUNTS[self.variant][1]

    @property
    def with_amodal(self) -> bool:
        """Whether each sprite's full extent is written."""
        return self.split != "train"

    @property
    def stream(self) -> int:
        """Number of the random stream, its own for every variant and split."""
        return 200 + 2 * list(SPRITE_COUNTS).index(self.variant) + (self.split == "test")


@dataclass(frozen=True)
class ImportedConfig:
    """A multi_object_datasets TFRecord, as it was read."""

    dataset: ClassVar[str] = "imported"
    isolated: ClassVar[bool] = False
    sequential: ClassVar[bool] = True
    """A gzipped stream cannot be entered in the middle."""

    file: str
    """The TFRecord."""
    items: str
    """SHA-256 of what it holds, so that another file of its name is another dataset."""
    layout: str
    """Which of their datasets: objects_room, multi_dsprites, clevr_with_masks or tetrominoes."""
    num_entities: int
    """Masks of each record, background included."""
    size: int
    """The longer side of the images in pixels."""


@dataclass(frozen=True)
class ClevrConfig:
    """CLEVR's images, cropped and resized (MONet paper, appendix C)."""

    dataset: ClassVar[str] = "clevr"
    isolated: ClassVar[bool] = False

    source: str
    """The folder of PNGs, or the clevr_with_masks TFRecord."""
    items: str
    """SHA-256 of the names and lengths of the files used, in order."""
    original_width: int
    """Width of the images before the crop: 320, or 480 brought to 360 of which the middle 320."""
    original_height: int
    """Height of the images before the crop: 240, or 320 brought to 240."""
    num_rows: int = 0
    """Rows of the factors: the most objects of a scene; 0 where they are not known."""
    num_entities: int | None = None
    """Masks of each record, background included; only a TFRecord has them."""
    scenes: str | None = None
    """The scenes JSON, or the folder of one for each scene."""
    left_out: tuple[str, ...] = ()
    """Names of the PNGs that could not be read."""
    max_objects: int | None = None
    """Only scenes with at most so many objects; 6 makes CLEVR6."""

    @property
    def size(self) -> int:
        """Side of the cropped images in pixels."""
        return 128

    @property
    def sequential(self) -> bool:
        """Whether one worker reads it in order, as a gzipped stream must be."""
        return self.num_entities is not None


@dataclass(frozen=True)
class ClevrLikeConfig:
    """CLEVR-style scenes, rendered by the published rules of clevr-dataset-gen."""

    dataset: ClassVar[str] = "clevr_like"
    isolated: ClassVar[bool] = True
    """As `ObjectsRoomConfig.isolated`."""
    sequential: ClassVar[bool] = False

    split: Literal["train", "test"] = "train"
    """Test scenes have a random stream of their own and each object's full extent."""
    max_objects: int = 10
    """Most objects of a scene, 3 to 10; the fewest are always 3."""

    def __post_init__(self) -> None:
        if not self.min_objects <= self.max_objects <= 10:
            raise ValueError(f"--max-objects must be from 3 to 10, got {self.max_objects}")

    @property
    def min_objects(self) -> int:
        """Fewest objects of a scene."""
        return 3

    @property
    def size(self) -> int:
        """Side of the cropped images in pixels."""
        return 128

    @property
    def with_amodal(self) -> bool:
        """Whether each object's full extent is written."""
        return self.split != "train"

    @property
    def stream(self) -> int:
        """Number of the random stream, its own for every split and most objects."""
        return 300 + 2 * self.max_objects + (self.split == "test")


DATASETS: dict[str, type[DatasetConfig]] = {
    config.dataset: config
    for config in (
        ObjectsRoomConfig,
        MultiDSpritesConfig,
        ClevrConfig,
        ClevrLikeConfig,
        ImportedConfig,
    )
}
