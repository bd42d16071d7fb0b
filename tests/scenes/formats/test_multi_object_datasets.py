import gzip

import numpy as np
import pytest
from scenes.cli import main
from scenes.file.reader import SceneFile
from scenes.formats.tfrecord import decode, encode, read_records, write_record


@pytest.mark.parametrize("name", ["objects_room_train", "multi_dsprites_colored_on_colored"])
def test_published_layouts_survive_a_round_trip(tmp_path, shared_data, name):
    origin = shared_data / "tfrecords" / f"{name}.tfrecords"
    file, back = tmp_path / "a.h5", tmp_path / "b.tfrecords"
    assert main(["import", str(origin), "--out", str(file)]) == 0
    assert main(["export", str(file), "--out", str(back)]) == 0
    for theirs, ours in zip(read_records(origin), read_records(back), strict=True):
        expected, values = decode(theirs), decode(ours)
        assert set(values) == set(expected)
        for key, value in expected.items():
            np.testing.assert_array_equal(values[key], value)


def test_sprites_survive_a_round_trip(tmp_path):
    first, out, again = tmp_path / "a.h5", tmp_path / "a.tfrecords", tmp_path / "b.h5"
    assert main(["sprites", "--n", "5", "--out", str(first), "--workers", "1"]) == 0
    assert main(["export", str(first), "--out", str(out)]) == 0
    assert main(["import", str(out), "--out", str(again)]) == 0
    with SceneFile(first) as a, SceneFile(again) as b:
        for key in ("image", "segmentation", "factors/x", "factors/present", "num_objects"):
            np.testing.assert_array_equal(a[key][:], b[key][:])
        np.testing.assert_array_equal(a["factors/color_rgb"][:], b["factors/color"][:])


