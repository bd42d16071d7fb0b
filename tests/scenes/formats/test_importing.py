"""Several files, patterns and folders of shards of every format become one file of scenes."""

import gzip
import io
import json
import os
import re
import shutil
import tarfile
import zlib
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from scenes.cli import main
from scenes.command_line import UsageError
from scenes.driver import build
from scenes.file.reader import SceneFile
from scenes.formats.imported_source import ImportedSource
from scenes.formats.importing import default_name, survey
from scenes.formats.input_files import find_shards, natural
from scenes.formats.records import NoSuchRecordError, RecordError
from scenes.formats.tfrecord import encode, read_records, write_record
from scenes.multi_dsprites.config import MultiDSpritesConfig

N = 12


@pytest.fixture(scope="module")
def sprites(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sprites") / "sprites.h5"
    build(MultiDSpritesConfig(), n=N, seed=0, out=path, workers=1)
    return path


def png(values: np.ndarray, form: str = "PNG") -> bytes:
    content = io.BytesIO()
    Image.fromarray(values).save(content, form)
    return content.getvalue()


def write_npz(path: Path, scenes: dict[str, np.ndarray]) -> None:
    np.savez_compressed(
        path,
        images=scenes["image"],
        segmentation=scenes["segmentation"],
        **{"factors/x": scenes["factors/x"]},
    )


def write_parquet(path: Path, scenes: dict[str, np.ndarray]) -> None:
    rows = range(len(scenes["image"]))
    columns = {
        "image": [{"bytes": png(scenes["image"][i]), "path": None} for i in rows],
        "segmentation": [{"bytes": png(scenes["segmentation"][i]), "path": None} for i in rows],
        "factors": [{"x": scenes["factors/x"][i].tolist()} for i in rows],
        "caption": ["a scene"] * len(rows),
    }
    pq.write_table(pa.table(columns), path, row_group_size=3)


def write_tar(path: Path, scenes: dict[str, np.ndarray], mode: str = "w") -> None:
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
        for i in range(len(scenes["image"])):
            factors = {"x": scenes["factors/x"][i].tolist()}
            members = {
                "png": png(scenes["image"][i]),
                "segmentation.png": png(scenes["segmentation"][i]),
                "json": json.dumps({"factors": factors, "caption": "a scene"}).encode(),
            }
            for ending, content in members.items():
                info = tarfile.TarInfo(f"some/{i:06d}.{ending}")
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))


def write_tar_gz(path: Path, scenes: dict[str, np.ndarray]) -> None:
    write_tar(path, scenes, "w:gz")


def write_encoded(path: Path, scenes: dict[str, np.ndarray]) -> None:
    from tfrecord.writer import TFRecordWriter

    stream = io.BytesIO()
    for i in range(len(scenes["image"])):
        features = {
            "image": (png(scenes["image"][i]), "byte"),
            "segmentation": (png(scenes["segmentation"][i]), "byte"),
            "factors/x": (scenes["factors/x"][i].tolist(), "float"),
            "caption": (b"a scene", "byte"),
        }
        write_record(stream, TFRecordWriter.serialize_tf_example(features))
    path.write_bytes(zlib.compress(stream.getvalue()))


WRITERS = {
    "npz": write_npz,
    "parquet": write_parquet,
    "tar": write_tar,
    "tar.gz": write_tar_gz,
    "tfrecords": write_encoded,
}
each_format = pytest.mark.parametrize("ending", WRITERS)


def rows_of(path: Path, start: int = 0, stop: int = N) -> dict[str, np.ndarray]:
    with SceneFile(path) as file:
        return file[start:stop]


def shards_of(folder: Path, sprites: Path, ending: str) -> Path:
    """Writes scenes as three shards, whose names sort otherwise than they count."""
    place = folder / "shards"
    place.mkdir()
    for name, start, stop in (("s-2", 0, 5), ("s-10", 5, 9), ("s-11", 9, N)):
        WRITERS[ending](place / f"{name}.{ending}", rows_of(sprites, start, stop))
    return place


