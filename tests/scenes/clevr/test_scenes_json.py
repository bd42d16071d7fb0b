import json
import os
import re

import numpy as np
import pytest
from scenes.clevr.scenes_json import read_scenes
from scenes.cli import main


def an_object(**changes):
    usual = {"shape": "cube", "size": "small", "material": "metal", "color": "cyan"}
    return {**usual, "3d_coords": [0.5, -1.5, 0.35], "rotation": 90.0, **changes}


def a_scene(*objects, name="a.png"):
    return {"image_filename": name, "objects": list(objects)}


def write(path, *scenes):
    path.write_text(json.dumps({"info": {}, "scenes": list(scenes)}))
    return path


def test_254_objects_are_read(tmp_path):
    scenes = read_scenes(write(tmp_path / "s.json", a_scene(*[an_object()] * 254)))
    rows = scenes["a.png"].rows(254)
    assert rows["num_objects"] == 254
    assert rows["factors/present"].sum() == 254
    np.testing.assert_array_equal(scenes["a.png"].codes, [[3, 2, 2, 2]] * 254)


@pytest.mark.parametrize("count", [255, 256, 300, 1000])
def test_more_objects_than_a_byte_counts_are_refused(tmp_path, count):
    path = write(tmp_path / "s.json", a_scene(*[an_object()] * count))
    said = f"{path}: not a CLEVR scenes JSON: a.png: {count} objects; a file of scenes holds 254"
    with pytest.raises(ValueError, match=re.escape(said)):
        read_scenes(path)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"3d_coords": [1, 2]}, "3d_coords: [1, 2] are not three numbers"),
        ({"3d_coords": "abc"}, "3d_coords: 'abc' are not three numbers"),
        ({"3d_coords": [1, 2, None]}, "are not three numbers"),
        ({"3d_coords": [1, 2, True]}, "are not three numbers"),
        ({"3d_coords": [1, 2, 1e39]}, "are not three numbers"),
        ({"3d_coords": [1, 2, float("nan")]}, "NaN is not a number"),
        ({"rotation": float("inf")}, "Infinity is not a number"),
        ({"rotation": "%d"}, "rotation: '%d' is not a number"),
        ({"rotation": 10**400}, "rotation: 1000"),
        ({"shape": ["cube"]}, "shape ['cube']; there are"),
        ({"color": "none"}, "color 'none'; there are"),
        ({"size": None}, "size None; there are"),
    ],
)
def test_a_value_that_is_none_is_named(tmp_path, changes, said):
    path = write(tmp_path / "s.json", a_scene(an_object(**changes)))
    with pytest.raises(ValueError, match=re.escape(f"{path}: not a CLEVR scenes JSON: ")) as caught:
        read_scenes(path)
    assert said in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "1",
        "{}",
        '{"scenes": {}}',
        '{"scenes": [1]}',
        '{"scenes": [{"image_filename": "a.png"}]}',
        '{"scenes": [{"image_filename": ["a"], "objects": []}]}',
        '{"scenes": [{"image_filename": "a.png", "objects": "abc"}]}',
        '{"scenes": [{"image_filename": "a.png", "objects": [{"shape": "cube"}]}]}',
        '{"scenes": [{"image_filename": "a.png", "objects": 1000000000}]}',
        "[" * 100_000,
        '{"scenes":' * 100_000,
        '{"a":' * 100_000 + "1" + "}" * 100_000,
        '{"scenes": [' + "9" * 5000 + "]}",
        "\udcff",
    ],
    ids=str.__len__,
)
def test_what_is_no_scenes_json_is_one_line_that_names_it(tmp_path, text):
    path = tmp_path / "s.json"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(ValueError, match=re.escape(f"{path}: not a CLEVR scenes JSON: ")):
        read_scenes(path)


def test_a_name_that_comes_twice_is_refused(tmp_path):
    write(tmp_path / "s.json", a_scene(), a_scene())
    with pytest.raises(ValueError, match=re.escape("s.json: not a CLEVR scenes JSON: a.png has")):
        read_scenes(tmp_path)


def test_only_files_are_read_and_none_that_is_too_long(tmp_path):
    path = tmp_path / "s.json"
    with path.open("wb") as file:
        file.truncate((1 << 30) + 1)
    with pytest.raises(ValueError, match=re.escape(f"{path}: 1,073,741,825 bytes; at most")):
        read_scenes(path)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(ValueError, match=re.escape(f"{path}: a pipe, not a file")):
        read_scenes(path)


def test_the_command_says_it_on_one_line(tmp_path, capsys):
    from PIL import Image

    folder = tmp_path / "images"
    folder.mkdir()
    Image.new("RGB", (320, 240)).save(folder / "a.png")
    path = write(tmp_path / "s.json", a_scene(*[an_object()] * 300))
    command = ["clevr", str(folder), "--scenes", str(path), "--out", str(tmp_path / "a.h5")]
    assert main(command) == 2
    said = (
        f"scenes: {path}: not a CLEVR scenes JSON: a.png: 300 objects; a file of scenes holds 254"
    )
    assert capsys.readouterr().err == f"{said}\n"
