"""What a model returns: read, or refused with the key, the row and the value."""

import re
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from evaluation.predictions.batches import predict
from evaluation.predictions.checks import check_colors, slot_type, slots_of
from evaluation.predictions.contract import read_decoded, read_output
from evaluation.predictions.models import scored_model
from monet import load
from monet.model import Monet
from scenes.command_line import CommandError

N, K, SIZE = 2, 3, 8


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (N, SIZE, SIZE, 3), dtype=np.uint8)


@pytest.fixture
def output(images: np.ndarray) -> SimpleNamespace:
    """Returns an output with every key that a model may give."""
    rng = np.random.default_rng(1)
    drawn = rng.random((N, K, SIZE, SIZE), dtype=np.float32)
    masks = drawn / drawn.sum(axis=1, keepdims=True)
    return SimpleNamespace(
        masks=masks,
        reconstruction=(images / 255).astype(np.float32),
        components=np.repeat(images[:, None] / 255, K, axis=1),
        latents=rng.normal(size=(N, K, 4)),
        masks_recon=masks,
        mask_logits=np.log(masks),
        nll=np.zeros(N),
    )


def refused(returned: object, images: np.ndarray) -> str:
    with pytest.raises(CommandError) as caught:
        read_output(returned, images, "mine")
    line = str(caught.value)
    assert line.startswith("mine: ")
    assert "\n" not in line
    return line.removeprefix("mine: ")


def test_everything_that_a_model_may_return_is_read(
    output: SimpleNamespace, images: np.ndarray
) -> None:
    read = read_output(output, images, "mine")
    for key in ("masks", "reconstruction", "components", "latents", "mask_logits"):
        np.testing.assert_array_equal(getattr(read, key), getattr(output, key))
    assert list(read.terms) == ["nll"]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(
    "key",
    ["masks", "reconstruction", "components", "latents", "masks_recon", "mask_logits", "nll"],
)
def test_what_is_not_finite_is_refused_wherever_it_is(
    output: SimpleNamespace, images: np.ndarray, key: str, value: float
) -> None:
    array = getattr(output, key).copy()
    array[1].flat[0] = value if array.ndim > 1 else 0
    if array.ndim == 1:
        array[1] = value
    setattr(output, key, array)
    assert refused(output, images) == f"{key}: must be finite, got {value} in image 1"


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        ({"masks": None}, "masks: expected an array of numbers, got NoneType"),
        ({"masks": "masks"}, "masks: expected an array of numbers, got str"),
        ({"masks": [[1.0], [1.0, 2.0]]}, "masks: is no array: "),
        ({"masks": np.ones((N, K))}, "masks: expected (2, K, 8, 8), got (2, 3)"),
        ({"masks": np.zeros((N, 0, SIZE, SIZE))}, "masks: expected 1 to 65,536 slots, got 0"),
        ({"masks": np.zeros((N, K, SIZE, SIZE))}, "masks: must sum to 1 over the slots, got 0 in"),
        ({"latents": np.ones((N, K + 1, 4))}, "latents: expected (2, 3, D), got (2, 4, 4)"),
        ({"latents": {"a": 1}}, "latents: expected an array of numbers, got dict"),
        ({"nll": 3.0}, "nll: expected (2), got ()"),
    ],
)
def test_wrong_types_and_shapes_are_one_line(
    output: SimpleNamespace, images: np.ndarray, changed: dict[str, Any], line: str
) -> None:
    for key, value in changed.items():
        setattr(output, key, value)
    assert refused(output, images).startswith(line)


@pytest.mark.parametrize(
    ("stretch", "seen"),
    [
        (lambda colors: 2 * colors - 1, "got -1 to 1"),
        (lambda colors: colors - 0.5, "got -0.5 to 0.5"),
        (lambda colors: 255 * colors, "got 0 to 255"),
        (lambda colors: (255 * colors).astype(np.uint8), "got 0 to 255"),
        (lambda colors: (colors - 0.45) / 0.22, "got -2.05 to 2.5"),
    ],
)
def test_colours_that_are_not_meant_to_be_in_0_to_1_are_refused(
    output: SimpleNamespace, images: np.ndarray, stretch: Any, seen: str
) -> None:
    output.reconstruction = stretch(output.reconstruction)
    assert refused(output, images).startswith(f"reconstruction: must be in [0, 1], {seen}")
    output.reconstruction = None
    output.components = stretch(output.components)
    line = refused(output, images)
    assert line.startswith("components, mixed by the masks: must be in [0, 1], got ")