def imported(*words: object) -> int:
    return main(["import", *map(str, words)])


@each_format
def test_shards_become_one_file_in_the_order_in_which_people_count(
    tmp_path: Path, sprites: Path, ending: str, capsys: pytest.CaptureFixture[str]
) -> None:
    place, out = shards_of(tmp_path, sprites, ending), tmp_path / "a.h5"
    assert imported(place, "--out", out) == 0
    said = capsys.readouterr().err
    first = f"{place}/s-2.{ending}"
    expected = f"scenes: {first}: no field for, and so not kept: caption\n"
    assert said == ("" if ending == "npz" else expected)
    ours, theirs = rows_of(out), rows_of(sprites)
    for key in ("image", "segmentation", "factors/x", "num_visible", "factors/visible_pixels"):
        np.testing.assert_array_equal(ours[key], theirs[key])
    assert not ours["mask_conflicts"].any()
    for other in (f"{place}/*", *(place / f"s-{i}.{ending}" for i in (11, 2))):  # the same again
        words = [other] if "*" in str(other) else sorted(place.iterdir())[::-1]
        assert imported(*words, "--out", out) == 0
    assert main(["verify", str(out), "--source", str(place), "--n", "3"]) == 0
    assert "made 0, 5, 11 again: the same in every byte" in capsys.readouterr().out


@each_format
def test_a_file_of_an_unfinished_import_goes_on(tmp_path: Path, sprites: Path, ending: str) -> None:
    place = shards_of(tmp_path, sprites, ending)
    records = survey([place])
    build(records.config, n=7, seed=0, out=tmp_path / "a.h5", workers=1)
    shutil.move(place, tmp_path / "moved")
    assert imported(tmp_path / "moved", "--out", tmp_path / "a.h5") == 0
    np.testing.assert_array_equal(rows_of(tmp_path / "a.h5")["image"], rows_of(sprites)["image"])


