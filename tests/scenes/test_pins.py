"""What the commands give, byte by byte: it stays the same however the code is arranged."""

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image
from scenes.cli import main
from scenes.formats.tfrecord import encode, write_record

RENDERER = "llvmpipe (LLVM 15.0.6, 256 bits)"
"""Renderer whose pixels are pinned; another one's differ."""
RENDERED = {"rooms", "like"}
COMMANDS = {
    "rooms": "render --n 3 --size 32 --split test --depth --seed 5",
    "sprites": "sprites --n 6 --variant colored_on_grayscale --split test --seed 5",
    "crops": "clevr pngs --scenes pngs/scenes.json",
    "like": "clevr-like --n 1 --split test --max-objects 4 --seed 5",
    "imported": "import tetrominoes.tfrecords",
}
DIGESTS = {
    "rooms": "e7ed168557375c58f01010f6b3f7f2d194cd18cb49ed78ca6e1b6257336662e0",
    "sprites": "6f5bfdef1f81f718eae7e2d23656acc3abf645c50e11431bb2ae2dce9c14e348",
    "crops": "2de4c3e28069e59e99a78b62d58e0a5707bdf4f4c5e17905c88e87d847ab3ddb",
    "like": "25b6fe2b24d9e6787d1c667769d7479d1839ef023719b8960ebcdc6ac9e31c39",
    "imported": "d536fd775ae24e27c435e33451d2d853dd7ed37ce0654e49385b94bfe2cb2db7",
}
KEYS = {
    "rooms": (
        "amodal background/floor_rgb background/wall_rgb camera/pitch camera/position "
        "camera/yaw checksums depth factors/color_hsv factors/color_rgb factors/position "
        "factors/present factors/rotation factors/shape factors/size factors/visible_pixels "
        "image num_objects num_visible segmentation"
    ),
    "sprites": (
        "amodal background/color_rgb checksums factors/color_rgb factors/orientation "
        "factors/present factors/scale factors/shape factors/visible_pixels factors/x "
        "factors/y image num_objects num_visible segmentation"
    ),
    "crops": (
        "checksums factors/color factors/material factors/position factors/present "
        "factors/rotation factors/shape factors/size image num_objects"
    ),
    "like": (
        "amodal background/lamp_position camera/position checksums factors/color "
        "factors/material factors/position factors/present factors/rotation factors/shape "
        "factors/size factors/visible_pixels image num_objects num_visible segmentation"
    ),
    "imported": (
        "background/color background/shape background/visibility background/x background/y "
        "checksums factors/color factors/present factors/shape factors/visibility "
        "factors/visible_pixels factors/x factors/y image mask_conflicts num_objects "
        "num_visible segmentation"
    ),
}
VERIFIED = {
    "rooms": "rooms.h5: 3 scenes of 19 fields: ",
    "sprites": "sprites.h5: 6 scenes of 14 fields: ",
    "crops": "crops.h5: 2 scenes of 9 fields: ",
    "like": "like.h5: 1 scenes of 15 fields: ",
    "imported": "imported.h5: 2 scenes of 17 fields: ",
}
SOURCES = {
    "crops": ["--source", "pngs", "--scenes", "pngs/scenes.json"],
    "imported": ["--source", "tetrominoes.tfrecords"],
}
PAGE_KEYS = "entities background palette width height show scenes"
SCENE_KEYS = "image runs depth values objects"
SCENE_VALUES = (
    "background/floor_rgb background/wall_rgb camera/pitch camera/position camera/yaw "
    "num_objects num_visible"
)
OBJECT_VALUES = "color_hsv color_rgb position rotation shape size visible_pixels"
MISTAKES = [
    ("render --n 0", 2, "--n must be at least 1, got 0"),
    ("render --size 33", 2, "--size must be even, from 16 to 512, got 33"),
    ("render --objects 12", 2, "--objects must be from 0 to 9, got 12"),
    ("render --objects 3 --split test", 2, "--objects is a split of its own; leave --split out"),
    (
        "render --split nowhere",
        2,
        (
            "no condition 'nowhere'; there are train, test, empty_room, six_objects, "
            "identical_color, four_identical and objects_0 to 9"
        ),
    ),
    ("render --seed -1", 2, "--seed must be from 0 to 2^63 - 1, got -1"),
    ("render --shapes", 2, "--shapes must name at least one shape"),
    (
        "render --hold-out colour=red",
        2,
        (
            "'colour=red' is no kind of objects; write it as shape=sphere, hue=0.9-0.1 or "
            "shape=sphere,hue=0.9-0.1"
        ),
    ),
    ("render --workers 0 --out x.h5", 2, "--workers must be at least 1, got 0"),
    (
        "render --engine ray --workers 2 --out x.h5",
        2,
        "--workers is for this machine; a Ray cluster uses all its cores",
    ),
    ("render --address a:1 --out x.h5", 2, "--address goes with --engine ray"),
    (
        "render --out sprites.h5",
        2,
        "sprites.h5 exists and is something else; --overwrite replaces it",
    ),
    ("render --only-held-out", 2, "--only-held-out needs --hold-out, which names the objects"),
    (
        "sprites --dsprites nowhere.npz",
        2,
        "nowhere.npz: no such file; without --dsprites sprites are drawn",
    ),
    (
        "sprites --n 3 --split test --variant colored_on_grayscale --seed 5 --out sprites.h5",
        2,
        "sprites.h5 has 6 scenes already, more than 3; --overwrite replaces it",
    ),
    ("clevr nowhere", 2, "nowhere: no such file or folder"),
    ("clevr pngs --max-objects 0", 2, "--max-objects must be at least 1, got 0"),
    ("clevr pngs --n 3", 2, "pngs: --n 3, but there are 2 such scenes"),
    ("clevr pngs --scenes nowhere.json", 2, "nowhere.json: no such file or folder"),
    (
        "clevr tetrominoes.tfrecords",
        2,
        "tetrominoes.tfrecords: tetrominoes; scenes import reads that",
    ),
    ("clevr-like --max-objects 2", 2, "--max-objects must be from 3 to 10, got 2"),
    ("import nowhere.tfrecords", 1, "nowhere.tfrecords: no such file or directory"),
    ("export nowhere.h5", 2, "nowhere.h5: no such file; scenes render makes one"),
    (
        "export crops.h5",
        2,
        "crops.h5: dataset: 'clevr' has no layout in multi_object_datasets; the other format is "
        "--format object-centric-library",
    ),
    ("export sprites.h5 --out rooms.h5", 2, "rooms.h5 exists; --overwrite replaces it"),
    ("show nowhere.h5", 2, "nowhere.h5: no such file; scenes render makes one"),
    ("show rooms.h5 --n 0", 2, "--n must be at least 1, got 0"),
    (
        "show rooms.h5 --out rooms.h5",
        2,
        "rooms.h5: a contact sheet must have a name that ends in .png",
    ),
    (
        "show rooms.h5 --html --out rooms.png",
        2,
        "rooms.png: a page (--html) must have a name that ends in .html",
    ),
    ("show crops.h5 --masks", 2, "crops.h5: --masks needs segmentations, and this file has none"),
    ("verify nowhere.h5", 2, "nowhere.h5: no such file"),
    ("verify rooms.h5 --n -1", 2, "--n must be at least 0, got -1"),
    (
        "verify tetrominoes.tfrecords",
        1,
        "tetrominoes.tfrecords: not a readable HDF5 file, or cut short",
    ),
    ("doctor --n 9", 2, "--n must be from 1 to 8, got 9"),
    ("doctor --size 15", 2, "--size must be even, from 16 to 512, got 15"),
]


