"""Damaged files of other projects: read, or refused in one line, and nothing else."""

import gzip
import io
import json
import shutil
import zlib
from pathlib import Path

import numpy as np
import pytest
from fuzzing import MUTATED, NEVER, Target, check
from PIL import Image
from scenes.clevr.folder import inspect
from scenes.clevr.scenes_json import read_scenes
from scenes.cli import main
from scenes.formats.image_file import FORMATS, read_indices, read_rgb
from scenes.formats.imported_source import ImportedSource
from scenes.formats.importing import survey
from scenes.formats.records import NoSuchRecordError
from scenes.formats.shards.verification import verify_shards
from scenes.formats.tfrecord import encode, read_records, write_record

pytestmark = pytest.mark.slow


def read_scenes_of(path: Path) -> None:
    """Reads a TFRecord as `scenes import` does, but writes nothing."""
    source = ImportedSource(survey([path]).config, seed=0)
    try:
        for number in range(100):
            source[number]
    except NoSuchRecordError:
        assert number > 0


def framed(*records: bytes) -> bytes:
    stream = io.BytesIO()
    for record in records:
        write_record(stream, record)
    return stream.getvalue()


def room() -> bytes:
    """A record of the Objects Room's layout, which has a picture and masks alone."""
    labels = np.random.default_rng(0).integers(7, size=(64, 64))
    masks = (labels == np.arange(7)[:, None, None]).astype(np.uint8) * np.uint8(255)
    return encode({"image": np.zeros((64, 64, 3), np.uint8), "mask": masks})