@each_format
def test_what_was_read_before_a_cut_is_kept(
    tmp_path: Path, sprites: Path, ending: str, capsys: pytest.CaptureFixture[str]
) -> None:
    place, out = shards_of(tmp_path, sprites, ending), tmp_path / "a.h5"
    second = place / f"s-10.{ending}"
    content = second.read_bytes()
    second.write_bytes(content[: len(content) // 2])  # a tar ends with padding
    code = imported(place, "--out", out)
    said = capsys.readouterr().err.splitlines()
    assert code in (1, 2)
    assert f"{second}: " in said[-1]
    assert not any("Traceback" in line for line in said)
    if ending in ("npz", "parquet"):  # their tables of contents stand at the end
        assert not out.exists()
        return
    n = len(rows_of(out)["image"])
    assert 5 <= n < 9
    assert said[-1].endswith(f"{out} has the {n} before it")
    np.testing.assert_array_equal(rows_of(out)["image"], rows_of(sprites, 0, n)["image"])


@each_format
def test_images_become_squares_of_a_size(tmp_path: Path, sprites: Path, ending: str) -> None:
    path, out = tmp_path / f"a.{ending}", tmp_path / "a.h5"
    scenes = rows_of(sprites)
    wide = {
        "image": scenes["image"][:, :40],
        "segmentation": scenes["segmentation"][:, :40],
        "factors/x": scenes["factors/x"],
    }
    WRITERS[ending](path, wide)
    assert imported(path, "--out", out) == 0
    assert rows_of(out)["image"].shape == (N, 40, 64, 3)
    assert imported(path, "--size", 32, "--fit", "pad", "--out", tmp_path / "b.h5") == 0
    assert imported(path, "--size", 40, "--out", tmp_path / "c.h5") == 0
    assert rows_of(tmp_path / "b.h5")["image"].shape == (N, 32, 32, 3)
    assert not rows_of(tmp_path / "b.h5")["image"][:, 0].any()
    middle = rows_of(tmp_path / "c.h5")
    np.testing.assert_array_equal(middle["image"], wide["image"][:, :, 12:52])
    np.testing.assert_array_equal(middle["segmentation"], wide["segmentation"][:, :, 12:52])


@each_format
def test_objects_without_a_pixel_are_entities_too(
    tmp_path: Path, sprites: Path, ending: str
) -> None:
    path, out = tmp_path / f"a.{ending}", tmp_path / "a.h5"
    scenes = rows_of(sprites, 0, 2)
    WRITERS[ending](path, {**scenes, "segmentation": np.zeros_like(scenes["segmentation"])})
    assert imported(path, "--out", out) == 0
    with SceneFile(out) as file:
        assert len(file.entities) == 1 + scenes["factors/x"].shape[1]
        np.testing.assert_array_equal(file["factors/x"][:], scenes["factors/x"])
        assert file["num_visible"][:].tolist() == [0, 0]


def test_factors_need_no_masks(tmp_path: Path, sprites: Path) -> None:
    scenes = rows_of(sprites)
    np.savez(tmp_path / "a.npz", images=scenes["image"], x=scenes["factors/x"])
    rows = [png(image) for image in scenes["image"]]
    few = [each[: 1 + i % 3].tolist() for i, each in enumerate(scenes["factors/x"])]
    pq.write_table(pa.table({"image": rows, "x": few}), tmp_path / "b.parquet")
    for name in ("a.npz", "b.parquet"):
        assert imported(tmp_path / name, "--out", tmp_path / "out.h5", "--overwrite") == 0
        assert "segmentation" not in rows_of(tmp_path / "out.h5")
    ours = rows_of(tmp_path / "out.h5")
    assert ours["num_objects"].tolist() == [1, 2, 3] * 4
    assert ours["factors/present"][0].tolist() == [True, False, False]
    np.testing.assert_array_equal(ours["factors/x"][2], scenes["factors/x"][2, :3])


def test_more_entities_than_a_byte_tells_apart_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, images=np.zeros((1, 4, 4, 3), np.uint8), x=np.zeros((1, 300)))
    assert imported(path) == 1
    said = f"scenes: {path}: record 0: 301 entities, background included; at most 255 are read\n"
    assert capsys.readouterr().err == said


def test_fit_alone_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert imported(tmp_path, "--fit", "pad") == 2
    said = "scenes: --fit pad needs --size, the side of the square in pixels\n"
    assert capsys.readouterr().err == said


def test_a_file_of_another_kind_is_refused_by_name_before_the_work(
    tmp_path: Path, sprites: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scenes = rows_of(sprites)
    write_npz(tmp_path / "a.npz", scenes)
    write_tar(tmp_path / "b.tar", scenes)
    np.savez(tmp_path / "c.npz", images=scenes["image"])
    assert imported(tmp_path / "a.npz", tmp_path / "b.tar") == 2
    assert capsys.readouterr().err == (
        f"scenes: {tmp_path}/b.tar: tar, but {tmp_path}/a.npz is npz; import each kind by itself\n"
    )
    assert imported(tmp_path / "a.npz", tmp_path / "c.npz") == 2
    assert capsys.readouterr().err == (
        f"scenes: {tmp_path}/c.npz: not as {tmp_path}/a.npz: it has no masks; import each by "
        "itself\n"
    )


def test_formats_are_told_by_content_not_by_name(tmp_path: Path, sprites: Path) -> None:
    scenes = rows_of(sprites)
    for number, write in enumerate(WRITERS.values()):
        path = tmp_path / f"{number}.npz"
        write(path, scenes)
        path.rename(tmp_path / f"{number}.data")
        assert imported(tmp_path / f"{number}.data", "--out", tmp_path / f"{number}.h5") == 0


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "of none of the formats that are read: Parquet, object-centric-library's HDF5"),
        (b"hello, world", "of none of the formats that are read: Parquet"),
        (png(np.zeros((4, 4, 3), np.uint8)), "a picture; scenes images reads folders of them"),
        (b"\x89HDF\r\n\x1a\n" + bytes(99), "not a readable HDF5 file, or cut short"),
        (b"PK\x03\x04" + bytes(99), "not an npz file: "),
        (b"\x93NUMPY\x01\x00\xff\xff", "EOF: "),
        (b"PAR1" + bytes(99), "record 0: "),
        (gzip.compress(b"hello", mtime=0), "record 0: cut short in its header"),
        (zlib.compress(b"hello" * 9), "record 0: wrong checksum of its length"),
    ],
    ids=["nothing", "text", "png", "hdf5", "npz", "npy", "parquet", "gzip", "zlib"],
)
def test_what_is_of_no_format_is_one_line(
    tmp_path: Path, content: bytes, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = tmp_path / "a.bin", tmp_path / "a.h5"
    path.write_bytes(content)
    assert imported(path, "--out", out) in (1, 2)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"scenes: {path}: {said}")
    assert not out.exists()


