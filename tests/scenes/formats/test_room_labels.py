"""Rooms with one wall in view, whose first object has the second wall's index."""

import numpy as np
import pytest
from scenes import ObjectsRoomConfig, open_source
from scenes.cli import main
from scenes.file.reader import SceneFile
from scenes.formats.room_labels import are_objects
from scenes.formats.tfrecord import encode, write_record


@pytest.fixture(scope="module")
def rooms() -> list[tuple[np.ndarray, np.ndarray, bool]]:
    """Image, labels as the released records are said to have them, and whether 3 is an object."""
    source = open_source(ObjectsRoomConfig(split="test"), seed=11)
    found = []
    for number in range(60):
        scene = source[number]
        labels = scene.segmentation
        assert labels is not None
        walls = [wall for wall in (2, 3) if (labels == wall).any()]
        if len(walls) == 1 and (labels == 4).any():
            table = np.array([0, 1, 2, 2, 3, 4, 5, 6, 7, 8, 9], np.uint8)
            found.append((scene.image, table[labels], True))
        elif len(walls) == 2:
            found.append((scene.image, labels, False))
    return found


def test_most_objects_among_the_walls_are_noticed_and_hardly_a_wall_is(rooms) -> None:
    images, labels = (np.stack([room[i] for room in rooms]) for i in (0, 1))
    told, truth = are_objects(images, labels), np.array([room[2] for room in rooms])
    assert truth.sum() >= 5
    assert told[truth].mean() > 0.8
    assert told[~truth].mean() < 0.05


def test_a_room_without_a_fourth_mask_or_a_wall_is_none() -> None:
    image = np.full((2, 8, 8, 3), 9, np.uint8)
    labels = np.stack([np.full((8, 8), 2, np.uint8), np.full((8, 8), 3, np.uint8)])
    assert not are_objects(image, labels).any()


def test_an_import_says_how_many_and_changes_nothing(rooms, tmp_path, capsys) -> None:
    path, out = tmp_path / "rooms.tfrecords", tmp_path / "rooms.h5"
    chosen = [room for room in rooms if room[2]][:4] + [room for room in rooms if not room[2]][:4]
    with path.open("wb") as stream:
        for image, labels, _ in chosen:
            masks = (labels == np.arange(7)[:, None, None]).astype(np.uint8) * np.uint8(255)
            write_record(stream, encode({"image": image, "mask": masks}))
    expected = are_objects(*(np.stack([room[i] for room in chosen]) for i in (0, 1))).sum()
    assert main(["import", str(path), "--out", str(out)]) == 0
    said = capsys.readouterr().err.splitlines()[-1]
    assert expected > 0
    assert said == (
        f"scenes: {path}: in {expected} of 8 scenes mask 3 is an object, not a second wall, by the "
        "rule in docs/formats.md: it counts as background"
    )
    with SceneFile(out) as file:
        for row, (_, labels, _) in enumerate(chosen):
            inside = labels < 7
            np.testing.assert_array_equal(file["segmentation"][row][inside], labels[inside])
