"""Batches: repeatable from any step, every training image once an epoch, held-out ones never."""

import re
import shutil
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from monet.config import HELD_OUT, ModelConfig
from monet.presets import PRESETS
from monet.training.data import TrainingImages, fits_on_device, noise, read_held_out
from monet.training.trainer import Trainer
from scenes.command_line import UsageError
from scenes.file.reader import SceneFile
from scenes.segmentation import images_at

ONE_WINDOW = 1 << 30
TWO_WINDOWS = 32 * 3 * 32**2


@pytest.fixture(params=[ONE_WINDOW, TWO_WINDOWS], ids=["one window", "two windows"])
def window_bytes(request: pytest.FixtureRequest) -> int:
    """Returns a size of window: all training images, or half of them."""
    return request.param


def epoch(file: SceneFile, window_bytes: int, start: int, seed: int = 0) -> np.ndarray:
    images = TrainingImages(file, 32, 8, seed, window_bytes=window_bytes)
    assert images.steps_per_epoch == 8
    batches = [images.batch(start + step).images.numpy() for step in range(8)]
    images.close()
    return np.concatenate(batches)


def sorted_rows(images: np.ndarray) -> np.ndarray:
    return np.unique(images.reshape(len(images), -1), axis=0)


def test_an_epoch_shows_every_training_image_once_and_no_held_out_one(
    rooms_file: Path, window_bytes: int
) -> None:
    with SceneFile(rooms_file) as file:
        seen = epoch(file, window_bytes, start=8)
        training = np.asarray(file["image"][: file.n - HELD_OUT])
    assert len(seen) == len(training)
    np.testing.assert_array_equal(sorted_rows(seen), sorted_rows(training))


def test_a_batch_depends_on_seed_and_step_alone(rooms_file: Path, window_bytes: int) -> None:
    with SceneFile(rooms_file) as file:
        again = epoch(file, window_bytes, start=0)
        np.testing.assert_array_equal(again, epoch(file, window_bytes, start=0))
        assert not np.array_equal(again, epoch(file, window_bytes, start=8)), "epochs differ"
        assert not np.array_equal(again, epoch(file, window_bytes, start=0, seed=1))
        images = TrainingImages(file, 32, 8, 0, window_bytes=window_bytes)
        np.testing.assert_array_equal(images.batch(5).images.numpy(), again[40:48])
        images.close()


def test_larger_images_are_averaged_down(rooms_file: Path) -> None:
    with SceneFile(rooms_file) as file:
        kept = read_held_out(file, 16)
        expected = images_at(np.asarray(file["image"][-HELD_OUT:]), 16)
    np.testing.assert_array_equal(kept.images, expected)
    assert kept.segmentation is not None
    assert kept.segmentation.shape == (HELD_OUT, 16, 16)
    assert kept.num_background == 4


def test_training_and_scores_divide_the_file_where_the_config_says(rooms_file: Path) -> None:
    with SceneFile(rooms_file) as file:
        images = TrainingImages(file, 32, 8, 0, held_out=376)
        trained, kept = images.batch(0).images.numpy(), read_held_out(file, 32, 376).images
        images.close()
        assert len(kept) == 376
        everything = np.asarray(file["image"][:])
    np.testing.assert_array_equal(
        sorted_rows(np.concatenate([trained, kept])), sorted_rows(everything)
    )


def test_what_cannot_be_averaged_down_is_refused(rooms_file: Path) -> None:
    message = f"{rooms_file}: images of 32 pixels cannot be averaged down to the model's 48"
    with SceneFile(rooms_file) as file, pytest.raises(UsageError, match=re.escape(message)):
        TrainingImages(file, 48, 8, 0)


def test_images_that_are_no_square_are_refused_before_any_work(
    rooms_file: Path, tmp_path: Path
) -> None:
    wide = tmp_path / "wide.h5"
    shutil.copy(rooms_file, wide)
    with h5py.File(wide, "r+") as file:
        for key in ("image", "segmentation"):
            pixels = np.asarray(file[key])
            del file[key]
            file[key] = np.concatenate([pixels, pixels], axis=2)
    message = (
        f"{wide}: images of 32 x 64 pixels cannot be averaged down to the model's 16; "
        "scenes import FILE --size 16 --fit crop makes a file that suits"
    )
    config = replace(
        PRESETS["quick"],
        data=wide,
        model=ModelConfig(image_size=16, encoder_channels=(4,), unet_channels=(4, 4)),
    )
    with pytest.raises(UsageError, match=re.escape(message)):
        Trainer(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_too_few_images_are_refused(rooms_file: Path) -> None:
    message = (
        f"{rooms_file}: 384 images are too few: 320 are held out for scores and a batch takes 65; "
        "it needs 385, or fewer of either (--held-out, --batch-size)"
    )
    with SceneFile(rooms_file) as file, pytest.raises(UsageError, match=re.escape(message)):
        TrainingImages(file, 32, 65, 0)


def test_noise_is_unit_gaussian_and_new_at_every_step() -> None:
    first = noise(0, 0, 64, 5, 16)
    assert torch.equal(first, noise(0, 0, 64, 5, 16))
    assert not torch.equal(first, noise(0, 1, 64, 5, 16))
    assert not torch.equal(first, noise(1, 0, 64, 5, 16))
    assert abs(float(first.mean())) < 0.05
    assert abs(float(first.std()) - 1) < 0.05


def test_images_kept_on_the_device_come_in_the_order_of_the_hosts_windows(
    rooms_file: Path,
) -> None:
    three_windows = 24 * 3 * 16**2  # of 64 images
    with SceneFile(rooms_file) as file:
        read, resident = (
            TrainingImages(
                file,
                16,
                8,
                3,
                with_segmentation=True,
                on_device=on_device,
                window_bytes=three_windows,
            )
            for on_device in (False, True)
        )
        assert read.resident is None
        assert resident.resident is not None
        assert len(resident.resident) == read.rows == 64
        for step in (0, 2, 3, 5, 6, 7, 11, 16):
            expected, got = read.batch(step), resident.batch(step)
            assert torch.equal(got.images, expected.images)
            assert got.segmentation is not None
            assert expected.segmentation is not None
            assert torch.equal(got.segmentation, expected.segmentation)
        read.close()
        resident.close()


def test_a_cpu_reads_images_as_they_are_needed() -> None:
    assert not fits_on_device(64, 32, torch.device("cpu"), with_segmentation=False)
