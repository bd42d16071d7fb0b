"""The loss that training uses: each term's mean over a batch, in two parts that can be compiled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar, cast

import torch
from jaxtyping import Float
from torch import Tensor

from monet.config import LossAblations, LossConfig
from monet.loss import loss_terms
from monet.loss_ablations import loss_terms_apart, with_posterior_term
from monet.model import Monet

Backend = str | Callable[..., Callable[..., object]]
"""What `torch.compile` takes: a name such as "inductor", or a function of a graph."""

Region = TypeVar("Region", bound=Callable[..., Any])


class MeanLoss:
    """Means over a batch of loss, nll, kl_latent and kl_mask.

    Two regions can be compiled, each without a graph break: one attention step, which serves every
    slot, and everything after the attention.

    Args:
        model: whose loss.
        loss: weights of its terms.
        ablations: departures from it; none by default.
        backend: what compiles the two regions; by default nothing does.
    """

    def __init__(
        self,
        model: Monet,
        loss: LossConfig,
        ablations: LossAblations | None = None,
        *,
        backend: Backend | None = None,
    ) -> None:
        self._model, self._config = model, loss
        self._ablations = LossAblations() if ablations is None else ablations
        self._split, self._explain = model.attention.split, self._explained
        if backend is not None:
            self._split = compiled(self._split, backend)
            self._explain = compiled(self._explain, backend)

    def __call__(
        self,
        image: Float[Tensor, "B 3 H W"],
        noise: Float[Tensor, "B K D"],
        log_masks: Float[Tensor, "B K H W"] | None,
        posterior_weight: float | Float[Tensor, ""] = 0.0,
    ) -> Float[Tensor, "4"]:
        """Returns the means.

        Args:
            image: in [0, 1].
            noise: unit Gaussian, for the latents; as many slots are used.
            log_masks: masks to use instead of the attention's (section 2.2).
            posterior_weight: of the fourth term, at this step; given masks have no such term.
        """
        if log_masks is not None:
            return self._explain(image, log_masks, noise, 0.0)
        masks = self.log_masks(image, noise.shape[1])
        return self._explain(image, masks, noise, posterior_weight)

    def log_masks(
        self, image: Float[Tensor, "B 3 H W"], num_slots: int
    ) -> Float[Tensor, "B K H W"]:
        """Returns the attention's log masks of images in [0, 1]."""
        return self._model.attention(image, num_slots, self._split)

    def _explained(
        self,
        image: Float[Tensor, "B 3 H W"],
        log_masks: Float[Tensor, "B K H W"],
        noise: Float[Tensor, "B K D"],
        posterior_weight: float | Float[Tensor, ""],
    ) -> Float[Tensor, "4"]:
        config, gamma_vae = self._config, self._ablations.gamma_vae
        if gamma_vae is None:
            parts = self._model.explain(image, log_masks, noise)
            loss = loss_terms(config, image, parts)
        else:
            fixed = self._model.explain(image, log_masks.detach(), noise)
            parts = replace(fixed, log_masks=log_masks)
            loss = loss_terms_apart(config, gamma_vae, image, parts)
        if isinstance(posterior_weight, Tensor) or posterior_weight:
            loss = with_posterior_term(loss, posterior_weight, config, image, parts)
        return torch.stack([loss.total, loss.nll, loss.kl_latent, loss.kl_mask]).mean(dim=1)


def compiled(region: Region, backend: Backend) -> Region:
    """Returns a region that is traced whole and compiled at its first call."""
    # Without the option, Inductor gives up channels_last for a whole training graph as soon as it
    # has a convolution from 128 to 64 channels.
    options: dict[str, Any] = {"force_layout_optimization": True} if backend == "inductor" else {}
    return cast(
        Region,
        torch.compile(
            region, backend=backend, fullgraph=True, dynamic=False, options=options or None
        ),
    )
