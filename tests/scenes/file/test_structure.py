"""Damaged, hostile and slow files: one line each, no hang, no crash, nothing of theirs opened."""

import os
import random
import re
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import evaluation
import evaluation.cli
import h5py
import monet.cli
import numpy as np
import pytest
from monet.training.data import read_held_out
from promises import Promise
from scenes.cli import main
from scenes.command_line import CommandError
from scenes.driver import build
from scenes.file import structure
from scenes.file.errors import FileError
from scenes.file.reader import SceneFile
from scenes.file.structure import check_structure
from scenes.multi_dsprites.config import MultiDSpritesConfig
from sealing import reseal

SPRITES = MultiDSpritesConfig(split="test")


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a folder with a file of 20 scenes, and an index of 20 more."""
    folder = tmp_path_factory.mktemp("sound")
    build(SPRITES, n=20, seed=0, out=folder / "file.h5", workers=1)
    build(SPRITES, n=20, seed=0, out=folder / "index.h5", workers=1, layout="parts")
    return folder


@pytest.fixture
def copy(tmp_path: Path, sound: Path) -> Path:
    """Returns a copy of the file to change."""
    return Path(shutil.copy(sound / "file.h5", tmp_path / "file.h5"))


@pytest.fixture
def index(tmp_path: Path, sound: Path) -> Path:
    """Returns a copy of the index, and its folder, to change."""
    shutil.copytree(sound / "index.h5.parts", tmp_path / "index.h5.parts")
    return Path(shutil.copy(sound / "index.h5", tmp_path / "index.h5"))


def refused(path: Path) -> str:
    """Returns why a file is refused, after its path."""
    with pytest.raises(FileError) as caught:
        SceneFile(path)
    said = str(caught.value)
    assert said.startswith(f"{path}: ")
    assert "\n" not in said
    return said.removeprefix(f"{path}: ")


def test_sound_files_are_opened(copy: Path, index: Path) -> None:
    for path in (copy, index):
        check_structure(path)
        with SceneFile(path) as file:
            assert len(file) == 20


def replace(file: h5py.File, key: str, make: Callable[[h5py.File, str], object]) -> None:
    del file[key]
    make(file, key)


def store_outside(file: h5py.File, key: str) -> None:
    file.create_dataset(key, (20,), "uint8", external=[("/dev/zero", 0, 20)])


def map_to(name: str) -> Callable[[h5py.File, str], None]:
    def make(file: h5py.File, key: str) -> None:
        layout = h5py.VirtualLayout((20,), "uint8")
        layout[:] = h5py.VirtualSource(name, key, (20,), "uint8")
        file.create_virtual_dataset(key, layout)

    return make


def link_softly(file: h5py.File, key: str) -> None:
    file[key] = h5py.SoftLink("/num_visible")


def link_outside(file: h5py.File, key: str) -> None:
    file[key] = h5py.ExternalLink("/etc/passwd", "/")


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (link_softly, "num_objects: a link to elsewhere, which is not followed"),
        (link_outside, "num_objects: a link to elsewhere, which is not followed"),
        (
            store_outside,
            "num_objects: its values lie in another file, /dev/zero, which is not opened",
        ),
        (map_to("/dev/zero"), "takes its values from '/dev/zero', which is not opened"),
        (map_to("../other.h5"), "takes its values from '../other.h5', which is not opened"),
        (map_to("a/b.h5"), "takes its values from 'a/b.h5', which is not opened"),
        (map_to("gone.h5"), "takes its values from 'gone.h5', which is missing"),
        (map_to("pipe"), "pipe: not a regular file"),
        (map_to("linked.h5"), "linked.h5: not a regular file"),
        (map_to("foreign.h5"), "takes its values from 'foreign.h5', no file of this project"),
    ],
)
def test_what_lies_in_other_files_is_not_opened(
    copy: Path, make: Callable[[h5py.File, str], None], reason: str
) -> None:
    os.mkfifo(copy.parent / "pipe")
    (copy.parent / "linked.h5").symlink_to("/dev/zero")
    with h5py.File(copy.parent / "foreign.h5", "w") as foreign:
        foreign["num_objects"] = np.zeros(20, dtype=np.uint8)
    with h5py.File(copy, "r+") as file:
        replace(file, "num_objects", make)
    assert refused(copy) == reason


def test_a_split_made_of_a_file_beside_it_is_read(copy: Path) -> None:
    split = copy.with_name("split.h5")
    with h5py.File(copy) as file, h5py.File(split, "w") as target:
        target.attrs.update(file.attrs)
        layout = h5py.VirtualLayout((4, 64, 64, 3), "uint8")
        layout[:] = h5py.VirtualSource(copy.name, "image", (20, 64, 64, 3), "uint8")[:4]
        target.create_virtual_dataset("image", layout)
        expected = file["image"][:4]
    with SceneFile(split) as file:
        np.testing.assert_array_equal(file["image"][:], expected)


def test_parts_are_regular_files_of_the_index_s_shapes(index: Path) -> None:
    (part,) = index.with_name("index.h5.parts").glob("*.h5")
    name = f"{part.parent.name}/{part.name}"
    with h5py.File(part, "r+") as file:
        replace(file, "num_objects", lambda file, key: file.create_dataset(key, data=[0.5] * 20))
    assert refused(index) == f"{name}: num_objects: expected (20,) uint8"
    with h5py.File(part, "r+") as file:
        replace(file, "num_objects", link_outside)
    assert refused(index) == f"{name}: num_objects: a link to elsewhere, which is not followed"
    part.unlink()
    os.mkfifo(part)
    assert refused(index) == f"{name}: not a regular file"


@pytest.mark.parametrize(
    ("bounds", "reason"),
    [
        ([[0, 30]], "parts: 30 rows, but (20,) images"),
        ([[1, 20]], "parts: a part of rows 1 to 20 after 0 rows"),
        ([[0, 1 << 63], [1 << 63, 20]], "parts: a part of rows 9223372036854775808 to 20 after"),
        ([[0.0, 20.0]], "parts: expected (P, 2) uint64, got (1, 2) float64"),
    ],
)
def test_bounds_of_parts_that_cannot_be_are_refused(
    index: Path, bounds: list[list[float]], reason: str
) -> None:
    kind = "uint64" if isinstance(bounds[0][0], int) else "float64"
    with h5py.File(index, "r+") as file:
        replace(file, "parts", lambda file, key: file.create_dataset(key, data=bounds, dtype=kind))
    assert refused(index).startswith(reason)


def declare_rows(file: h5py.File) -> None:
    for key in ("image", "segmentation", "num_objects"):
        file[key].resize(300_000_000, axis=0)


def declare_contiguous(file: h5py.File) -> None:
    replace(
        file,
        "num_objects",
        lambda file, key: file.create_dataset(key, (10**12,), "f4", fillvalue=7),
    )


def declare_chunk(file: h5py.File) -> None:
    replace(
        file,
        "depth" if "depth" in file else "num_objects",
        lambda file, key: file.create_dataset(
            key, (20, 30_000, 30_000), "uint8", chunks=(1, 30_000, 30_000)
        ),
    )


def nest_groups(file: h5py.File) -> None:
    file["factors/again"] = file["factors"]


def fill_groups(file: h5py.File) -> None:
    for number in range(5_000):
        file.create_group(f"group{number}")


def fill_attribute(file: h5py.File) -> None:
    file.attrs["config"] = "x" * (40 << 20)


def fill_attributes(file: h5py.File) -> None:
    for number in range(100):
        file.attrs[f"more{number}"] = number


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (declare_rows, "image: declares 18,750,000 chunks, but 0 are stored"),
        (declare_contiguous, "num_objects: declares 4,000,000,000,000 bytes, but 0 are stored"),
        (declare_chunk, "num_objects: chunks of 900,000,000 bytes; at most 268,435,456"),
        (nest_groups, "more than 8 groups, one in the other"),
        (fill_groups, "more than 4096 groups and datasets"),
        (fill_attribute, "config: an attribute of 41,943,048 bytes"),
        (fill_attributes, "/: 109 attributes; at most 64"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_sizes_that_are_declared_but_not_there_are_refused(
    copy: Path, change: Callable[[h5py.File], None], reason: str
) -> None:
    with h5py.File(copy, "r+") as file:
        change(file)
    assert refused(copy).endswith(reason)


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("schema", [1, 1], "schema [1 1], this version reads 1"),
        ("schema", "1", "schema 1, this version reads 1"),
        ("complete", "yes", "half-written; run the command that made it again"),
        ("seed", 0.5, "seed: missing, or not a whole number"),
        ("seed", -1, "seed: must be from 0 to 2^63 - 1, got -1"),
        ("seed", np.uint64(1 << 63), "seed: must be from 0 to 2^63 - 1, got 9223372036854775808"),
        ("config", 7, "config: missing, or not text"),
        ("dataset", ["sprites"], "dataset: missing, or not text"),
        ("entities", "object_0", "entities: missing, or not a list"),
        ("entities", [1, 2], "entities: expected names, each another"),
        ("entities", ["a", "a"], "entities: expected names, each another"),
        ("entities", [f"object_{i}" for i in range(300)], "entities: expected 1 to 255, got 300"),
        ("provenance", "[]", "provenance: no JSON object"),
        ("provenance", "", "provenance: not JSON: Expecting value: line 1 column 1 (char 0)"),
    ],
)
def test_attributes_of_other_kinds_are_refused(
    copy: Path, name: str, value: object, reason: str
) -> None:
    with h5py.File(copy, "r+") as file:
        file.attrs[name] = value
    assert refused(copy) == reason


@pytest.mark.parametrize(
    ("key", "data", "reason"),
    [
        ("num_objects", np.zeros(7, dtype="uint8"), "num_objects: 7 rows, but 20 images"),
        ("num_objects", np.array(7), "num_objects: no rows, but 20 images"),
        ("num_objects", [b"7"] * 20, "num_objects: expected numbers, got object"),
        (
            "segmentation",
            np.zeros((20, 32, 32), dtype="uint8"),
            "segmentation: (20, 32, 32) for images of 64 x 64",
        ),
        (
            "segmentation",
            np.zeros((20, 64, 64), dtype="float32"),
            "segmentation: expected uint8, got float32",
        ),
    ],
)
def test_fields_of_other_shapes_are_refused(
    copy: Path, key: str, data: object, reason: str
) -> None:
    with h5py.File(copy, "r+") as file:
        replace(file, key, lambda file, key: file.create_dataset(key, data=data))
    assert refused(copy) == reason


@pytest.mark.parametrize(
    "config",
    ["[" * 100_000, "{", '{"dsprites": 1e999}', "7", '{"split": "none"}', "1" * 10_000],
    ids=["deep", "cut", "infinite", "number", "split", "long"],
)
def test_a_config_that_cannot_be_is_one_line(
    copy: Path, capsys: pytest.CaptureFixture[str], config: str
) -> None:
    with h5py.File(copy, "r+") as file:
        file.attrs["config"] = config
    with SceneFile(copy) as file:
        for read in ("config", "identity"):
            with pytest.raises(FileError, match=re.escape(f"{copy}: config: ")):
                getattr(file, read)
    assert main(["verify", str(copy)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"scenes: {copy}: ")


@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "loop"])
def test_only_regular_files_are_opened(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    path = tmp_path / "a.h5"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path = Path("/dev/zero")
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(path)
    for command in (["verify"], ["show"], ["export"]):
        assert main([*command, str(path)]) in (1, 2)
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(f"scenes: {path}")


def test_training_and_scores_refuse_what_verify_refuses(
    copy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with h5py.File(copy, "r+") as file:
        replace(file, "num_objects", link_outside)
    reason = f"{copy}: num_objects: a link to elsewhere, which is not followed"
    run = ["--data", str(copy), "--run", str(tmp_path / "run"), "--preset", "quick"]
    assert monet.cli.main(run) in (1, 2)
    assert capsys.readouterr().err == f"monet-train: {reason}\n"
    score = ["score", "--data", str(copy), "--predictions", str(copy), "--out", str(tmp_path)]
    assert evaluation.cli.main(score) in (1, 2)
    assert capsys.readouterr().err == f"eval: {reason}\n"


def test_predictions_are_parsed_elsewhere_too(sound: Path, tmp_path: Path) -> None:
    predictions = tmp_path / "predictions.h5"
    with h5py.File(predictions, "w") as file:
        file["segmentation"] = h5py.ExternalLink(sound / "file.h5", "segmentation")
    with pytest.raises(CommandError, match="segmentation: a link to elsewhere"):
        evaluation.score(sound / "file.h5", predictions, baselines=False)


def test_a_slow_disk_is_no_damage(copy: Path, sound: Path) -> None:
    check_structure(sound / "index.h5")
    process = structure._parsers[os.getpid()]._process
    process.send_signal(signal.SIGSTOP)  # as if the disk did not answer
    with pytest.raises(CommandError, match=re.escape(f"{copy}: could not be read in 0.5 s")):
        check_structure(copy, 0.5)
    assert process.poll() == -signal.SIGKILL
    check_structure(copy)


def test_a_parser_that_somebody_ended_is_no_damage(copy: Path, sound: Path) -> None:
    check_structure(sound / "index.h5")
    structure._parsers[os.getpid()]._process.kill()
    with pytest.raises(CommandError, match=r"cannot be checked: .* ended with code -9"):
        check_structure(copy)
    check_structure(copy)


def heap_of(path: Path) -> int:
    """Returns where HDF5's global heap lies, which holds strings and maps of parts."""
    return path.read_bytes().index(b"GCOL")


