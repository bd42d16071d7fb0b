"""Steps on a CPU: the terms of each are checked before it changes a weight."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from monet.given_masks import log_masks_of
from monet.images import to_unit
from monet.training.batch import Batch
from monet.training.data import TrainingImages
from monet.training.learner import Learner
from monet.training.mean_loss import Backend
from monet.training.optimiser import set_rate
from monet.training.steps import TERMS, NotFiniteError, Terms
from monet.training.thread_shares import ThreadShares


class PlainStep:
    """Makes a learner's steps; each core computes a share of the batch.

    Args:
        learner: whose steps to make.
        images: its training images.
        backend: compiles the loss (`MeanLoss`).
    """

    look_every = 1
    """Steps between looks at their terms."""

    def __init__(
        self, learner: Learner, images: TrainingImages, backend: Backend | None = None
    ) -> None:
        self._learner, self._images = learner, images
        self._share = learner.ranks.share(learner.config.batch_size)
        self._loss = learner.mean_loss(backend)
        self.is_compiled = backend is not None
        shares_pay = backend is None and learner.device.type == "cpu"
        self._cores = ThreadShares(torch.get_num_threads() if shares_pay else 1)
        self._terms: list[Terms] = []

    def make(self) -> None:
        """Makes a step.

        Raises:
            NotFiniteError: a term is not finite; the learner is as it was before the step.
        """
        with self._cores.stepping():
            terms = tuple(self.gradients(self._images.batch(self._learner.step)).tolist())
            for name, value in zip(TERMS, terms, strict=True):
                if not math.isfinite(value):
                    raise NotFiniteError(self._learner.step + 1, name, value, is_undone=True)
            self.update()
        self._terms.append(terms)

    def terms(self) -> list[Terms]:
        """Returns the terms of the steps made since the last call."""
        terms, self._terms = self._terms, []
        return terms

    def replan(self) -> None:
        """Follows a change of the learner's config: each step reads it anew."""

    def restart(self) -> None:
        """Goes on from where the learner is now."""
        self._learner.optimiser.zero_grad()
        self._terms = []

    def close(self) -> None:
        """Ends the threads."""
        self._cores.close()

    def gradients(self, batch: Batch) -> Float[Tensor, " T"]:
        """Computes the gradients of the step to come, and changes nothing else.

        Args:
            batch: the whole batch of the step, of which this process takes its share.

        Returns:
            The step's terms (`TERMS`), on the device.
        """
        learner, share = self._learner, self._share
        config, device = learner.config, learner.device
        half = learner.precision == "bfloat16"
        unit = learner.noise(learner.step).to(device)
        log_masks = log_masks_of(config, batch)
        log_masks = None if log_masks is None else log_masks[share]
        image = to_unit(batch.images[share])
        if half and device.type == "cpu":
            # Channels first: with channels last, as the bytes lie, oneDNN's bfloat16 convolutions
            # take 1.5 times as long. In float32 it hardly matters, and digits stay as they were.
            image = image.contiguous()
        weight = config.ablations.posterior_weight_at(learner.step)
        learner.optimiser.zero_grad()

        def loss(rows: slice) -> Float[Tensor, " T"]:
            fixed = None if log_masks is None else log_masks[rows]
            with torch.autocast(device.type, torch.bfloat16, enabled=half):
                return self._loss(image[rows], unit[rows], fixed, weight)

        parameters = list(learner.model.parameters())
        means = self._cores.backward(loss, len(image), parameters)
        gradients = [p.grad for p in parameters if p.grad is not None]
        learner.ranks.average_([means, *gradients])
        norm = torch.nn.utils.get_total_norm(gradients)
        return torch.cat([means, norm[None].to(means)])

    def update(self) -> None:
        """Makes the step that the gradients were computed for."""
        learner = self._learner
        set_rate(learner.optimiser, learner.rate)
        learner.optimiser.step()
        learner.step += 1
        learner.average.update(learner.average.share(learner.step))