def test_what_a_folder_has_besides_is_named_and_left_out(
    tmp_path: Path, sprites: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "shards"
    place.mkdir()
    write_tar(place / "a.tar", rows_of(sprites))
    (place / "README.md").write_text("# Shards")
    (place / ".hidden").write_text("")
    (place / "inside").mkdir()
    assert imported(place, "--out", tmp_path / "a.h5") == 0
    left_out, unread = capsys.readouterr().err.splitlines()
    assert left_out.startswith(f"scenes: left out: {place}/README.md: of none of the formats")
    assert unread.endswith("not kept: caption")


@pytest.mark.parametrize("kind", ["a pipe", "a device"])
def test_only_files_are_opened(
    tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.tar"
    if kind == "a pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    assert imported(path) == 2
    assert capsys.readouterr().err == f"scenes: {path}: {kind}, not a file\n"


def test_patterns_and_names(tmp_path: Path, sprites: Path) -> None:
    for name in ("a-1", "a-2", "a-10", "b-1"):
        write_npz(tmp_path / f"{name}.npz", rows_of(sprites, 0, 1))
    shards = find_shards([tmp_path / "a-*.npz"])
    assert [path.stem for path in shards.paths] == ["a-1", "a-2", "a-10"]
    with pytest.raises(UsageError, match=re.escape(f"{tmp_path}/c*: no file has such a name")):
        find_shards([tmp_path / "c*"])
    with pytest.raises(UsageError, match=re.escape(f"{tmp_path}/a-1.npz: named twice")):
        find_shards([tmp_path / "a-1.npz", tmp_path / "a-*.npz"])
    (tmp_path / "odd[1].npz").write_bytes((tmp_path / "a-1.npz").read_bytes())
    assert find_shards([tmp_path / "odd[1].npz"]).paths == (tmp_path / "odd[1].npz",)
    assert sorted(["x10", "x9", "x", "x9a", "9", "²"], key=natural) == sorted(
        ["9", "x", "x9", "x9a", "x10", "²"], key=natural
    )
    assert default_name([tmp_path / "a-1.npz"]) == Path("data/imported/a-1.h5")
    assert default_name([tmp_path]) == Path(f"data/imported/{tmp_path.name}.h5")
    assert default_name([tmp_path / "a-*.npz"]) == Path(f"data/imported/{tmp_path.name}.h5")


def test_records_come_forward_and_back(tmp_path: Path, sprites: Path) -> None:
    place = shards_of(tmp_path, sprites, "tar")
    source, images = ImportedSource(survey([place]).config, 0), rows_of(sprites)["image"]
    for number in (1, 2, 7, 0, 11, 5, 4):
        np.testing.assert_array_equal(source[number].image, images[number])
    with pytest.raises(NoSuchRecordError, match="there are only 12 records"):
        source[12]


def test_images_of_other_sizes_need_a_size(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [png(np.full((h, 9, 3), 7, np.uint8), "JPEG") for h in (8, 8, 10)]
    path, out = tmp_path / "a.parquet", tmp_path / "a.h5"
    pq.write_table(pa.table({"image": rows}), path)
    assert imported(path, "--out", out) == 1
    assert capsys.readouterr().err == (
        f"scenes: {path}: record 2: 10 x 9 pixels, but record 0 has 8 x 9; --size 64 --fit crop "
        f"makes them alike; {out} has the 2 before it\n"
    )
    assert imported(path, "--size", 8, "--out", tmp_path / "b.h5") == 0
    assert rows_of(tmp_path / "b.h5").keys() == {"image"}


def test_further_features_of_a_record_are_kept_or_named(
    tmp_path: Path, sprites: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from scenes.formats.tfrecord import decode

    plain, path, out = tmp_path / "a.tfrecords", tmp_path / "b.tfrecords", tmp_path / "b.h5"
    assert main(["export", str(sprites), "--out", str(plain)]) == 0
    with path.open("wb") as stream:
        for number, record in enumerate(read_records(plain)):
            more = {
                "rotation": np.arange(5, dtype=np.float32),
                "camera/yaw": np.array([number], np.float32),
                "weather": np.array([3]),
            }
            write_record(stream, encode({**decode(record), **more}))
    capsys.readouterr()
    assert imported(path, "--out", out) == 0
    assert "no field for, and so not kept: weather\n" in capsys.readouterr().err
    rows = rows_of(out)
    assert rows["factors/rotation"].tolist() == [[1, 2, 3, 4]] * N
    assert rows["background/rotation"].tolist() == [[0]] * N
    assert rows["camera/yaw"].tolist() == list(range(N))
    np.testing.assert_array_equal(rows["factors/x"], rows_of(sprites)["factors/x"])


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"pictures": np.zeros((2, 4, 4, 3), np.uint8)}, "no array of images (images or image)"),
        ({"images": np.zeros((2, 3, 4, 4), np.uint8)}, "images: must be (N, H, W, 3)"),
        ({"images": np.zeros((2, 4, 4, 3), np.int64)}, "images: must be uint8, or floats, got"),
        ({"images": np.zeros((2, 4, 4, 3))}, "images: float64; --float-range 0 1 says"),
        ({"images": np.array([{}, {}])}, "images: holds Python objects (a pickle)"),
        ({"images": np.zeros((0, 4, 4, 3), np.uint8)}, "record 0: the file is empty"),
        (
            {"images": np.zeros((2, 4, 4, 3), np.uint8), "masks": np.zeros((2, 5, 5))},
            "masks: must be labels (N, H, W) or masks (N, K, H, W)",
        ),
        (
            {"images": np.zeros((2, 4, 4, 3), np.uint8), "masks": np.zeros((3, 4, 4))},
            "masks: 3 rows, but 2 images",
        ),
        (
            {"images": np.zeros((2, 4, 4, 3), np.uint8), "masks": np.full((2, 4, 4), 255)},
            "record 0: labels must be whole numbers from 0 to 254, got 255",
        ),
        (
            {"images": np.zeros((2, 4, 4, 3), np.uint8), "masks": np.full((2, 4, 4), np.nan)},
            "record 0: labels must be whole numbers from 0 to 254, got nan",
        ),
        (
            {
                "images": np.zeros((1, 4, 4, 3), np.uint8),
                "masks": np.ones((1, 2, 4, 4)) * [[[[1, 2, 1, 1]]]],
            },
            "masks must be 0 or one other value",
        ),
        (
            {
                "images": np.zeros((1, 4, 4, 3), np.uint8),
                "masks": np.full((1, 2, 4, 4), "0"),
            },
            "masks must be 0 or one other value",
        ),
        (
            {
                "images": np.zeros((1, 4, 4, 3), np.uint8),
                "masks": np.zeros((1, 4, 4, 2, 7), np.uint8),
            },
            "masks: must be labels (N, H, W) or masks (N, K, H, W) of images of (4, 4), got "
            "(1, 4, 4, 2, 7)",
        ),
        (
            {"images": np.zeros((1, 4, 4, 3), np.uint8), "factors/x": np.array([[np.inf]])},
            "record 0: factors/x: inf: not a finite number",
        ),
    ],
)
def test_arrays_that_are_no_scenes_are_one_line(
    tmp_path: Path, arrays: dict, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, **arrays)
    assert imported(path, "--out", tmp_path / "a.h5") in (1, 2)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"scenes: {path}: ")
    assert said in line
    assert not (tmp_path / "a.h5").exists()


