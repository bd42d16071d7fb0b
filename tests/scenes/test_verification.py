"""Verify: a sound file passes, and whatever a reader would get wrong is found."""

import random
import re
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from promises import Promise
from scenes.cli import main
from scenes.driver import build
from scenes.file.reader import SceneFile
from scenes.multi_dsprites.config import MultiDSpritesConfig
from scenes.objects_room.config import ObjectsRoomConfig
from scenes.remake import difference
from scenes.verification import verify
from sealing import reseal

SPRITES = MultiDSpritesConfig(split="test")


@pytest.fixture(scope="module")
def sprites(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a file of 20 sprites scenes."""
    path = tmp_path_factory.mktemp("verify") / "sprites.h5"
    build(SPRITES, n=20, seed=0, out=path, workers=1)
    return path


@pytest.fixture(scope="module")
def rooms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a file of 20 rooms with all optional fields."""
    path = tmp_path_factory.mktemp("verify") / "rooms.h5"
    build(ObjectsRoomConfig(split="test", size=32, depth=True), n=20, seed=0, out=path, workers=1)
    return path


@pytest.fixture
def copy(tmp_path: Path, sprites: Path) -> Path:
    """Returns a copy of the sprites to damage."""
    path = tmp_path / "copy.h5"
    path.write_bytes(sprites.read_bytes())
    return path


def read(path: Path) -> dict[str, object]:
    """Returns everything that a reader can read from a file."""
    with SceneFile(path) as file:
        got: dict[str, object] = {"/": file.attributes}
        for key in file.keys():  # noqa: SIM118
            dataset = file[key]
            attributes = {name: np.asarray(value).tolist() for name, value in dataset.attrs.items()}
            got[key] = (dataset.shape, str(dataset.dtype), dataset[:].tobytes(), attributes)
    return got


def flip_bytes(path: Path, flips: int, seed: int, target: Path) -> int:
    """Flips one byte at a time; fails where that changes what is read and is not found.

    Returns how many were found.
    """
    whole, expected, rng = path.read_bytes(), read(path), random.Random(seed)
    found = 0
    for _ in range(flips):
        offset, bits = rng.randrange(len(whole)), rng.randrange(1, 256)
        damaged = bytearray(whole)
        damaged[offset] ^= bits
        target.write_bytes(damaged)
        if verify(target, remade=0).problems:
            found += 1
        else:
            assert read(target) == expected, f"byte {offset} by {bits:#x} was not found"
    assert found > flips / 4, "most of a file matters"
    return found


def test_a_sound_file_passes_and_says_what_was_checked(
    rooms: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", str(rooms)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{rooms}: 20 scenes of 19 fields: checksums, counts, ranges and masks hold",
        "made 0, 6, 12, 19 again: the same in every byte",
    ]


def test_flipped_bytes_are_found(sprites: Path, tmp_path: Path) -> None:
    flip_bytes(sprites, 40, 0, tmp_path / "flipped.h5")


@pytest.mark.slow
def test_hundreds_of_flipped_bytes_are_found(
    sprites: Path, rooms: Path, tmp_path: Path, promise: Promise
) -> None:
    flips = {sprites: 400, rooms: 200}
    found = sum(
        flip_bytes(path, count, seed, tmp_path / "flipped.h5")
        for seed, (path, count) in enumerate(flips.items(), 1)
    )
    promise(
        "`scenes verify` finds every flipped byte that changes what is read",
        "one byte at a time in finished files",
        sum(flips.values()),
        f"{found} found, none missed; the others change nothing that is read",
    )


def test_a_flipped_byte_ends_the_command_with_1(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = bytearray(copy.read_bytes())
    with h5py.File(copy) as file:
        content[file["image"].id.get_chunk_info(0).byte_offset + 100] ^= 1
    copy.write_bytes(content)
    assert main(["verify", str(copy)]) == 1
    assert f"scenes: {copy}: image: rows 0 to 19 cannot be read" in capsys.readouterr().err


def test_a_flipped_byte_of_a_part_is_found(tmp_path: Path) -> None:
    out = tmp_path / "index.h5"
    build(SPRITES, n=40, seed=0, out=out, workers=1, layout="parts")
    (part,) = (tmp_path / "index.h5.parts").glob("*.h5")
    content = bytearray(part.read_bytes())
    with h5py.File(part) as file:
        content[file["image"].id.get_chunk_info(0).byte_offset + 100] ^= 1
    part.write_bytes(content)
    (problem,) = verify(out).problems
    assert problem.startswith(f"{out}: image: rows 0 to 39 cannot be read")


def test_rewritten_rows_are_named(copy: Path) -> None:
    with h5py.File(copy, "r+") as file:
        file["factors/x"][18, 0] += 0.25
    problems = verify(copy).problems
    assert problems == (f"{copy}: rows 16 to 19 are not as written",)


@pytest.mark.parametrize("attribute", ["config", "entities", "provenance", "seed", "version"])
def test_a_rewritten_attribute_is_found(copy: Path, attribute: str) -> None:
    with h5py.File(copy, "r+") as file:
        file.attrs[attribute] = 7 if attribute == "seed" else "another"
    assert verify(copy, remade=0).problems


@pytest.mark.parametrize(
    ("key", "value", "rule"),
    [
        ("segmentation", 200, "a pixel in none of the 5 masks"),
        ("num_visible", 9, "not the number of objects in the segmentation"),
        ("factors/visible_pixels", -1, "not the segmentation's count"),
        ("factors/present", True, "not as many as num_objects"),
        ("factors/shape", 77, "a code without a name, of 4"),
        ("factors/scale", np.nan, "not a finite number"),
        ("factors/color_rgb", 1.5, "a colour outside [0, 1]"),
        ("amodal", False, "an object is seen outside its full extent"),
    ],
)
def test_values_out_of_range_are_found_even_under_a_right_seal(
    copy: Path, key: str, value: object, rule: str
) -> None:
    with h5py.File(copy, "r+") as file:
        row = int(np.flatnonzero(file["num_objects"][:] < 4)[0])
        file[key][row] = value
        reseal(file)
    assert f"{copy}: {key}: row {row}: {rule}" in verify(copy, remade=0).problems


def test_a_scene_that_its_seed_does_not_make_is_found(copy: Path) -> None:
    with h5py.File(copy, "r+") as file:
        file["image"][19] = 255 - file["image"][19]
        reseal(file)
    (problem,) = verify(copy).problems
    assert problem.startswith(f"{copy}: image: row 19 is not what its config and seed make: ")


def test_fields_that_do_not_belong_are_found(copy: Path) -> None:
    with h5py.File(copy, "r+") as file:
        del file["background/color_rgb"]
        reseal(file)
    (problem,) = verify(copy).problems
    assert problem == (
        f"{copy}: background/color_rgb: either only in the file or only in what its config makes"
    )


def test_missing_rows_are_found(copy: Path) -> None:
    with h5py.File(copy, "r+") as file:
        file["factors/x"].resize(19, axis=0)
    assert f"{copy}: factors/x: 19 rows, but 20 images" in verify(copy).problems


def test_another_renderer_is_held_to_bounds(rooms: Path) -> None:
    # Mesa's other software renderer, which smooths no edges and says so in its strings.
    done = subprocess.run(
        [sys.executable, "-m", "scenes.cli", "verify", str(rooms)],
        env={"GALLIUM_DRIVER": "softpipe", "MUJOCO_GL": "osmesa"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "made 0, 6, 12, 19 again: within the bounds for another renderer" in done.stdout
    assert "llvmpipe" in done.stdout.splitlines()[-1]


def test_the_bounds_for_another_renderer_tell_scenes_apart(rooms: Path) -> None:
    with SceneFile(rooms) as file:
        for key in ("image", "segmentation", "depth", "factors/position", "camera/position"):
            first, second = np.asarray(file[key][0]), np.asarray(file[key][1])
            assert difference(key, first, first, exact=False) == ""
            assert difference(key, first, second, exact=False), key


def test_a_file_that_is_not_there_or_not_ours_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing, letter = tmp_path / "missing.h5", tmp_path / "letter.h5"
    letter.write_text("no file of ours")
    assert main(["verify", str(missing)]) == 2
    assert capsys.readouterr().err == f"scenes: {missing}: no such file\n"
    assert main(["verify", str(letter)]) == 1
    said = f"scenes: {letter}: not a readable HDF5 file, or cut short\n"
    assert capsys.readouterr().err == said
    assert main(["verify", str(letter), "--n", "-1"]) == 2
    assert re.match("scenes: --n must be at least 0, got -1", capsys.readouterr().err)
