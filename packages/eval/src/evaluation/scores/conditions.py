"""The conditions of `eval generalise`, and the files of their test scenes.

A condition is a law of scenes, such as six objects in each.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scenes.file.errors import FileError
from scenes.file.reader import SceneFile
from scenes.objects_room.config import ObjectsRoomConfig, condition_config
from scenes.objects_room.kinds import Kind, parse_kind

from evaluation.room_folder import RoomFolder

DATA_FOLDER = RoomFolder().data_folder
"""Where test rooms lie unless another folder is named."""
COUNTS = tuple(f"objects_{count}" for count in range(7))
CONDITIONS = ("test", *COUNTS, "identical_color", "four_identical")
"""`test` follows the law of the training scenes: 3 objects placed, 1 to 3 of them in view."""
HELD = ("held_in", "held_out")
"""Two more conditions like `test`: without the kinds of objects that training held out, and with at
least one of these in every scene."""
TRAINED_ON = (1, 3)
"""Fewest and most objects in view in the training scenes."""
TITLES = {
    "test": "as in training",
    "objects_0": "no object",
    "objects_1": "one object",
    "objects_2": "two objects",
    "objects_3": "three objects",
    "objects_4": "four objects",
    "objects_5": "five objects",
    "objects_6": "six objects",
    "identical_color": "one colour",
    "four_identical": "four alike",
    "held_in": "kinds of training",
    "held_out": "kinds held out",
}
"""Titles of the conditions in tables, pictures and pages; files have the names."""
DESCRIPTIONS = {
    "test": "as in training: three objects placed, one to three of them in view",
    **{f"objects_{count}": f"{TITLES[f'objects_{count}']} in view" for count in range(7)},
    "identical_color": "four to six objects of one colour",
    "four_identical": "four objects of one colour, on a floor of nearly that colour",
    "held_in": "as in training, without the kinds of objects that were held out",
    "held_out": "as in training, with at least one object of the kinds that were held out",
}
"""What the scenes of each condition are."""
COMPARED = ("test", "objects_6", "identical_color")
"""Conditions in which the model is compared with the baselines: where colour helps, where more
objects are in view than in training, and where colour does not help."""


def title_of(condition: str) -> str:
    """Returns a condition's title, or its name where it has none."""
    return TITLES.get(condition, condition)


def config_of(condition: str, size: int, hold_out: tuple[Kind, ...] = ()) -> ObjectsRoomConfig:
    """Returns the config of a condition's scenes.

    Args:
        condition: one of `CONDITIONS` or of `HELD`.
        size: side of the images, in pixels.
        hold_out: kinds of objects that `HELD` is about.
    """
    if condition not in HELD:
        return condition_config(condition, size)
    return ObjectsRoomConfig(
        split="test", size=size, hold_out=hold_out, only_held_out=condition == "held_out"
    )


def kinds_of(hold_out: Sequence[Kind | str]) -> tuple[Kind, ...]:
    """Returns kinds of objects, some of which are written as `parse_kind` reads them.

    Raises:
        ValueError: one is none.
    """
    return tuple(parse_kind(kind) if isinstance(kind, str) else kind for kind in hold_out)


def hold_out_of(data: Path | None) -> tuple[Kind, ...]:
    """Returns the kinds that a training file held out; none where the file is unknown or gone."""
    if data is None or not data.is_file():
        return ()
    with SceneFile(data) as file:
        config = file.config
    return config.hold_out if isinstance(config, ObjectsRoomConfig) else ()


@dataclass(frozen=True)
class TestRooms:
    """Test scenes of every condition, the same number of each, in a folder."""

    __test__ = False  # no test of pytest's

    folder: Path
    seed: int
    n: int
    size: int
    """Side of the images in pixels."""
    workers: int | None = None
    """Processes that render; one per core by default."""
    hold_out: tuple[Kind, ...] = ()
    """Kinds of objects that the conditions of `HELD` are about."""

    def file(self, condition: str) -> Path:
        """Returns a file with enough scenes of a condition; missing scenes are rendered.

        A file `CONDITION.h5` in the folder, such as `eval conditions` writes, is used if it is of
        that condition and seed, its image size is a multiple of `size`, and it has full extents.
        Otherwise `CONDITION_SIZEpx.h5` is made or extended, or `CONDITION_SIZEpx_seedSEED.h5` for
        another seed than 0; names of the conditions of `HELD` depend on the kinds too.
        """
        config = config_of(condition, self.size, self.hold_out)
        own = self.folder / f"{condition}.h5"
        if own.exists() and serves(own, config, self.seed, self.n):
            return own
        if condition in HELD:
            kinds = hashlib.sha256(repr(self.hold_out).encode()).hexdigest()
            condition = f"{condition}_{kinds[:8]}"
        seed = f"_seed{self.seed}" if self.seed else ""
        rendered = self.folder / f"{condition}_{self.size}px{seed}.h5"
        if not (rendered.exists() and serves(rendered, config, self.seed, self.n)):
            from scenes.driver import build  # not at the top: only where scenes must be rendered

            build(config, n=self.n, seed=self.seed, out=rendered, workers=self.workers)
        return rendered


def rooms_in(folder: RoomFolder, n: int, size: int) -> TestRooms:
    """Returns the test scenes in a folder.

    Args:
        folder: of the scenes.
        n: scenes of each condition.
        size: side of the images in pixels.
    """
    return TestRooms(folder.data_folder, folder.seed, n, size, folder.workers)


def serves(path: Path, config: ObjectsRoomConfig, seed: int, n: int) -> bool:
    """Whether a file holds `n` scenes of a config's condition, of its size or a multiple of it."""
    try:
        with SceneFile(path) as file:
            present = file.config
            return (
                isinstance(present, ObjectsRoomConfig)
                and present.condition == config.condition
                and present.hold_out == config.hold_out
                and file.seed == seed
                and file.n >= n
                and file.image_size % config.size == 0
                and file.has("amodal")
            )
    except FileError:
        return False


def rooms_size(image_size: int | None) -> int:
    """Returns the side in pixels of rooms for a model: that of its images, else the usual one."""
    return ObjectsRoomConfig().size if image_size is None else image_size