def test_npy_files_of_images_and_masks_are_read_together(
    tmp_path: Path, sprites: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scenes = rows_of(sprites)
    place = tmp_path / "arrays"
    place.mkdir()
    np.save(place / "images.npy", scenes["image"].astype(np.float32) / 127.5 - 1)
    with SceneFile(sprites) as file:
        np.save(place / "masks.npy", file.masks(slice(1, None)))
    out = tmp_path / "a.h5"
    assert imported(place, "--float-range", -1, 1, "--out", out) == 1
    assert "masks: 11 rows, but 12 images" in capsys.readouterr().err
    with SceneFile(sprites) as file:
        np.save(place / "masks.npy", file.masks(slice(None)))
    assert imported(place, "--float-range", -1, 1, "--out", out) == 0
    for key in ("image", "segmentation"):
        np.testing.assert_array_equal(rows_of(out)[key], scenes[key])
    np.save(place / "masks.npy", scenes["segmentation"])
    assert imported(place / "images.npy", "--float-range", -1, 1, "--out", out) == 2
    assert "exists and is something else" in capsys.readouterr().err
    assert imported(place / "images.npy", "--float-range", -1, 0.5, "--out", tmp_path / "b.h5") == 1
    assert "is not from -1 to 0.5" in capsys.readouterr().err


@pytest.mark.parametrize("tail", [(), (1,)])
@pytest.mark.parametrize("axis", [1, 3])
def test_masks_are_read_with_the_entity_first_or_last(
    tmp_path: Path, sprites: Path, axis: int, tail: tuple[int, ...]
) -> None:
    scenes = rows_of(sprites)
    with SceneFile(sprites) as file:
        masks = np.moveaxis(file.masks(slice(None)), 1, axis)
    shaped = masks.reshape(*masks.shape, *tail)
    np.savez(tmp_path / "a.npz", images=scenes["image"], masks=shaped)
    assert imported(tmp_path / "a.npz", "--out", tmp_path / "a.h5") == 0
    np.testing.assert_array_equal(
        rows_of(tmp_path / "a.h5")["segmentation"], scenes["segmentation"]
    )


def test_a_table_without_columns_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"a": [1]}).select([]), path)
    assert imported(path) == 1
    said = f"scenes: {path}: record 0: no column image or images or img; it has nothing\n"
    assert capsys.readouterr().err == said


