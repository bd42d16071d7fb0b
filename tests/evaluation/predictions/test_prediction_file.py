"""Predictions of any program: read, or refused with the key and the reason."""

import os
import re
from pathlib import Path

import h5py
import numpy as np
import pytest
from evaluation.predictions.prediction_file import read_predictions
from scenes.command_line import CommandError

N, K, SIZE = 3, 4, 8
IMAGES = np.random.default_rng(2).integers(0, 256, (N, SIZE, SIZE, 3), dtype=np.uint8)


@pytest.fixture
def masks() -> np.ndarray:
    """Returns random masks that sum to one over the slots."""
    drawn = np.random.default_rng(0).random((N, K, SIZE, SIZE))
    return (drawn / drawn.sum(axis=1, keepdims=True)).astype(np.float32)


def write(path: Path, **datasets: np.ndarray) -> Path:
    with h5py.File(path, "w") as file:
        for name, values in datasets.items():
            file[name] = values
    return path


def test_masks_become_the_slot_where_they_are_largest(tmp_path: Path, masks: np.ndarray) -> None:
    read = read_predictions(write(tmp_path / "p.h5", masks=masks), IMAGES)
    np.testing.assert_array_equal(read.segmentation, masks.argmax(axis=1))
    assert read.num_slots == K
    assert read.reconstruction is None


def test_a_segmentation_is_taken_as_it_is(tmp_path: Path) -> None:
    segmentation = np.random.default_rng(0).integers(0, 6, (N, SIZE, SIZE))
    picture = np.zeros((N, SIZE, SIZE, 3), np.float32)
    path = write(tmp_path / "p.h5", segmentation=segmentation, reconstruction=picture)
    read = read_predictions(path, IMAGES)
    np.testing.assert_array_equal(read.segmentation, segmentation)
    assert read.num_slots == segmentation.max() + 1
    assert read.reconstruction is not None


def test_what_does_not_fit_is_refused(tmp_path: Path, masks: np.ndarray) -> None:
    path = tmp_path / "p.h5"
    nan, unnormalised = masks.copy(), masks.copy()
    nan[1, 0, 2, 2] = np.nan
    unnormalised[2, :, 0, 0] = 0.5
    picture = np.random.default_rng(1).random((N, SIZE, SIZE, 3))
    cases = {
        "masks: expected (3, K, 8, 8), got (2, 4, 8, 8)": {"masks": masks[:2]},
        "masks: expected (3, K, 8, 8), got (3, 4, 4, 4)": {"masks": masks[:, :, ::2, ::2]},
        "masks: must be finite, got nan in scene 1": {"masks": nan},
        "masks: must sum to 1 over the slots, got 2 in scene 2": {"masks": unnormalised},
        "neither 'masks' nor 'segmentation' is in it": {"labels": masks},
        "segmentation: expected integers, got float32": {"segmentation": masks[:, 0]},
        "segmentation: labels must be 0 to 65,535, got -1 in scene 0": {
            "segmentation": np.full((N, SIZE, SIZE), 0) - np.eye(SIZE, dtype=int)
        },
        "segmentation: labels must be 0 to 65,535, got 65536 in scene 2": {
            "segmentation": np.arange(N)[:, None, None] * np.full((SIZE, SIZE), 32768)
        },
        "masks: must sum to 1 over the slots, got 0 in scene 1": {
            "masks": masks * np.array([1, 0, 1], np.float32)[:, None, None, None]
        },
        "masks: expected numbers, got complex": {"masks": masks.astype(complex)},
        "scene: expected integers, got float64": {"masks": masks, "scene": np.arange(N) + 0.0},
        "reconstruction: expected floats in [0, 1], got uint8": {
            "masks": masks,
            "reconstruction": (255 * picture).astype(np.uint8),
        },
        "reconstruction: must be in [0, 1], got ": {
            "masks": masks,
            "reconstruction": 255 * picture,
        },
        "reconstruction: must be in [0, 1], got -0.9": {
            "masks": masks,
            "reconstruction": 2 * picture - 1,
        },
        "reconstruction: must be finite, got nan in scene 0": {
            "masks": masks,
            "reconstruction": np.full_like(picture, np.nan),
        },
        "masks: expected a dataset, got a group": {"masks/0": masks},
    }
    for reason, datasets in cases.items():
        write(path, **datasets)
        with pytest.raises(CommandError, match=re.escape(f"{path}: {reason}")):
            read_predictions(path, IMAGES)


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "p.h5"
    with pytest.raises(CommandError, match=re.escape(f"{path}: no such file")):
        read_predictions(path, IMAGES)
    path.write_text("masks")
    with pytest.raises(CommandError, match=re.escape(f"{path}: not a readable HDF5 file")):
        read_predictions(path, IMAGES)