@pytest.fixture(scope="module")
def sprites(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    folder = tmp_path_factory.mktemp("sprites")
    assert main(["sprites", "--n", "3", "--workers", "1", "--out", str(folder / "a.h5")]) == 0
    assert main(["export", str(folder / "a.h5")]) == 0
    return list(read_records(folder / "a.tfrecords"))


def targets_of(name: str, records: list[bytes]) -> list[Target]:
    """Returns a file and its first record, plain and gzipped: the record behind sound checksums."""
    first, *rest = records
    whole = framed(*records)
    return [
        Target(f"{name}: file", whole, ".tfrecords", read_scenes_of),
        Target(f"{name}: gzip", gzip.compress(whole, 1), ".tfrecords", read_scenes_of),
        Target(f"{name}: record", first, ".tfrecords", read_scenes_of, lambda r: framed(r, *rest)),
        Target(
            f"{name}: packed record",
            first,
            ".tfrecords",
            read_scenes_of,
            lambda r: gzip.compress(framed(r, *rest), 1),
        ),
    ]


def test_tfrecords_of_rooms_and_sprites(tmp_path, sprites, promise):
    targets = targets_of("rooms", [room(), room()]) + targets_of("sprites", sprites)
    cases = check(targets, tmp_path, cases=60)
    promise("Damaged TFRecords crash or hang nothing", MUTATED, cases, NEVER)


def test_tfrecords_of_clevr(tmp_path, shared_data, promise):
    """Fewer, since a record has 3 MB."""
    crops = list(read_records(shared_data / "tfrecords" / "clevr_with_masks.tfrecords"))[:2]
    cases = check(targets_of("clevr", crops), tmp_path, cases=25)
    promise("Damaged TFRecords crash or hang nothing", MUTATED, cases, NEVER)


def test_features_of_a_record(tmp_path, sprites, promise):
    """Damage within the small features, which lie before and behind the picture."""
    small = {"x": np.ones(5, np.float32), "n": np.arange(5), "b": np.arange(9, dtype=np.uint8)}

    def read(path: Path) -> None:
        from scenes.formats.tfrecord import decode

        for record in read_records(path):
            decode(record)

    target = Target("features", encode(small), ".tfrecords", read, framed, says_where=False)
    cases = check([target], tmp_path, cases=1500)
    promise("Damaged TFRecords crash or hang nothing", MUTATED, cases, NEVER)


def read_png(path: Path) -> None:
    read_rgb(path, ("PNG",))


def sealed(png: bytes) -> bytes:
    """Returns a PNG with the right checksum behind each chunk, as far as chunks can be told."""
    data, place = bytearray(png), 8
    while place + 12 <= len(data):
        stop = place + 8 + int.from_bytes(data[place : place + 4], "big")
        if stop + 4 > len(data):
            break
        data[stop : stop + 4] = zlib.crc32(data[place + 4 : stop]).to_bytes(4, "big")
        place = stop + 4
    return bytes(data)


def test_pngs(tmp_path, promise):
    targets = []
    rng = np.random.default_rng(0)
    colors = Image.fromarray(rng.integers(256, size=(24, 32, 3), dtype=np.uint8))
    depths = Image.fromarray(rng.integers(1 << 16, size=(24, 32), dtype=np.uint16))
    for name, image in (("colours", colors), ("palette", colors.quantize(8)), ("16 bits", depths)):
        content = io.BytesIO()
        image.save(content, "PNG")
        targets += [
            Target(f"{name}{which}", content.getvalue(), ".png", read_png, wrap)
            for which, wrap in (("", bytes), (", sound checksums", sealed))
        ]
    cases = check(targets, tmp_path, cases=400)
    promise("Damaged PNGs crash or hang nothing", MUTATED, cases, NEVER)


def test_inspected_pngs(tmp_path, promise):
    def read(path: Path) -> None:
        inspection = inspect(path)
        if inspection.reason:
            assert "\n" not in inspection.reason
            raise ValueError(f"{path}: {inspection.reason}")

    content = io.BytesIO()
    Image.new("RGB", (320, 240), (1, 2, 3)).save(content, "PNG")
    target = Target("inspected", content.getvalue(), ".png", read)
    cases = check([target], tmp_path, cases=300)
    promise("Damaged PNGs crash or hang nothing", MUTATED, cases, NEVER)


def test_scenes_jsons(tmp_path, promise):
    cube = {
        "shape": "cube",
        "size": "small",
        "material": "metal",
        "color": "cyan",
        "3d_coords": [0.5, -1.5, 0.35],
        "rotation": 90.0,
        "pixel_coords": [1, 2, 11.0],
    }
    scenes = [{"image_filename": f"{i}.png", "objects": [cube] * i} for i in range(4)]
    text = json.dumps({"info": {"split": "train"}, "scenes": scenes}).encode()
    target = Target("scenes", text, ".json", read_scenes)
    cases = check([target], tmp_path, cases=1500)
    promise("Damaged scenes JSONs crash or hang nothing", MUTATED, cases, NEVER)


def test_manifests_of_shards(tmp_path):
    folder = tmp_path / "shards"
    (tmp_path / "damaged").mkdir()
    assert main(["sprites", "--n", "40", "--workers", "1", "--out", str(tmp_path / "a.h5")]) == 0
    export = ["export", str(tmp_path / "a.h5"), "--format", "webdataset", "--out", str(folder)]
    assert main([*export, "--per-shard", "16"]) == 0
    manifest = folder / "manifests" / "train.json"

    def read(path: Path) -> None:
        shutil.copy(path, manifest)
        if problems := verify_shards(folder).problems:
            raise ValueError(problems[0])

    target = Target("manifest", manifest.read_bytes(), ".json", read, says_where=False)
    check([target], tmp_path / "damaged", cases=300)


def read_picture(path: Path) -> None:
    read_rgb(path, FORMATS)


def read_mask(path: Path) -> None:
    read_indices(path)


def test_pictures_and_masks(tmp_path):
    rng = np.random.default_rng(0)
    colors = Image.fromarray(rng.integers(256, size=(24, 32, 3), dtype=np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6
    targets = []
    for form in ("JPEG", "WEBP"):
        content = io.BytesIO()
        colors.save(content, form, exif=exif)
        targets.append(Target(form, content.getvalue(), f".{form.lower()}", read_picture))
    for name, image in (("colours", colors), ("indices", colors.quantize(8))):
        content = io.BytesIO()
        image.save(content, "PNG")
        targets.append(Target(f"mask of {name}", content.getvalue(), ".png", read_mask, sealed))
    check(targets, tmp_path, cases=300)


def read_import(path: Path) -> None:
    """Looks through a file as `scenes import` does, and reads its scenes, but writes nothing."""
    records = survey([path])
    source = ImportedSource(records.config, seed=0)
    for number in range(records.n):
        source[number]


@pytest.fixture(scope="module")
def scene_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Returns a small file of each format that has images and masks."""
    import tarfile

    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = tmp_path_factory.mktemp("formats")
    assert main(["sprites", "--n", "3", "--workers", "1", "--out", str(folder / "a.h5")]) == 0
    words = ["export", str(folder / "a.h5"), "--format", "object-centric-library"]
    assert main([*words, "--out", str(folder / "a.hdf5")]) == 0
    rng = np.random.default_rng(0)
    images = rng.integers(256, size=(3, 8, 8, 3), dtype=np.uint8)
    labels = rng.integers(3, size=(3, 8, 8), dtype=np.uint8)
    np.save(folder / "a.npy", images)
    np.savez(folder / "a.npz", images=images, masks=labels)
    np.savez_compressed(folder / "b.npz", images=images, masks=labels)
    pictures = [sealed(encoded(image)) for image in images]
    masks = [encoded(mask) for mask in labels]
    table = pa.table(
        {
            "image": [{"bytes": picture, "path": None} for picture in pictures],
            "segmentation": labels.tolist(),
            "factors/x": [[0.5, 1.0]] * 3,
        }
    )
    pq.write_table(table, folder / "a.parquet")
    with tarfile.open(folder / "a.tar", "w") as tar:
        for i in range(3):
            members = {"png": pictures[i], "mask.png": masks[i], "json": b'{"x": [0.5, 1]}'}
            for ending, content in members.items():
                info = tarfile.TarInfo(f"{i}.{ending}")
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    paths = ("a.hdf5", "a.npy", "a.npz", "b.npz", "a.parquet", "a.tar")
    files = {name: (folder / name).read_bytes() for name in paths}
    return {**files, "a.tar.gz": gzip.compress(files["a.tar"])}


def encoded(values: np.ndarray) -> bytes:
    content = io.BytesIO()
    Image.fromarray(values).save(content, "PNG")
    return content.getvalue()


@pytest.mark.parametrize(
    "name", ["a.hdf5", "a.npy", "a.npz", "b.npz", "a.parquet", "a.tar", "a.tar.gz"]
)
def test_files_that_are_imported(tmp_path, scene_files, name, promise):
    target = Target(name, scene_files[name], f".{name.partition('.')[2]}", read_import)
    cases = check([target], tmp_path, cases=300)
    promise("Damaged files that are imported crash or hang nothing", MUTATED, cases, NEVER)


def test_deflated_tfrecords(tmp_path, sprites, promise):
    whole = zlib.compress(framed(*sprites))
    target = Target("zlib", whole, ".tfrecords", read_import)
    cases = check([target], tmp_path, cases=60)
    promise("Damaged TFRecords crash or hang nothing", MUTATED, cases, NEVER)
