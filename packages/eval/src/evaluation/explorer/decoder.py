"""MONet's broadcast decoder as the page carries it (`assets/decoder_weights.js` reads it)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float32

if TYPE_CHECKING:
    from monet import Monet


@dataclass(frozen=True)
class Convolution:
    """Kernel and bias of an unpadded 3x3 convolution, after which a relu comes."""

    weight: Float32[np.ndarray, "D C 3 3"]
    bias: Float32[np.ndarray, " D"]


@dataclass(frozen=True)
class DecoderWeights:
    """The decoder in float32.

    What its first convolution makes of latents z, before its relu, is a plane for each channel:
    `corner + right * column + down * row + latents @ z`, with rows and columns counted from 0. The
    latents are the same everywhere, the coordinates rise evenly, and nothing is padded.
    """

    corner: Float32[np.ndarray, " C"]
    right: Float32[np.ndarray, " C"]
    down: Float32[np.ndarray, " C"]
    latents: Float32[np.ndarray, "C D"]
    layers: tuple[Convolution, ...]
    output_weight: Float32[np.ndarray, "4 C2"]
    """The pointwise convolution, to red, green, blue and the mask's logit."""
    output_bias: Float32[np.ndarray, " 4"]


def decoder_weights(model: Monet) -> DecoderWeights:
    """Returns the decoder of a model."""
    decoder, config = model.vae.decoder, model.config
    arrays = {name: value.float().cpu().numpy() for name, value in decoder.state_dict().items()}
    weight = arrays["first.weight"].astype(np.float64)
    of_row, of_column = weight[:, config.latent_dim], weight[:, config.latent_dim + 1]
    axis = decoder.coordinates.cpu().numpy()[0, 0, :, 0].astype(np.float64)
    step = (axis[-1] - axis[0]) / (len(axis) - 1)
    place = axis[0] + step * np.arange(3)  # of the three taps in the corner
    corner = (of_row * place[:, None]).sum((1, 2)) + (of_column * place).sum((1, 2))
    return DecoderWeights(
        corner=_single(corner + arrays["first.bias"]),
        right=_single(step * of_column.sum((1, 2))),
        down=_single(step * of_row.sum((1, 2))),
        latents=_single(weight[:, : config.latent_dim].sum((2, 3))),
        layers=tuple(
            Convolution(arrays[f"convs.{row}.weight"], arrays[f"convs.{row}.bias"])
            for row in range(len(decoder.convs))
        ),
        output_weight=arrays["output.weight"][:, :, 0, 0],
        output_bias=arrays["output.bias"],
    )


def _single(values: np.ndarray) -> Float32[np.ndarray, "*shape"]:
    return values.astype(np.float32)
