import re

import h5py
import numpy as np
import pytest
from scenes.cli import main
from scenes.file import SceneFile
from scenes.formats.tfrecord import decode, read_records


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


def test_object_centric_library_gets_labels_and_metadata(tmp_path, capsys):
    first, out = tmp_path / "a.h5", tmp_path / "sprites.hdf5"
    main(["sprites", "--n", "20", "--out", str(first), "--workers", "1"])
    command = ["export", str(first), "--format", "object-centric-library", "--out"]
    assert main([*command, str(out)]) == 0
    with h5py.File(out) as theirs, SceneFile(first) as ours:
        np.testing.assert_array_equal(theirs["mask"][..., 0], ours["segmentation"][:])
        np.testing.assert_array_equal(theirs["num_actual_objects"][:, 0], ours["num_visible"][:])
        assert theirs["visibility"].shape == (20, 5, 1)
    metadata = np.load(tmp_path / "sprites-metadata.npy", allow_pickle=True).item()
    assert metadata["self.dataset"] == {"type": "dataset_property", "num_samples": 20}
    bad = tmp_path / "objects_room.hdf5"
    assert main([*command, str(bad)]) == 2
    assert re.search("choose another", capsys.readouterr().err)
