"""Models for twice the image size out of trained ones: what they compute, and that they learn."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from monet import Monet, load
from monet.config import TrainConfig
from monet.training.growth import grow
from monet.training.trainer import Trainer
from monet.weights import find_weights, read_weights
from scenes.command_line import UsageError
from scenes.driver import build
from scenes.file.reader import SceneFile
from scenes.objects_room.config import ObjectsRoomConfig
from small_runs import MODEL, small_run

NAME = "objects_room_quick"


@pytest.fixture(scope="module")
def small() -> Monet:
    return load(NAME)


@pytest.fixture(scope="module")
def large(small: Monet) -> Monet:
    """Returns the shipped model for rooms, grown to 64 pixels."""
    config = replace(
        small.config,
        image_size=64,
        encoder_channels=(12, *small.config.encoder_channels),
        unet_channels=(32, *small.config.unet_channels),
    )
    model = Monet(config).eval()
    model.load_state_dict(grow(read_weights(find_weights(NAME)).tensors, small.config, model))
    return model


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> torch.Tensor:
    """Returns 32 rooms, (32, 3, 64, 64) in [0, 1]."""
    path = tmp_path_factory.mktemp("rooms") / "test.h5"
    build(ObjectsRoomConfig(split="test", size=64), seed=0, n=32, out=path, workers=1)
    with SceneFile(path) as file:
        return torch.from_numpy(file["image"][:]).movedim(-1, 1) / 255


def halved(x: torch.Tensor) -> torch.Tensor:
    """Returns the means over two by two pixels."""
    return F.avg_pool2d(x.flatten(0, -4), 2).unflatten(0, x.shape[:-3])


@torch.no_grad()
def test_the_larger_encoder_computes_what_the_smaller_one_does_of_halved_images(
    small: Monet, large: Monet, images: torch.Tensor
) -> None:
    log_masks = large.attention(images, 7).clamp(min=-11)
    expected = small.vae.encoder(halved(images), halved(log_masks))
    for got, wanted in zip(large.vae.encoder(images, log_masks), expected, strict=True):
        torch.testing.assert_close(got, wanted, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_the_larger_attention_divides_images_much_as_the_smaller_one_does(
    small: Monet, large: Monet, images: torch.Tensor
) -> None:
    expected = small.attention(halved(images), 7).argmax(dim=1)
    got = halved(large.attention(images, 7).exp()).argmax(dim=1)
    assert (got == expected).float().mean() > 0.93  # 0.96; 0.53 by a fresh model


@torch.no_grad()
def test_a_scope_of_no_contrast_stays_one_in_the_larger_attention(
    large: Monet, images: torch.Tensor
) -> None:
    nothing = torch.zeros(len(images), 1, 64, 64)
    faint = nothing.clone()
    faint[:, :, 32:] = -1e-3  # to an instance norm as good as any
    unet = large.attention.unet
    of_image = unet.image_part(images)
    moved = unet(of_image, faint).sigmoid() - unet(of_image, nothing).sigmoid()
    assert moved.abs().mean() < 2e-3


@torch.no_grad()
def test_the_larger_decoder_draws_much_the_same_twice_as_large(
    small: Monet, large: Monet, images: torch.Tensor
) -> None:
    z, _ = small.vae.encoder(halved(images), small.attention(halved(images), 7).clamp(min=-11))
    expected, logits = small.vae.decode(z)
    got, larger_logits = large.vae.decode(z)
    assert (halved(got) - expected).abs().mean() < 0.3 * expected.std()  # 0.25
    same = halved(larger_logits.softmax(dim=1)).argmax(dim=1) == logits.argmax(dim=1)
    assert same.float().mean() > 0.8  # 0.87


@pytest.fixture(scope="module")
def first_run(rooms_file: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainConfig:
    """Returns the config of a finished run at 16 pixels, to go on from its folder."""
    folder = tmp_path_factory.mktemp("runs") / "small"
    config = small_run(rooms_file, 2, model=replace(MODEL, unet_channels=(10, 9, 8)))
    with Trainer(config, folder) as trainer:
        trainer.run()
    return replace(config, init_from=str(folder))


def going_on(first: TrainConfig, **changes: object) -> TrainConfig:
    model = replace(first.model, image_size=32, encoder_channels=(4, 8, 8), **changes)
    return replace(first, model=model, grow=True)


def test_a_run_goes_on_at_twice_the_image_size(first_run: TrainConfig, tmp_path: Path) -> None:
    config = going_on(first_run, unet_channels=(11, 10, 10, 8))  # and wider
    with Trainer(config, tmp_path) as trainer:
        start = {name: tensor.clone() for name, tensor in trainer.model.state_dict().items()}
        trained = read_weights(find_weights(str(first_run.init_from))).tensors
        for name in ("encoder.hidden.weight", "decoder.first.weight", "decoder.output.weight"):
            assert torch.equal(start[f"vae.{name}"], trained[f"vae.{name}"])
        trainer.run()
        for name, now in trainer.model.state_dict().items():
            assert now.isfinite().all()
            assert not torch.equal(now, start[name]), name


@pytest.mark.parametrize(
    "changes",
    [
        {"unet_channels": (9, 10, 9, 8)},
        {"unet_channels": (10, 9, 8)},
        {"unet_channels": (10, 10, 9, 8), "encoder_channels": (3, 8, 8)},
        {"unet_channels": (10, 10, 9, 8), "encoder_channels": (8, 8)},
    ],
    ids=["narrow U-Net", "short U-Net", "narrow encoder", "short encoder"],
)
def test_a_larger_model_of_another_shape_is_refused(
    first_run: TrainConfig, tmp_path: Path, changes: dict[str, object]
) -> None:
    config = going_on(first_run)
    config = replace(config, model=replace(config.model, **changes))
    message = "--init-from needs weights of the same architecture (image_size 16, not 32)"
    with pytest.raises(UsageError, match=re.escape(message)):
        Trainer(config, tmp_path)