def flip(path: Path, offset: int, bits: int) -> None:
    content = bytearray(path.read_bytes())
    content[offset] ^= bits
    path.write_bytes(content)


def test_a_bit_that_makes_hdf5_spin_is_damage_and_does_not_end_this_process(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flip(copy, heap_of(copy) + 25, 1 << 3)
    with pytest.raises(CommandError, match="could not be read in 1 s"):
        check_structure(copy, 1.0)
    assert refused(copy) == "damaged: to parse it does not end"


def test_a_bit_that_makes_hdf5_crash_is_damage_and_does_not_end_this_process(index: Path) -> None:
    name = index.read_bytes().index(b"index.h5.parts/")
    flip(index, name - 1, 1 << 3)  # of a length before it
    assert refused(index) == "damaged: to parse it ended a process by SIGSEGV"


def outside_pictures(path: Path) -> np.ndarray:
    """Returns the places of all bytes but zeros and pictures: what HDF5 parses, and numbers."""
    content = np.frombuffer(path.read_bytes(), dtype=np.uint8).copy()
    with h5py.File(path) as file:
        for key in ("image", "segmentation", "amodal"):
            dataset = file[key]
            for number in range(dataset.id.get_num_chunks() if dataset.chunks else 0):
                chunk = dataset.id.get_chunk_info(number)
                content[chunk.byte_offset : chunk.byte_offset + chunk.size] = 0
    return np.flatnonzero(content)


def try_flips(path: Path, flipped: Path, count: int, capsys: pytest.CaptureFixture[str]) -> int:
    """Flips one bit at a time, and runs commands; returns how many flips `verify` found.

    Each command ends by itself with at most one line, `verify` with one for each problem.
    """
    folder, whole, rng = path.parent, flipped.read_bytes(), random.Random(count)
    predictions = folder / "predictions.h5"
    with SceneFile(path) as file, h5py.File(predictions, "w") as written:
        written["segmentation"] = file["segmentation"][:]
    score = ["score", "--predictions", str(predictions), "--no-baselines", "--out", str(folder)]
    commands = [
        lambda: main(["show", str(path), "--n", "4", "--out", str(folder / "a.png")]),
        lambda: main(["show", str(path), "--html", "--n", "4", "--out", str(folder / "a.html")]),
        lambda: evaluation.cli.main([*score, "--data", str(path)]),
    ]
    places, found = outside_pictures(flipped), 0
    for _ in range(count):
        offset, bit = int(rng.choice(places)), rng.randrange(8)
        flip(flipped, offset, 1 << bit)
        code = main(["verify", str(path), "--n", "0"])
        said = capsys.readouterr().err.splitlines()
        assert code == (1 if said else 0), (offset, bit)
        assert all(line.startswith(f"scenes: {path}") for line in said), (offset, bit, said)
        found += code
        for command in commands:
            assert command() in (0, 1, 2), (offset, bit)
            said = capsys.readouterr().err.splitlines()
            assert len(said) <= 1, (offset, bit, said)
        flipped.write_bytes(whole)
    return found


@pytest.mark.slow
def test_hundreds_of_flipped_bits_hang_or_crash_no_command(
    copy: Path, index: Path, capsys: pytest.CaptureFixture[str], promise: Promise
) -> None:
    (part,) = index.with_name("index.h5.parts").glob("*.h5")
    flips = 120
    for path, flipped in ((copy, copy), (index, index), (index, part)):
        found = try_flips(path, flipped, flips, capsys)
        assert found > flips / 2, f"{flipped}: most of what is no picture matters"
        promise(
            "A flipped bit in what HDF5 parses hangs or crashes no command",
            "file, index and part: verify, show, page and score after each bit",
            flips,
            "each ended by itself, with one line for each problem",
        )


def test_some_flipped_bits_hang_or_crash_no_command(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert try_flips(copy, copy, 12, capsys) > 6


def test_pixels_of_no_entity_are_refused_by_all_who_use_them(
    copy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with h5py.File(copy, "r+") as file:
        labels = file["segmentation"][:]
        labels[3, 5, 5] = 204
        file["segmentation"][:] = labels
        reseal(file)  # else an export would refuse the row, before it looks at pixels
    predictions = tmp_path / "predictions.h5"
    with h5py.File(predictions, "w") as written:
        written["segmentation"] = labels
    said = f"{copy}: segmentation: has entity 204, and names of 5\n"
    score = ["score", "--data", str(copy), "--predictions", str(predictions)]
    for program, main_, command in (
        ("eval", evaluation.cli.main, [*score, "--out", str(tmp_path / "out")]),
        ("scenes", main, ["show", str(copy), "--masks", "--out", str(tmp_path / "a.png")]),
        ("scenes", main, ["show", str(copy), "--html", "--out", str(tmp_path / "a.html")]),
        ("scenes", main, ["export", str(copy), "--out", str(tmp_path / "a.tfrecords")]),
    ):
        assert main_(command) == 2, command
        assert capsys.readouterr().err == f"{program}: {said}"
    assert not (tmp_path / "a.tfrecords").exists()
    with SceneFile(copy) as opened, pytest.raises(FileError, match=re.escape(said.strip())):
        read_held_out(opened, 64)


def test_a_file_without_checksums_says_so(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with h5py.File(copy, "r+") as file:
        del file["checksums"]
    assert main(["verify", str(copy)]) == 1
    said = f"scenes: {copy}: checksums: missing; an earlier version wrote this file\n"
    assert capsys.readouterr().err == said
