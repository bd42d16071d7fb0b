"""The Objects Room: its config, and its row in the table of datasets."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, get_args

from scenes.dataset import Dataset, on_demand
from scenes.limits import check_choice, check_whole
from scenes.objects_room.kinds import SHAPES, Kind, Shape, exists

Split = Literal[
    "train", "test", "empty_room", "six_objects", "identical_color", "four_identical", "objects"
]


MOST_KINDS = 64
"""Most kinds to hold out: to see whether any object is left takes the square of their number."""


@dataclass(frozen=True)
class ObjectsRoomConfig:
    """The Objects Room (MONet paper, appendix C): scenes in a room, rendered with MuJoCo.

    Example:
        >>> import scenes
        >>> config = scenes.ObjectsRoomConfig(split="objects", objects=2, size=32)
        >>> scenes.build(config, n=2, seed=0, out="objects_2.h5")
        >>> scenes.SceneFile("objects_2.h5")["num_visible"][:].tolist()
        [2, 2]
    """

    dataset: ClassVar[str] = "objects_room"
    isolated: ClassVar[bool] = True
    """The LLVM of software OpenGL crashes the one of torch (Triton) if that is loaded later, so
    even a single worker is a process of its own."""
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
    """Whether every scene shows an object of the kinds in `hold_out`, rather than none of them."""

    def __post_init__(self) -> None:
        if not isinstance(self.size, int) or not 16 <= self.size <= 512 or self.size % 2:
            raise ValueError(f"--size must be even, from 16 to 512, got {self.size}")
        check_choice("--split", self.split, get_args(Split))
        if (self.split == "objects") != (self.objects is not None):
            raise ValueError(
                f"the split 'objects' and a number of objects go together, got split "
                f"{self.split!r} with objects {self.objects}"
            )
        if self.objects is not None:
            check_whole("--objects", self.objects, 0, 9)
        if not self.shapes:
            raise ValueError("--shapes must name at least one shape")
        for shape in self.shapes:
            check_choice("--shapes", shape, SHAPES)
        check_whole("--views", self.views, 1, 64)
        self._check_kinds()

    def _check_kinds(self) -> None:
        if len(self.hold_out) > MOST_KINDS:
            raise ValueError(f"--hold-out takes up to {MOST_KINDS} kinds, got {len(self.hold_out)}")
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
        """Name of the law, such as `train` or `objects_3_hold_out`, and of its files by default."""
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
        """Numbers of objects that a scene may have, all equally likely."""
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
        """Whether an object is of a kind that `hold_out` names."""
        return any(kind.holds(shape, hue) for kind in self.hold_out)

    @property
    def stream(self) -> int:
        """Number of the random stream; every law that the scenes may follow has its own."""
        order: tuple[Split, ...] = get_args(Split)
        usual = order.index(self.split) if self.objects is None else 100 + self.objects
        law = (self.shapes, self.views, self.hold_out, self.only_held_out)
        if law == (SHAPES, 1, (), False):
            return usual
        # 63 bits above the small numbers: two laws will not meet by chance.
        digest = hashlib.sha256(repr((usual, law)).encode()).digest()
        return (1 << 63) | int.from_bytes(digest[:8], "big") >> 1


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


OBJECTS_ROOM = Dataset(
    config=ObjectsRoomConfig,
    title="Objects Room",
    command="scenes render",
    open=on_demand("scenes.objects_room.source", "ObjectsRoomSource", renders=True),
    test_config=lambda config: replace(config, split="test"),
)