def test_a_cut_npy_keeps_the_rows_before(
    tmp_path: Path, sprites: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = tmp_path / "train.npy", tmp_path / "a.h5"
    np.save(path, rows_of(sprites)["image"])
    path.write_bytes(path.read_bytes()[:-20_000])
    assert imported(path, "--out", out) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"scenes: {path}: record 10: ")
    assert said.endswith(f"{out} has the 10 before it\n")
    np.testing.assert_array_equal(rows_of(out)["image"], rows_of(sprites, 0, 10)["image"])


def test_masks_of_objects_alone_leave_the_background_the_rest(
    tmp_path: Path, sprites: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with SceneFile(sprites) as file:
        masks = file.masks(slice(None))
    lists = [[png(mask.astype(np.uint8) * 255) for mask in each[1:]] for each in masks]
    images = [png(image) for image in rows_of(sprites)["image"]]
    path, out = tmp_path / "a.parquet", tmp_path / "a.h5"
    pq.write_table(pa.table({"image": images, "masks": lists}), path)
    assert imported(path, "--out", out) == 0
    assert "all its masks are read as those of objects" in capsys.readouterr().err
    np.testing.assert_array_equal(rows_of(out)["segmentation"], rows_of(sprites)["segmentation"])
    whole = pa.table({"image": images, "mask": masks.astype(np.uint8).tolist()})
    pq.write_table(whole, tmp_path / "b.parquet")
    assert imported(tmp_path / "b.parquet", "--out", tmp_path / "b.h5") == 0
    assert capsys.readouterr().err == ""
    np.testing.assert_array_equal(
        rows_of(tmp_path / "b.h5")["segmentation"], rows_of(sprites)["segmentation"]
    )


def test_a_path_in_a_table_is_not_opened(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"image": [{"bytes": None, "path": "/etc/passwd"}]}), path)
    assert imported(path) == 1
    assert "image: no bytes: a path is not opened" in capsys.readouterr().err