def test_means_that_are_not_squashed_may_leave_the_range() -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
    colors = images / 255 + 0.1 * rng.normal(size=images.shape)
    check_colors(colors, images, "mine", "reconstruction")
    colors[0, 0, 0, 0] = 4.9
    check_colors(colors, images, "mine", "reconstruction")
    colors[0, 0, 0, 0] = 5.1
    with pytest.raises(CommandError, match=re.escape("must be in [0, 1], got -0.")):
        check_colors(colors, images, "mine", "reconstruction")
    untrained = rng.uniform(-0.6, 0.1, images.shape)  # which follows nothing
    check_colors(untrained, images, "mine", "reconstruction")
    with pytest.raises(CommandError, match=re.escape("must be in [0, 1], got -1 to")):
        check_colors(rng.uniform(-1, 1, images.shape), images, "mine", "reconstruction")


@pytest.mark.parametrize("name", ["objects_room_quick", "multi_dsprites_quick"])
def test_what_shipped_weights_and_untrained_models_reconstruct_passes(
    name: str, model: Monet
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
    untrained = []
    for seed in range(20):
        torch.manual_seed(seed)
        untrained.append(Monet(model.config).eval())
    hard = np.concatenate([noise, np.zeros_like(noise), np.full_like(noise, 255)])
    for each in (load(name), model, *untrained):
        size = each.config.image_size
        large = hard.repeat(size // 32, axis=1).repeat(size // 32, axis=2)
        assert np.isfinite(predict(each, large).terms["mse"]).all()


def test_weights_of_nan_are_refused_not_scored(model: Monet, images: np.ndarray) -> None:
    broken = Monet(model.config).eval()
    broken.load_state_dict(model.state_dict())
    with torch.no_grad():
        next(iter(broken.vae.parameters())).fill_(torch.nan)
    with pytest.raises(ValueError, match="of these images are not finite: the weights are not so"):
        predict(replace(scored_model(broken)), images.repeat(4, axis=1).repeat(4, axis=2))


def test_decoded_latents_are_held_to_the_same(images: np.ndarray) -> None:
    components, logits = np.zeros((5, 8, 8, 3)), np.zeros((5, 8, 8))
    read_decoded((components, logits), 5, "mine")
    for returned, line in {
        "neither": (components, "decode: expected components and mask logits, got ndarray"),
        "shape": ((components, logits[:4]), "decoded mask logits: expected (5, 8, 8), got (4, 8"),
        "nan": ((components * np.nan, logits), "decoded components: must be finite, got nan in"),
    }.values():
        with pytest.raises(CommandError, match=re.escape(f"mine: {line}")):
            read_decoded(returned, 5, "mine")


def test_the_slot_of_a_pixel_never_wraps() -> None:
    assert (slot_type(256), slot_type(257)) == (np.uint8, np.uint16)
    masks = np.zeros((1, 300, 2, 2), np.float32)
    masks[0, [299, 256, 255, 0], [0, 0, 1, 1], [0, 1, 0, 1]] = 1
    np.testing.assert_array_equal(slots_of(masks), [[[299, 256], [255, 0]]])
    with pytest.raises(ValueError, match="at most 65,536 slots, got 65,537"):
        slot_type(65_537)


@pytest.mark.parametrize("noise", [0.0, 0.05])
def test_bright_images_in_another_range_are_refused_by_how_much_they_rise(noise: float) -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(110, 256, (4, 16, 16, 3), dtype=np.uint8)
    exact = (images / 255 + rng.normal(0, noise, images.shape)).astype(np.float32)
    check_colors(exact, images, "mine", "reconstruction")
    blurred = (exact + exact.mean(axis=(1, 2), keepdims=True)) / 2
    check_colors(blurred.astype(np.float32), images, "mine", "reconstruction")
    with pytest.raises(CommandError, match=re.escape("must be in [0, 1], got -0.")):
        check_colors(2 * exact - 1, images, "mine", "reconstruction")
    flat = np.full_like(images, 200)
    check_colors(exact, flat, "mine", "reconstruction")  # one colour, which tells nothing
