"""How often predictions in order are refused, and how often those in another order are not.

`uv run pytest -m slow -s tests/evaluation/predictions/test_order_alarms.py` prints the counts that
docs/metrics.md gives.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from evaluation.predictions.batches import predict
from evaluation.predictions.order import check_order
from evaluation.scores.truth import TestScenes, read_scenes
from monet import Monet, load
from monet.presets import PRESETS
from promises import Promise
from scenes.command_line import CommandError
from scenes.driver import build
from scenes.multi_dsprites.config import MultiDSpritesConfig
from scenes.objects_room.config import ObjectsRoomConfig
from scipy.ndimage import gaussian_filter

Segment = Callable[[np.ndarray, int, np.random.Generator], np.ndarray]
SCENES = 320
TRIALS = 63
"""Trials of each kind of predictions on each dataset: 1,008 in all."""


@pytest.fixture(scope="module")
def datasets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, TestScenes]:
    """Returns rooms and sprites of 32 pixels."""
    folder, read = tmp_path_factory.mktemp("order"), {}
    configs = {"rooms": ObjectsRoomConfig(size=32), "sprites": MultiDSpritesConfig()}
    for name, config in configs.items():
        path = folder / f"{name}.h5"
        build(config, n=SCENES, seed=5, out=path, workers=1)
        read[name] = read_scenes(path, SCENES, 32)
    return read


def noise(images: np.ndarray, slots: int, rng: np.random.Generator) -> np.ndarray:
    return rng.integers(0, slots, images.shape[:3])


def smooth_noise(images: np.ndarray, slots: int, rng: np.random.Generator) -> np.ndarray:
    masks = rng.normal(size=(len(images), slots, *images.shape[1:3]))
    width = rng.uniform(1, 8)
    return gaussian_filter(masks, (0, 0, width, width)).argmax(axis=1)


def grids(images: np.ndarray, slots: int, rng: np.random.Generator) -> np.ndarray:
    """Returns stripes of another direction and offset in each scene."""
    n, height, width, _ = images.shape
    y, x = np.mgrid[:height, :width] / height
    angle, offset = rng.uniform(0, np.pi, (n, 1, 1)), rng.uniform(0, 1, (n, 1, 1))
    return (np.floor(slots * (x * np.cos(angle) + y * np.sin(angle) + offset)) % slots).astype(int)


def constant(images: np.ndarray, slots: int, rng: np.random.Generator) -> np.ndarray:
    """Returns the same random masks for every scene."""
    return smooth_noise(images[:1], slots, rng).repeat(len(images), axis=0)


def random_colors(images: np.ndarray, slots: int, rng: np.random.Generator) -> np.ndarray:
    """Returns, for each pixel, which of some colours is nearest, drawn anew in each scene."""
    centres = rng.uniform(0, 255, (len(images), slots, 1, 1, 3))
    return np.abs(images[:, None] - centres).sum(axis=-1).argmin(axis=1)


def untrained_monet(images: np.ndarray, slots: int, rng: np.random.Generator) -> np.ndarray:
    torch.manual_seed(int(rng.integers(1 << 30)))
    small = replace(
        PRESETS["quick"].model,
        encoder_channels=(8, 8),
        decoder_channels=(8, 8),
        unet_channels=(8, 8, 8),
    )
    return Monet(small).eval().decompose(images, min(slots, 7)).masks.argmax(axis=1)


@torch.no_grad()
def slot_attention(
    images: np.ndarray, slots: int, rng: np.random.Generator, *, of_places: float
) -> np.ndarray:
    """Returns the attention of an untrained Slot Attention, three rounds of it.

    Args:
        images: the scenes.
        slots: number of slots, which begin anew in each scene.
        rng: of weights and slots.
        of_places: how much of a pixel's features is its place rather than the image.
    """
    generator = torch.Generator().manual_seed(int(rng.integers(1 << 30)))

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    n, height, width, _ = images.shape
    x = torch.from_numpy(images).float().movedim(-1, 1) / 255 - 0.5
    for fan_in in (3, 16):
        x = torch.relu(torch.conv2d(x, normal(16, fan_in, 5, 5) / (25 * fan_in) ** 0.5, padding=2))
    y_of, x_of = torch.meshgrid(
        torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij"
    )
    places = torch.einsum("cp,phw->chw", normal(16, 2), torch.stack([y_of, x_of]))
    x = torch.nn.functional.layer_norm(
        (1 - of_places) * x.flatten(2).transpose(1, 2) / x.std() + of_places * places.flatten(1).T,
        (16,),
    )
    keys, values = x @ normal(16, 16) / 4, x @ normal(16, 16) / 4
    query, state = normal(16, 16) / 4, normal(n, slots, 16)
    for _ in range(3):
        of_slots = torch.nn.functional.layer_norm(state, (16,)) @ query
        shares = torch.softmax(keys @ of_slots.transpose(1, 2) / 4, dim=-1)  # (n, pixels, slots)
        state = (shares / shares.sum(dim=1, keepdim=True)).transpose(1, 2) @ values
    return shares.argmax(dim=-1).reshape(n, height, width).numpy()


def slot_attention_of_places(
    images: np.ndarray, slots: int, rng: np.random.Generator
) -> np.ndarray:
    return slot_attention(images, slots, rng, of_places=1.0)


def slot_attention_of_images(
    images: np.ndarray, slots: int, rng: np.random.Generator
) -> np.ndarray:
    return slot_attention(images, slots, rng, of_places=float(rng.uniform(0, 0.7)))


USELESS: tuple[Segment, ...] = (
    noise,
    smooth_noise,
    grids,
    constant,
    random_colors,
    untrained_monet,
    slot_attention_of_places,
    slot_attention_of_images,
)


def refused(true: np.ndarray, pred: np.ndarray) -> bool:
    try:
        check_order(Path("p.h5"), true, pred)
    except CommandError:
        return True
    return False


@pytest.mark.slow
def test_a_thousand_useless_predictions_in_order_pass(
    datasets: dict[str, TestScenes], promise: Promise
) -> None:
    rng = np.random.default_rng(0)
    tried, alarms = Counter[str](), Counter[str]()
    for name, scenes in datasets.items():
        for segment in USELESS:
            for _ in range(TRIALS):
                n, slots = int(rng.choice([40, 100, SCENES])), int(rng.choice([2, 5, 9, 30]))
                pred = segment(scenes.images[:n], slots, rng)
                tried[f"{segment.__name__}, {name}"] += 1
                alarms[f"{segment.__name__}, {name}"] += refused(scenes.segmentation[:n], pred)
    for kind, count in tried.items():
        print(f"{kind}: {alarms[kind]} of {count} refused")  # noqa: T201
    assert sum(tried.values()) == 2 * len(USELESS) * TRIALS > 1000
    assert sum(alarms.values()) == 0
    promise(
        "Bad predictions are not taken for predictions in another order",
        "random and untrained predictions in order",
        sum(tried.values()),
        f"{sum(alarms.values())} refused",
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "weights"), [("rooms", "objects_room_quick"), ("sprites", "multi_dsprites_quick")]
)
def test_a_models_predictions_are_refused_in_every_other_order(
    datasets: dict[str, TestScenes], name: str, weights: str, promise: Promise
) -> None:
    scenes = datasets[name]
    pred = predict(load(weights), scenes.images).segmentation
    assert not refused(scenes.segmentation, pred)
    rng = np.random.default_rng(0)
    for n in (40, 100, SCENES):
        rows = np.arange(n)
        swapped = rows.copy()
        block = n // 5
        swapped[:block], swapped[-block:] = rows[-block:], rows[:block]
        orders = {
            "shuffled": rng.permutation(n),
            "shifted by one": np.roll(rows, 1),
            "reversed": rows[::-1],
            "halves swapped": np.roll(rows, n // 2),
            "two blocks swapped": swapped,
        }
        found = {
            order: refused(scenes.segmentation[:n], pred[:n][rows])
            for order, rows in orders.items()
        }
        print(name, n, found)  # noqa: T201
        if n == 40:  # of two blocks of eight, a coin may fall so
            del found["two blocks swapped"]
        assert all(found.values()), found
        promise(
            "Predictions in another order than the scenes are refused",
            "a shipped model's predictions of 40, 100 and 500 scenes, shuffled, shifted, swapped",
            len(found),
            "all refused",
        )