def test_without_pyarrow_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(b"PAR1")
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    assert imported(path) == 2
    said = f"scenes: {path}: Parquet is read by pyarrow: pip install 'scenes[parquet]'\n"
    assert capsys.readouterr().err == said


def member(name: str, content: bytes = b"", **fields: object) -> bytes:
    """One member of a tar, of any type and name."""
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for key, value in fields.items():
        setattr(info, key, value)
    padding = bytes(-len(content) % 512)
    return info.tobuf(tarfile.PAX_FORMAT) + content + padding


END = bytes(1024)
PICTURE = png(np.zeros((4, 4, 3), np.uint8))


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (member("b.png", type=tarfile.SYMTYPE, linkname="/etc/passwd"), "b.png: no regular file"),
        (member("b.png", type=tarfile.LNKTYPE, linkname="a.png"), "b.png: no regular file"),
        (member("b.png", type=tarfile.CHRTYPE), "b.png: no regular file"),
        (member("b.png", type=tarfile.FIFOTYPE), "b.png: no regular file"),
        (member("/b.png", PICTURE), "/b.png: a name that leads elsewhere"),
        (member("a/../../b.png", PICTURE), "a name that leads elsewhere"),
        (member("b" * 300 + "/../c.png", PICTURE), "a name that leads elsewhere"),
        (member("b.png", size=1 << 40), "declares 1,099,511,627,776 bytes; at most 67,108,864"),
        (member("b.png", PICTURE)[:700], "cut short in b.png"),
        (b"x" * 512, "a damaged header: "),
        (member("b.txt", b"hello"), "b: no picture"),
        (member("b.png", PICTURE[:40]), "record 2 (b): image: "),
        (member("b.png", PICTURE) + member("b.json", b"{"), "b.json: not JSON"),
        (member("b.png", PICTURE) + member("b.PNG", PICTURE), "b.PNG: twice in one sample"),
        (member("b.png", PICTURE) + member("b.mask.png", PICTURE), "some records have masks"),
        (b"", "cut short: a tar ends with blocks of zeros"),
    ],
)
def test_members_that_are_no_files_or_damaged_end_a_tar_and_those_before_are_kept(
    tmp_path: Path, bad: bytes, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = tmp_path / "a.tar", tmp_path / "a.h5"
    end = b"" if said.startswith("cut short") else END
    path.write_bytes(member("a.png", PICTURE) + member("aa.png", PICTURE) + bad + end)
    assert imported(path, "--out", out) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"scenes: {path}: record ")
    assert said in line
    # Of the sample before it is not known whether it would have had another member.
    assert len(rows_of(out)["image"]) in (1, 2)
    assert {each.name for each in tmp_path.iterdir()} <= {"a.tar", "a.h5"}


def test_names_of_members_are_printed_without_their_control_codes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(member("\x1b[2J\n<b>.png", PICTURE[:40]) + END)
    assert imported(path) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "\x1b" not in line


def test_a_bomb_of_zeros_is_refused_unread(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.tar.gz"
    header = member("a.png", size=1 << 33)
    path.write_bytes(gzip.compress(header + bytes(1 << 24), 1))
    assert imported(path) == 1
    assert "declares 8,589,934,592 bytes" in capsys.readouterr().err


class Trap:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.path),)