def test_what_was_read_before_a_cut_is_kept(tmp_path, capsys):
    first, out, again = tmp_path / "a.h5", tmp_path / "a.tfrecords", tmp_path / "b.h5"
    main(["sprites", "--n", "20", "--out", str(first), "--workers", "1"])
    main(["export", str(first), "--out", str(out)])
    out.write_bytes(out.read_bytes()[: out.stat().st_size // 2])
    assert main(["import", str(out), "--out", str(again)]) == 1
    with SceneFile(again) as file:
        assert 5 < file.n < 15
        assert f"{out}: record {file.n}: " in capsys.readouterr().err


def test_another_file_of_the_same_name_is_not_taken_for_the_first(tmp_path, capsys):
    path, out = tmp_path / "a.tfrecords", tmp_path / "a.h5"
    records = list(tetrominoes(4))
    write_records(path, records)
    assert main(["import", str(path), "--out", str(out)]) == 0
    write_records(path, records[::-1])
    capsys.readouterr()
    assert main(["import", str(path), "--out", str(out)]) == 2
    said = capsys.readouterr().err
    assert said == f"scenes: {out} exists and is something else; --overwrite replaces it\n"
    assert main(["import", str(path), "--out", str(out), "--overwrite"]) == 0
    with SceneFile(out) as file:
        np.testing.assert_array_equal(file["image"][0], records[-1]["image"])


def records_of(path):
    return [decode(record) for record in read_records(path)]


def write_records(path, records):
    with gzip.open(path, "wb") as stream:
        for values in records:
            write_record(stream, encode(values))


def assert_same_records(theirs, ours):
    assert len(theirs) == len(ours)
    for expected, values in zip(theirs, ours, strict=True):
        assert set(values) == set(expected)
        for key, value in expected.items():
            assert values[key].dtype == value.dtype
            np.testing.assert_array_equal(values[key], value)


def tetrominoes(count):
    """Records of the released layout: 35 x 35, three pieces, a background."""
    rng = np.random.default_rng(0)
    for _ in range(count):
        labels = np.zeros((35, 35), dtype=np.uint8)
        for piece in range(1, 4):
            labels[10 * piece : 10 * piece + 5, 3:28] = piece
        color = np.concatenate([np.zeros((1, 3)), rng.integers(0, 2, size=(3, 3))])
        yield {
            "image": (255 * color[labels]).astype(np.uint8),
            "mask": 255 * (labels == np.arange(4)[:, None, None]).astype(np.uint8)[..., None],
            "color": color.astype(np.float32),
            "visibility": np.ones(4, dtype=np.float32),
            **{key: rng.random(4, dtype=np.float32) for key in ("x", "y", "shape")},
        }


def test_tetrominoes_survive_a_round_trip(tmp_path):
    origin, file, back = tmp_path / "t.tfrecords", tmp_path / "a.h5", tmp_path / "b.tfrecords"
    write_records(origin, tetrominoes(5))
    assert main(["import", str(origin), "--out", str(file)]) == 0
    with SceneFile(file) as scenes:
        assert scenes.config.layout == "tetrominoes"
        assert scenes["image"].shape == (5, 35, 35, 3)
        assert scenes["num_objects"][:].tolist() == [3] * 5
        assert scenes["factors/visible_pixels"][0].tolist() == [125, 125, 125]
        assert not scenes["mask_conflicts"][:].any()
    assert main(["export", str(file), "--out", str(back)]) == 0
    assert_same_records(records_of(origin), records_of(back))


def test_clevr_with_masks_survives_a_round_trip(tmp_path, shared_data):
    whole = records_of(shared_data / "tfrecords" / "clevr_with_masks.tfrecords")
    origin, file, back = tmp_path / "c.tfrecords", tmp_path / "a.h5", tmp_path / "b.tfrecords"
    write_records(origin, whole[:4])
    assert main(["import", str(origin), "--out", str(file)]) == 0
    assert main(["export", str(file), "--out", str(back)]) == 0
    assert_same_records(whole[:4], records_of(back))


@pytest.mark.parametrize(
    ("variant", "entities", "channels"),
    [("binarized", 4, 1), ("colored_on_grayscale", 6, 3), ("colored_on_colored", 5, 3)],
)
def test_sprites_are_written_in_their_readers_shapes(tmp_path, variant, entities, channels):
    first, out, again = tmp_path / "a.h5", tmp_path / "a.tfrecords", tmp_path / "b.h5"
    back = tmp_path / "b.tfrecords"
    command = ["sprites", "--n", "3", "--variant", variant, "--workers", "1", "--out", str(first)]
    assert main(command) == 0
    assert main(["export", str(first), "--out", str(out)]) == 0
    for values in records_of(out):
        assert values["image"].size == 64 * 64 * channels
        assert values["mask"].size == 64 * 64 * entities
        assert values["color"].size == entities * channels
        assert values["visibility"].dtype == np.float32
    assert main(["import", str(out), "--out", str(again)]) == 0
    with SceneFile(first) as a, SceneFile(again) as b:
        np.testing.assert_array_equal(a["image"][:], b["image"][:])
        np.testing.assert_array_equal(a["segmentation"][:], b["segmentation"][:])
    assert main(["export", str(again), "--out", str(back)]) == 0
    assert_same_records(records_of(out), records_of(back))


def test_a_record_of_another_layout_is_named_and_those_before_it_are_kept(tmp_path, capsys):
    sound = list(tetrominoes(4))
    for name, odd in (
        ("smaller", {**sound[2], "image": sound[2]["image"][:30]}),
        ("bare", {"image": sound[2]["image"]}),
    ):
        path, out = tmp_path / f"{name}.tfrecords", tmp_path / f"{name}.h5"
        write_records(path, [*sound[:2], odd, sound[3]])
        assert main(["import", str(path), "--out", str(out)]) == 1
        error = capsys.readouterr().err
        assert error.startswith(f"scenes: {path}: record 2: not as record 0: ")
        assert len(error.splitlines()) == 1
        with SceneFile(out) as file:
            assert file.n == 2
            np.testing.assert_array_equal(file["image"][1], sound[1]["image"])


def test_records_of_other_types_are_one_line(tmp_path, capsys):
    path, out = tmp_path / "odd.tfrecords", tmp_path / "odd.h5"
    first = next(iter(tetrominoes(1)))
    write_records(path, [{**first, "image": first["image"].astype(np.float32)}])
    assert main(["import", str(path), "--out", str(out)]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"scenes: {path}: record 0: ")
    assert len(error.splitlines()) == 1
    assert not out.exists()


def test_pixels_in_no_mask_or_in_two_are_counted(tmp_path, capsys):
    origin, file = tmp_path / "t.tfrecords", tmp_path / "a.h5"
    records = list(tetrominoes(2))
    mask = records[1]["mask"].copy()
    mask[2, 0, :3] = 255  # also background
    mask[1, 12, 5] = 0  # nothing
    mask[3, 32, 5] = 254
    write_records(origin, [records[0], {**records[1], "mask": mask}])
    assert main(["import", str(origin), "--out", str(file)]) == 0
    with SceneFile(file) as scenes:
        assert scenes["mask_conflicts"][:].tolist() == [0, 5]
    assert main(["export", str(file), "--out", str(tmp_path / "b.tfrecords")]) == 2
    assert "masks that overlap cannot be written back" in capsys.readouterr().err


def pieces(entities):
    """A record of the tetrominoes' layout with any number of masks, of a few pixels each."""
    labels = np.arange(35 * 35).reshape(35, 35) % entities
    return {
        "image": np.zeros((35, 35, 3), dtype=np.uint8),
        "mask": 255 * (labels == np.arange(entities)[:, None, None]).astype(np.uint8),
        "visibility": np.ones(entities, dtype=np.float32),
        "color": np.zeros((entities, 3), dtype=np.float32),
        **{key: np.zeros(entities, dtype=np.float32) for key in ("x", "y", "shape")},
    }


def test_255_entities_are_told_apart_and_verified(tmp_path):
    origin, file, back = tmp_path / "t.tfrecords", tmp_path / "a.h5", tmp_path / "b.tfrecords"
    write_records(origin, [pieces(255)])
    assert main(["import", str(origin), "--out", str(file)]) == 0
    with SceneFile(file) as scenes:
        assert np.unique(scenes["segmentation"][:]).tolist() == list(range(255))
        assert scenes["num_objects"][0] == scenes["num_visible"][0] == 254
    assert main(["verify", str(file)]) == 0
    assert main(["export", str(file), "--out", str(back)]) == 0
    assert_same_records(records_of(origin), records_of(back))


@pytest.mark.parametrize("entities", [0, 256, 300])
def test_more_entities_than_a_byte_tells_apart_are_refused(tmp_path, capsys, entities):
    origin, file = tmp_path / "t.tfrecords", tmp_path / "a.h5"
    record = pieces(entities or 1)
    if not entities:
        record = {key: value if key == "image" else value[:0] for key, value in record.items()}
    write_records(origin, [record])
    assert main(["import", str(origin), "--out", str(file)]) == 1
    said = f"scenes: {origin}: record 0: {entities} masks; tetrominoes is read with 1 to 255\n"
    assert capsys.readouterr().err == said
    assert not file.exists()


def test_a_room_without_its_four_backgrounds_is_refused(tmp_path, capsys):
    origin = tmp_path / "rooms.tfrecords"
    room = {"image": np.zeros((64, 64, 3), np.uint8), "mask": np.zeros((3, 64, 64), np.uint8)}
    write_records(origin, [room])
    assert main(["import", str(origin), "--out", str(tmp_path / "a.h5")]) == 1
    said = f"scenes: {origin}: record 0: 3 masks; objects_room is read with 4 to 255\n"
    assert capsys.readouterr().err == said


def test_masks_of_0_and_1_are_read_as_those_of_255(tmp_path, capsys):
    origin, file = tmp_path / "t.tfrecords", tmp_path / "a.h5"
    records = list(tetrominoes(2))
    write_records(origin, [{**values, "mask": values["mask"] // 255} for values in records])
    assert main(["import", str(origin), "--out", str(file)]) == 0
    said = f"scenes: {origin}: its masks hold 0 and 1, which were read as 0 and 255\n"
    assert capsys.readouterr().err == said
    with SceneFile(file) as scenes:
        for row, values in enumerate(records):
            expected = values["mask"][..., 0].argmax(axis=0)
            np.testing.assert_array_equal(scenes["segmentation"][row], expected)
        assert not scenes["mask_conflicts"][:].any()
    assert main(["verify", str(file)]) == 0


def test_a_mask_of_255_after_masks_of_1_is_refused(tmp_path, capsys):
    origin, file = tmp_path / "t.tfrecords", tmp_path / "a.h5"
    first, second = tetrominoes(2)
    write_records(origin, [{**first, "mask": first["mask"] // 255}, second])
    assert main(["import", str(origin), "--out", str(file)]) == 1
    said = f"{origin}: record 1: mask: 255, but those of record 0 hold 0 and 1; {file} has"
    assert said in capsys.readouterr().err


def test_pixels_in_no_mask_or_in_two_are_said_and_get_the_first(tmp_path, capsys):
    origin, file = tmp_path / "t.tfrecords", tmp_path / "a.h5"
    records = list(tetrominoes(3))
    holes, both = records[1]["mask"].copy(), records[2]["mask"].copy()
    holes[0, :2] = 0
    both[2, 10:12] = 255
    write_records(origin, [records[0], {**records[1], "mask": holes}, {**records[2], "mask": both}])
    assert main(["import", str(origin), "--out", str(file)]) == 0
    said = (
        f"scenes: {origin}: 140 pixels of 2 scenes are not in exactly one mask: they get the first "
        "of those that hold most (mask_conflicts)\n"
    )
    assert capsys.readouterr().err == said
    with SceneFile(file) as scenes:
        assert scenes["mask_conflicts"][:].tolist() == [0, 70, 70]
        assert not scenes["segmentation"][1, :2].any()
        np.testing.assert_array_equal(
            scenes["segmentation"][2], records[2]["mask"].argmax(0)[..., 0]
        )


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("key", ["x", "visibility", "color"])
def test_what_is_no_number_is_refused_on_import(tmp_path, capsys, key, odd):
    origin, file = tmp_path / "t.tfrecords", tmp_path / "a.h5"
    first, second = tetrominoes(2)
    second[key][2] = odd
    write_records(origin, [first, second])
    assert main(["import", str(origin), "--out", str(file)]) == 1
    said = f"scenes: {origin}: record 1: {key}: {odd} of entity 2: not a finite number; "
    assert capsys.readouterr().err.startswith(said)
    with SceneFile(file) as scenes:
        assert scenes.n == 1


@pytest.mark.parametrize(
    ("key", "known"), [("shape", 3), ("size", 2), ("material", 2), ("color", 8)]
)
@pytest.mark.parametrize("command", ["import", "clevr"])
def test_codes_that_clevr_does_not_know_are_refused(
    tmp_path, shared_data, capsys, command, key, known
):
    whole = records_of(shared_data / "tfrecords" / "clevr_with_masks.tfrecords")[:3]
    origin, file = tmp_path / "c.tfrecords", tmp_path / "a.h5"
    whole[2][key][4] = known + 1
    write_records(origin, whole)
    assert main([command, str(origin), "--out", str(file)]) == 1
    said = f"scenes: {origin}: record 2: {key}: {known + 1} of entity 4: codes are 0 to {known}; "
    assert capsys.readouterr().err.startswith(said)
    with SceneFile(file) as scenes:
        assert scenes.n == 2


def test_what_clevr_s_masks_and_visibility_contradict_is_refused_and_odd_pixels_are_said(
    tmp_path, shared_data, capsys
):
    whole = records_of(shared_data / "tfrecords" / "clevr_with_masks.tfrecords")[:3]
    origin, file = tmp_path / "c.tfrecords", tmp_path / "a.h5"
    whole[1]["mask"][:7] = 0
    whole[2]["visibility"][1] = 0
    write_records(origin, whole)
    assert main(["clevr", str(origin), "--out", str(file)]) == 1
    error = capsys.readouterr().err.splitlines()
    assert error == [
        f"scenes: {origin}: 7 pixels are not in exactly one mask: they get the first",
        f"scenes: {origin}: record 2: mask 1 has pixels, but its visibility is 0; {file} has the "
        "others",
    ]
