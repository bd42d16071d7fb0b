"""The decoder that the page carries is torch's: as weights, and in Chromium by both of its ways."""

import json
from pathlib import Path

import monet
import numpy as np
import pytest
from browser import Tab
from evaluation.explorer.decoder import decoder_weights
from evaluation.explorer.exploration import explore
from monet.weights import SHIPPED
from promises import Promise
from scenes.driver import build
from scenes.objects_room.config import ObjectsRoomConfig

SHIPPED_NAMES = sorted(path.stem for path in SHIPPED.glob("*.safetensors"))
TOLERANCE = 1e-3


def test_the_first_convolution_is_a_plane_for_each_channel() -> None:
    model = monet.load("objects_room_quick")
    weights = decoder_weights(model)
    z = np.random.default_rng(0).normal(size=model.config.latent_dim).astype(np.float32)
    decoder = model.vae.decoder
    import torch

    with torch.no_grad():
        expected = decoder.first(torch.from_numpy(z)[None], decoder.coordinates)[0].numpy()
    rows, columns = np.mgrid[: expected.shape[1], : expected.shape[2]]
    corner = weights.corner + weights.latents @ z
    planes = (
        corner[:, None, None]
        + weights.right[:, None, None] * columns
        + weights.down[:, None, None] * rows
    )
    np.testing.assert_allclose(planes, expected, atol=1e-4)


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a file of one room, which averages down to every shipped model's size."""
    path = tmp_path_factory.mktemp("room") / "room.h5"
    build(ObjectsRoomConfig(size=64), n=1, seed=0, out=path, workers=1)
    return path


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow if name.endswith("_64") else ())
        for name in SHIPPED_NAMES
    ],
)
def test_the_page_s_decoder_equals_torch_s_for_shipped_weights(
    name: str, room: Path, tab: Tab, tmp_path: Path, promise: Promise
) -> None:
    model = monet.load(name)
    page = explore(model, room, n=1, knob_scenes=0, out=tmp_path / "page.html")
    tab.open(page.as_uri())
    rng = np.random.default_rng(0)
    latents = rng.normal(scale=1.5, size=(3, model.config.latent_dim)).astype(np.float32)
    components, logits = model.render(latents[None])
    expected = np.concatenate([components[0], logits[0][..., None]], axis=-1)
    for word in ("plain", "webgl"):
        tab.js(f"explorer.use('{word}')")
        running = tab.js("document.getElementById('engine').value")
        assert running == word, tab.js("document.getElementById('engine-words').textContent")
        for z, wanted in zip(latents, expected, strict=True):
            decoded = tab.js(f"explorer.decode({json.dumps(z.tolist())})")
            np.testing.assert_allclose(np.reshape(decoded, wanted.shape), wanted, atol=TOLERANCE)
    assert tab.errors == []
    promise(
        "The explorer's decoder is the model's",
        "every shipped model, random latents, in plain JavaScript and in WebGL2, against torch",
        2 * len(latents),
        "equal to 0.001",
    )