def test_what_object_centric_library_reads_comes_back_without_its_metadata(
    tmp_path: Path, sprites: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "ocl"
    place.mkdir()
    path, out = place / "sprites_ocl.hdf5", tmp_path / "a.h5"
    words = ["export", str(sprites), "--format", "object-centric-library", "--out", str(path)]
    assert main(words) == 0
    trap = np.array([Trap(tmp_path / "sprung")], dtype=object)
    np.save(place / "sprites_ocl-metadata.npy", trap, allow_pickle=True)
    capsys.readouterr()
    assert imported(place, "--out", out) == 0
    assert "a pickle, which is never loaded; the HDF5 says it all" in capsys.readouterr().err
    assert not (tmp_path / "sprung").exists()
    ours, theirs = rows_of(out), rows_of(sprites)
    for key in ("image", "segmentation", "factors/x", "factors/y", "factors/scale"):
        np.testing.assert_array_equal(ours[key], theirs[key])
    np.testing.assert_array_equal(ours["factors/color"], theirs["factors/color_rgb"])
    np.testing.assert_array_equal(ours["factors/shape"], theirs["factors/shape"])
    np.testing.assert_array_equal(ours["num_objects"], theirs["num_visible"])


def released(path: Path, n: int = 3, **others: np.ndarray) -> None:
    """Writes the Objects Room as that library releases it: no last axis of `visibility`."""
    rng = np.random.default_rng(0)
    labels = rng.integers(7, size=(n, 64, 64, 1))
    with h5py.File(path, "w") as file:
        file["image"] = rng.integers(256, size=(n, 64, 64, 3), dtype=np.uint8)
        file["mask"] = labels
        file["num_actual_objects"] = np.full((n, 1), 3.0)
        file["visibility"] = np.ones((n, 7))
        for key, value in others.items():
            file[key] = value


def test_released_rooms_are_told_by_the_shape_of_visibility(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = tmp_path / "objects_room.hdf5", tmp_path / "a.h5"
    released(path, odd=np.full((3, 2), b"text"), pixel_coords=np.full((3, 7, 3), np.nan))
    assert imported(path, "--out", out) == 0
    assert "not kept: odd, pixel_coords\n" in capsys.readouterr().err
    with SceneFile(out) as file, h5py.File(path) as theirs:
        assert file.entities[:5] == ("sky", "floor", "wall_left", "wall_right", "object_0")
        assert len(file.entities) == 7
        np.testing.assert_array_equal(file["segmentation"][:], theirs["mask"][..., 0])


def test_damage_of_hdf5_names_the_file_and_the_key(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.hdf5"
    with h5py.File(path, "w") as file:
        file["image"] = np.zeros((1, 4, 4, 3), np.uint8)
        file["mask"] = np.zeros((1, 1, 4, 4, 1), np.uint8)
        x = file.create_dataset("x", data=np.ones((1, 1, 1)), chunks=(1, 1, 1), fletcher32=True)
        place = x.id.get_chunk_info(0).byte_offset
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)
    assert imported(path, "--out", tmp_path / "a.h5") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"scenes: {path}: x: cannot be read: ")


def test_hdf5_of_others_and_of_ours_are_refused(
    tmp_path: Path, sprites: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert imported(sprites) == 1
    assert "a file of scenes already, as every command takes it" in capsys.readouterr().err
    path = tmp_path / "a.hdf5"
    with h5py.File(path, "w") as file:
        file["data"] = np.zeros(3)
    assert imported(path) == 1
    assert "no image and mask; it has data" in capsys.readouterr().err
    released(tmp_path / "b.hdf5")
    with h5py.File(tmp_path / "b.hdf5", "a") as file:
        file["mask"][1, 2, 3] = 7
    assert imported(tmp_path / "b.hdf5", "--out", tmp_path / "b.h5") == 1
    assert "record 1: has entity 7 of 7; " in capsys.readouterr().err
    assert len(rows_of(tmp_path / "b.h5")["image"]) == 1


def test_the_number_of_a_broken_record_counts_over_all_files(tmp_path: Path, sprites: Path) -> None:
    place = shards_of(tmp_path, sprites, "npz")
    with np.load(place / "s-10.npz") as arrays:
        whole = dict(arrays)
    whole["factors/x"][1, 0] = np.nan
    np.savez(place / "s-10.npz", **whole)
    source = ImportedSource(survey([place]).config, 0)
    with pytest.raises(
        RecordError, match=re.escape("s-10.npz: record 1: factors/x: nan")
    ) as raised:
        source[6]
    assert raised.value.number == 6
