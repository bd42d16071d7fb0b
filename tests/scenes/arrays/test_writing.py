"""Arrays of one's own: what is written, known again, and refused."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scenes
from scenes.command_line import UsageError

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (40, 12, 16, 3), dtype=np.uint8)
LABELS = RNG.integers(0, 4, (40, 12, 16))
ONE_HOT = LABELS[:, None] == np.arange(6)[:, None, None]


@pytest.mark.parametrize(
    "masks", [LABELS, LABELS.astype(np.uint8), LABELS.astype(np.uint64), LABELS.tolist()]
)
def test_labels_and_images_are_a_file_that_verifies(tmp_path: Path, masks: Any) -> None:
    out = tmp_path / "mine.h5"
    scenes.write_arrays(IMAGES, masks, out=out)
    file = scenes.SceneFile(out)
    np.testing.assert_array_equal(file["image"][:], IMAGES)
    np.testing.assert_array_equal(file["segmentation"][:], LABELS)
    assert file.entities == ("background", "object_0", "object_1", "object_2")
    counts = [np.bincount(labels.ravel(), minlength=4)[1:] for labels in LABELS]
    np.testing.assert_array_equal(file["factors/visible_pixels"][:], counts)
    report = scenes.verify(out)
    assert (report.problems, report.rows, report.remade) == ((), 40, ())
    assert report.not_remade == "they were given as arrays"
    with pytest.raises(UsageError, match="come from nothing but those arrays"):
        scenes.open_source(file.config, 0)


@pytest.mark.parametrize("kind", [bool, np.uint8, np.int64, np.float32])
def test_a_mask_for_each_entity_is_the_same_with_those_never_seen(
    tmp_path: Path, kind: type
) -> None:
    scenes.write_arrays(IMAGES, ONE_HOT.astype(kind), out=tmp_path / "mine.h5")
    file = scenes.SceneFile(tmp_path / "mine.h5")
    np.testing.assert_array_equal(file["segmentation"][:], LABELS)
    assert len(file.entities) == 6


def test_images_alone_any_strides_and_memory_maps(tmp_path: Path) -> None:
    mapped = np.lib.format.open_memmap(tmp_path / "i.npy", "w+", np.uint8, (600, 8, 8, 3))
    mapped[:] = RNG.integers(0, 256, mapped.shape, dtype=np.uint8)
    scenes.write_arrays(mapped[::-1], out=tmp_path / "mine.h5")
    file = scenes.SceneFile(tmp_path / "mine.h5")
    np.testing.assert_array_equal(file["image"][:], mapped[::-1])
    assert file.keys() == ["image"]


def test_the_same_arrays_change_nothing_and_others_are_refused(tmp_path: Path) -> None:
    out = tmp_path / "mine.h5"
    scenes.write_arrays(IMAGES, LABELS, out=out)
    before = out.stat().st_mtime_ns
    scenes.write_arrays(IMAGES.copy(order="F"), LABELS, out=out)
    assert out.stat().st_mtime_ns == before
    for others in ((IMAGES, None), (IMAGES[::-1], LABELS), (IMAGES[:39], LABELS[:39])):
        with pytest.raises(UsageError, match="exists and is something else; --overwrite replaces"):
            scenes.write_arrays(*others, out=out)
    scenes.write_arrays(IMAGES, out=out, overwrite=True)
    assert scenes.SceneFile(out).keys() == ["image"]


@pytest.mark.parametrize(
    ("images", "masks", "message"),
    [
        (IMAGES[0], None, "images must be (N, H, W, 3), channels last, got (12, 16, 3)"),
        (IMAGES[:0], None, "images must be (N, H, W, 3), channels last, got (0, 12, 16, 3)"),
        (np.moveaxis(IMAGES, -1, 1), None, "channels last, got (40, 3, 12, 16)"),
        (IMAGES / 255, None, "got float64; (255 * images).round().astype(numpy.uint8) makes"),
        (IMAGES.astype(np.int32), None, "images must be uint8, got int32"),
        (IMAGES, LABELS[:39], "masks must be labels (40, 12, 16) or masks of K entities (40, K,"),
        (IMAGES, LABELS[..., None], "for these images, got (40, 12, 16, 1)"),
        (IMAGES, np.moveaxis(ONE_HOT, 1, -1), "for these images, got (40, 12, 16, 6)"),
        (IMAGES, LABELS - 1, "labels must be from 0 to 254, got -1"),
        (IMAGES, LABELS * 85, "labels must be from 0 to 254, got 255"),
        (IMAGES, LABELS * 2.0, "labels must be whole numbers, got float64"),
        (IMAGES, LABELS.astype(str), "masks must be numbers, got <U"),
        (IMAGES, ONE_HOT[:, 1:], "masks must be 0 or 1, and each pixel in exactly one: in image 0"),
        (IMAGES, ONE_HOT * 0.5, "each pixel in exactly one: in image 0, 192 pixels are not"),
        (IMAGES, ONE_HOT[:, :0], "masks must be of 1 to 255 entities, got 0"),
        (IMAGES, np.zeros((40, 300, 12, 16), bool), "masks must be of 1 to 255 entities, got 300"),
    ],
)
def test_what_is_no_dataset_is_refused(tmp_path: Path, images: Any, masks: Any, message: str):
    with pytest.raises(ValueError, match=re.escape(message)):
        scenes.write_arrays(images, masks, out=tmp_path / "mine.h5")
    assert list(tmp_path.iterdir()) == []
