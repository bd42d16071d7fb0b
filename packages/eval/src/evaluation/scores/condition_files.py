"""The test scenes of every condition in one folder, for masks that any program makes elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scenes.atomic import write_whole
from scenes.command_line import CommandError, UsageError
from scenes.file.reader import SceneFile
from scenes.limits import check_seed
from scenes.objects_room.config import ObjectsRoomConfig
from scenes.objects_room.kinds import Kind
from scenes.progress import progress_bar

from evaluation.folders import check_writable
from evaluation.scores.conditions import (
    CONDITIONS,
    DESCRIPTIONS,
    HELD,
    TestRooms,
    config_of,
    kinds_of,
    serves,
    title_of,
)

README = "README.md"


def write_conditions(
    out: str | Path,
    *,
    n: int = 320,
    size: int = ObjectsRoomConfig.size,
    seed: int = 0,
    hold_out: Sequence[Kind | str] = (),
    workers: int | None = None,
) -> list[Path]:
    """Renders the test scenes of every condition of `generalise` into a folder.

    A program that is not Python, or not here, makes masks of them, in files of the same names in
    another folder, which `generalise` scores. Files that are there already are kept, and extended
    where they have fewer scenes. A README.md in the folder tells of the files.

    Example:
        >>> import evaluation
        >>> paths = evaluation.write_conditions("tests", n=2, size=32)
        >>> [path.name for path in paths[:3]], paths[-1].name
        (['test.h5', 'objects_0.h5', 'objects_1.h5'], 'README.md')

    Args:
        out: the folder.
        n: scenes of each condition.
        size: side of the images in pixels.
        seed: of the scenes; none of them is ever a training scene.
        hold_out: kinds of objects that training held out, such as "shape=sphere"; they add the
            conditions `held_in` and `held_out`.
        workers: processes that render; one per core by default.

    Returns:
        Paths of the files.

    Raises:
        UsageError: a number is out of range, or the folder holds other scenes under these names.
        ValueError: a kind is none.
    """
    from scenes.driver import build  # loads what renders

    folder, kinds = Path(out), kinds_of(hold_out)
    check_seed(seed)
    check_writable(folder)
    names = (*CONDITIONS, *(HELD if kinds else ()))
    configs = {name: config_of(name, size, kinds) for name in names}
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    with progress_bar() as progress:
        task = progress.add_task("conditions", total=len(configs), note="")
        for name, config in configs.items():
            progress.update(task, note=title_of(name))
            paths.append(folder / f"{name}.h5")
            build(config, n=n, seed=seed, out=paths[-1], workers=workers)
            progress.advance(task)
    write_whole(folder / README, _readme(names, n, size, seed).encode())
    return [*paths, folder / README]


def _readme(names: Sequence[str], n: int, size: int, seed: int) -> str:
    """Returns what the folder says of itself."""
    rows = "\n".join(f"| `{name}.h5` | {DESCRIPTIONS[name]} |" for name in names)
    return f"""# Test scenes of the Objects Room

{n:,} scenes of {size} x {size} pixels in each file, seed {seed}, written by `eval conditions`.

| file | scenes |
|---|---|
{rows}

Each is plain HDF5. A program reads `image`, ({n}, {size}, {size}, 3) uint8 RGB, and nothing else:
`segmentation`, `amodal` and `factors/…` are the truth.

For each of these files it writes one of the same name into another folder, with the scenes in the
same order:

| key | shape | |
|---|---|---|
| `masks` | ({n}, K, {size}, {size}) | shares of each pixel, which sum to one over the K slots |
| or `segmentation` | ({n}, {size}, {size}) | the slot of each pixel, integers from 0 |
| `reconstruction`, if any | ({n}, {size}, {size}, 3) | floats in [0, 1]; scored as `mse` |
| `scene`, if any | ({n},) | 0, 1, 2 …: says that the order is right |

K is the same in every file. Of segmentations the different labels are counted, so masks alone tell
of slots that are never used. Then

    eval generalise --predictions MASKS --data-folder SCENES

scores them, beside baselines. SCENES is this folder; conditions without a file in MASKS are named
and left out.
"""


@dataclass(frozen=True)
class _Facts:
    """What must be alike in all files of a folder."""

    path: Path
    size: int
    seed: int
    rows: int
    hold_out: tuple[Kind, ...]


def written_rooms(
    folder: Path, conditions: Sequence[str], n: int | None = None, seed: int | None = None
) -> TestRooms:
    """Returns the test scenes that lie in a folder under the names of their conditions.

    Args:
        folder: as `write_conditions` wrote it.
        conditions: which are needed.
        n: scenes of each; all by default, which must be as many in every file.
        seed: that they must have, where one is asked for.

    Raises:
        UsageError: a file is not there, or has fewer scenes.
        CommandError: a file holds scenes of another condition, size or seed.
        FileError: a file cannot be read.
    """
    facts = [_facts_of(folder / f"{name}.h5", name) for name in conditions]
    first = facts[0]
    count = first.rows if n is None else n
    wanted = first.seed if seed is None else seed
    kinds = next((each.hold_out for each in facts if each.hold_out), ())
    for name, each in zip(conditions, facts, strict=True):
        if n is not None and n > each.rows:
            raise UsageError(f"{each.path}: has {each.rows} scenes, fewer than --n {n}")
        if n is None and each.rows != first.rows:
            raise UsageError(
                f"{each.path}: has {each.rows} scenes, and {first.path} has {first.rows}; --n "
                "names how many are scored"
            )
        if each.seed != wanted:
            raise CommandError(f"{each.path}: has scenes of seed {each.seed}, not {wanted}")
        if each.size != first.size:
            raise CommandError(
                f"{each.path}: images of {each.size} pixels; those of {first.path} have "
                f"{first.size}"
            )
        if not serves(each.path, config_of(name, first.size, kinds), wanted, count):
            raise CommandError(
                f"{each.path}: holds other scenes than those of {name} that `eval conditions` "
                "writes"
            )
    return TestRooms(folder, wanted, count, first.size, hold_out=kinds)


def _facts_of(path: Path, condition: str) -> _Facts:
    if not path.is_file():
        raise UsageError(
            f"{path}: no such file, and the masks of {condition} are of its scenes; `eval "
            "conditions` writes it, --data-folder names another folder"
        )
    with SceneFile(path) as file:
        config = file.config
        kinds = config.hold_out if isinstance(config, ObjectsRoomConfig) else ()
        return _Facts(path, file.image_size, file.seed, file.n, kinds)