def test_rows_that_are_named_must_be_in_order(tmp_path: Path, masks: np.ndarray) -> None:
    path = write(tmp_path / "p.h5", masks=masks, scene=np.arange(N))
    assert len(read_predictions(path, IMAGES).segmentation) == N
    write(path, masks=masks, scene=np.array([0, 2, 1]))
    with pytest.raises(CommandError, match=re.escape(f"{path}: scene: prediction 1 is of scene 2")):
        read_predictions(path, IMAGES)


def test_masks_below_zero_are_refused(tmp_path: Path, masks: np.ndarray) -> None:
    masks[0, :2, 0, 0] += np.float32(2) * np.array([1, -1], np.float32)
    path = write(tmp_path / "p.h5", masks=masks)
    with pytest.raises(CommandError, match=re.escape("masks: must be in [0, 1], got -1.")):
        read_predictions(path, IMAGES)


def test_predictions_of_further_scenes_are_left_out_where_that_is_asked(
    tmp_path: Path, masks: np.ndarray
) -> None:
    path = write(tmp_path / "p.h5", masks=masks)
    read = read_predictions(path, IMAGES[:2], may_be_longer=True)
    np.testing.assert_array_equal(read.segmentation, masks[:2].argmax(axis=1))
    with pytest.raises(CommandError, match=re.escape("expected (2, K, 8, 8), got (3, 4, 8, 8)")):
        read_predictions(path, IMAGES[:2])


def test_labels_of_two_bytes_and_masks_of_many_slots_do_not_wrap(tmp_path: Path) -> None:
    labels = np.array([0, 255, 256, 300, 65_535, 7, 8, 9]).repeat(8).reshape(1, 8, 8)
    read = read_predictions(write(tmp_path / "p.h5", segmentation=labels), IMAGES[:1])
    np.testing.assert_array_equal(read.segmentation, labels)
    assert read.num_slots == 8, "different labels: nobody knows of slots without a pixel"
    slot = np.random.default_rng(0).integers(0, 300, (2, 8, 8))
    masks = (slot[:, None] == np.arange(300)[:, None, None]).astype(np.float32)
    read = read_predictions(write(tmp_path / "p.h5", masks=masks), IMAGES[:2])
    np.testing.assert_array_equal(read.segmentation, slot)
    assert read.num_slots == 300


@pytest.mark.parametrize("label", [255, -1, 70_000])
def test_an_ignored_label_may_be_any_number(tmp_path: Path, label: int) -> None:
    labels = np.random.default_rng(0).integers(0, 6, (N, SIZE, SIZE))
    left_out = np.random.default_rng(1).random(labels.shape) < 0.2
    path = write(tmp_path / "p.h5", segmentation=np.where(left_out, label, labels))
    read = read_predictions(path, IMAGES, ignore_label=label)
    assert read.ignored is not None
    np.testing.assert_array_equal(read.ignored, left_out)
    np.testing.assert_array_equal(read.segmentation[~left_out], labels[~left_out])
    assert read.num_slots == 6
    if label != 255:
        with pytest.raises(CommandError, match=f"labels must be 0 to 65,535, got {label} in"):
            read_predictions(path, IMAGES)


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(CommandError, match=re.escape(f"{tmp_path / 'pipe'}: no regular file")):
        read_predictions(tmp_path / "pipe", IMAGES)


def test_damaged_rows_are_told_with_file_and_key(tmp_path: Path, masks: np.ndarray) -> None:
    path = tmp_path / "p.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("masks", data=masks, compression="gzip")
        place = file["masks"].id.get_chunk_info(0).byte_offset
    content = bytearray(path.read_bytes())
    content[place + 50] ^= 255
    path.write_bytes(content)
    with pytest.raises(ValueError, match=re.escape(f"{path}: masks: cannot be read: ")):
        read_predictions(path, IMAGES)


def test_numbers_that_overflow_are_refused_without_a_warning(
    tmp_path: Path, masks: np.ndarray
) -> None:
    colors = np.full((N, SIZE, SIZE, 3), 1e300)
    for key, values, said in (
        ("reconstruction", {"masks": masks, "reconstruction": colors}, "must be finite, got inf"),
        ("masks", {"masks": np.full(masks.shape, 1e308)}, "must sum to 1 over the slots, got inf"),
    ):
        path = write(tmp_path / f"{key}.h5", **values)
        with pytest.raises(CommandError, match=re.escape(f"{path}: {key}: {said}")):
            read_predictions(path, IMAGES)
