"""The explorer as one HTML file that needs nothing else."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import numpy as np
from scenes.pictures.palette import entity_palette, to_uint8
from scenes.pictures.web_page import render_page

from evaluation.explorer.content import ExplorerContent, ShownScenes
from evaluation.explorer.decoder import DecoderWeights
from evaluation.explorer.knobs import Knob
from evaluation.figures.colors import as_hex

ASSETS = "evaluation/explorer/assets"
SCRIPTS = (
    "arrays.js",
    "decoder_weights.js",
    "plain_decoder.js",
    "webgl_decoder.js",
    "composition.js",
    "edits.js",
    "knobs.js",
    "pictures.js",
    "scenes.js",
    "controls.js",
    "session.js",
    "views.js",
    "actions.js",
    "page.js",
)
"""In the order in which they are read; each may use the names of all."""
OFFSET_STEP = 2
"""Nats by which a slot's logits are raised or lowered at once."""
LOWEST_LOG = -60000.0
"""Log masks are kept in two bytes, whose lowest number is -65,504."""
MOST_BYTES = 20_000_000
OTHER_BYTES = 300_000
"""Decoder, knobs, script and style."""


def most_scenes(size: int, slots: int) -> int:
    """Returns how many scenes make a page of `MOST_BYTES`."""
    of_pixel = 3 + 1 + 3 * slots  # image, truth, log mask in two bytes, refined mask in one
    return (MOST_BYTES - OTHER_BYTES) // (size**2 * of_pixel * 4 // 3)


def to_html(content: ExplorerContent) -> str:
    """Returns the page."""
    rows = len(content.scenes.images)
    about = (
        f"{content.model.title}; {rows:,} scene{'s' if rows > 1 else ''} of "
        f"{content.scenes.path.name}."
    )
    return render_page(
        f"{ASSETS}/explorer.html",
        title=f"Explorer: {content.model.name}",
        styles=("evaluation/assets/base.css", f"{ASSETS}/explorer.css"),
        scripts=[f"{ASSETS}/{name}" for name in SCRIPTS],
        data=_data(content),
        words={
            "name": content.model.name,
            "about": about,
            "knob_words": content.knob_words,
            "latent_words": content.latent_words,
            "latent_dim": len(content.latent_mean),
            "offset_step": OFFSET_STEP,
        },
    )


def _data(content: ExplorerContent) -> dict[str, Any]:
    """Returns what the page's scripts read."""
    shown, loss = content.scenes, content.loss
    data: dict[str, Any] = {
        "file": shown.path.name,
        "size": content.size,
        "latentDim": len(content.latent_mean),
        "loss": {
            "sigmaBackground": loss.sigma_bg,
            "sigmaForeground": loss.sigma_fg,
            "beta": loss.beta,
            "gamma": loss.gamma,
        },
        "decoder": _decoder(content.decoder),
        "scenes": [_scene(shown, row) for row in range(len(shown.images))],
        "knobs": [_knob(knob) for knob in content.knobs],
        "knobWords": content.knob_words,
        "latentMean": _floats(content.latent_mean),
        "latentDeviation": _floats(content.latent_deviation),
        "offsetStep": OFFSET_STEP,
    }
    if shown.truth is not None:
        palette = entity_palette(shown.truth.entities, shown.truth.num_background)
        data |= {"entities": shown.truth.entities, "entityColors": as_hex(palette)}
    return data


def _scene(shown: ShownScenes, row: int) -> dict[str, Any]:
    output, truth = shown.output, shown.truth
    if output.latents is None or output.log_sigma is None:
        raise ValueError("a MONet gives latents and their deviations")
    with np.errstate(divide="ignore"):
        log_masks = np.log(output.masks[row])
    return {
        "row": row,
        "image": _base64(shown.images[row]),
        "truth": None if truth is None else _base64(truth.segmentation[row]),
        "logMasks": _base64(np.maximum(log_masks, LOWEST_LOG).astype("<f2")),
        "refined": _base64(to_uint8(shown.refined[row])),
        "latents": _floats(output.latents[row]),
        "logSigma": _floats(output.log_sigma[row]),
        "colors": as_hex(shown.colors[row]),
    }


def _decoder(weights: DecoderWeights) -> dict[str, Any]:
    return {
        "corner": _floats(weights.corner),
        "right": _floats(weights.right),
        "down": _floats(weights.down),
        "latents": _floats(weights.latents),
        "layers": [
            {
                "into": layer.weight.shape[1],
                "out": layer.weight.shape[0],
                "weight": _floats(layer.weight),
                "bias": _floats(layer.bias),
            }
            for layer in weights.layers
        ],
        "outputWeight": _floats(weights.output_weight),
        "outputBias": _floats(weights.output_bias),
    }


def _knob(knob: Knob) -> dict[str, Any]:
    curve = knob.curve
    return {
        "kind": knob.kind,
        "name": knob.name,
        "words": knob.words,
        "unit": knob.unit,
        "labels": knob.labels,
        "curve": None
        if curve is None
        else {"low": curve.low, "high": curve.high, "latents": _floats(curve.latents)},
        "readings": [
            {"weights": _floats(reading.weights), "intercept": reading.intercept}
            for reading in knob.readings
        ],
    }


def _floats(values: np.ndarray) -> str:
    return _base64(values.astype("<f4"))


def _base64(values: np.ndarray) -> str:
    return b64encode(np.ascontiguousarray(values).tobytes()).decode()