def draw_pngs(folder: Path) -> None:
    """Writes two images of CLEVR's size, and the scenes that belong to them."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    scenes = []
    for name in ("CLEVR_new_000000.png", "CLEVR_new_000001.png"):
        Image.fromarray(rng.integers(256, size=(240, 320, 3), dtype=np.uint8)).save(folder / name)
        cube = {
            "shape": "cube",
            "size": "small",
            "material": "metal",
            "color": "cyan",
            "3d_coords": [0.5, -1.5, 0.35],
            "rotation": 90.0,
            "pixel_coords": [1, 2, 11.0],
        }
        scenes.append({"image_filename": name, "objects": [cube]})
    (folder / "scenes.json").write_text(json.dumps({"scenes": scenes}))


def write_tetrominoes(path: Path) -> None:
    """Writes two records in the layout of multi_object_datasets' tetrominoes."""
    rng = np.random.default_rng(0)
    with path.open("wb") as stream:
        for _ in range(2):
            labels = rng.integers(4, size=(35, 35))
            masks = (labels == np.arange(4)[:, None, None]).astype(np.uint8) * np.uint8(255)
            values = {key: rng.random(4, dtype=np.float32) for key in ("x", "y", "shape")}
            record = {
                "image": rng.integers(256, size=(35, 35, 3), dtype=np.uint8),
                "mask": masks,
                "visibility": np.ones(4, dtype=np.float32),
                "color": rng.random((4, 3), dtype=np.float32),
                **values,
            }
            write_record(stream, encode(record))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Makes a small file of every dataset, and works beside them."""
    folder = tmp_path_factory.mktemp("pins")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        draw_pngs(folder / "pngs")
        write_tetrominoes(folder / "tetrominoes.tfrecords")
        for name, command in COMMANDS.items():
            workers = [] if name == "imported" else ["--workers", "1"]
            assert main([*command.split(), "--out", f"{name}.h5", *workers]) == 0
        yield folder


def content(path: Path) -> tuple[str, str]:
    """Returns the digest of all that a file holds, and its keys.

    Left out are what names the renderer and the version, and what depends on a PNG's compression.
    """
    sha = hashlib.sha256()
    with h5py.File(path) as file:
        keys: list[str] = []
        file.visititems(lambda key, item: keys.append(key) if hasattr(item, "dtype") else None)
        attributes = dict(file.attrs)
        config = json.loads(attributes["config"])
        config.pop("items", None)
        config.pop("content", None)
        sha.update(json.dumps([config, attributes["dataset"], int(attributes["seed"])]).encode())
        sha.update(" ".join(attributes["entities"]).encode())
        for key in sorted(keys):
            dataset = file[key]
            about = {
                name: value.tolist() if isinstance(value, np.ndarray) else value
                for name, value in dataset.attrs.items()
            }
            sha.update(json.dumps([key, str(dataset.dtype), dataset.shape, about]).encode())
            sha.update(dataset[:].tobytes())
        return sha.hexdigest(), " ".join(sorted(keys))


def skip_other_renderers(path: Path) -> None:
    with h5py.File(path) as file:
        renderer = json.loads(file.attrs["provenance"])["gl_renderer"]
    if renderer != RENDERER:
        pytest.skip(f"the pixels are pinned for {RENDERER}; here {renderer} draws")


@pytest.mark.parametrize("name", COMMANDS)
def test_files_hold_what_they_held(folder: Path, name: str) -> None:
    digest, keys = content(folder / f"{name}.h5")
    assert keys == KEYS[name]
    if name in RENDERED:
        skip_other_renderers(folder / f"{name}.h5")
    assert digest == DIGESTS[name]


@pytest.mark.parametrize("name", COMMANDS)
def test_verify_says_what_it_said(
    folder: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    assert main(["verify", f"{name}.h5", "--n", "1", *SOURCES.get(name, [])]) == 0
    sound = "checksums, counts, ranges and masks hold\nmade 0 again: the same in every byte\n"
    assert capsys.readouterr().out == VERIFIED[name] + sound


@pytest.mark.parametrize(("command", "code", "line"), MISTAKES)
def test_mistakes_are_answered_as_before(
    folder: Path, capsys: pytest.CaptureFixture[str], command: str, code: int, line: str
) -> None:
    assert main(command.split()) == code
    assert capsys.readouterr().err == f"scenes: {line}\n"


def test_a_page_s_data_have_the_keys_they_had(folder: Path) -> None:
    assert main(["show", "rooms.h5", "--html", "--out", "rooms.html", "--n", "2"]) == 0
    page = (folder / "rooms.html").read_text()
    (text,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page)
    data = json.loads(text)
    assert " ".join(data) == PAGE_KEYS
    scene = data["scenes"][0]
    assert " ".join(scene) == SCENE_KEYS
    assert " ".join(name for name, _, _ in scene["values"]) == SCENE_VALUES
    assert " ".join(name for name, _, _ in scene["objects"][0]) == OBJECT_VALUES
