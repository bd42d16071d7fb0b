"""The inputs of the steps to come, one row a step, in a buffer on the device.

A row says which images a step takes, their noise, the learning rate, the weights' share in their
moving average, and the posterior weight. A thread of the host prepares some hundred rows ahead. The
device counts the rows itself and writes each step's terms beside its row, so that a step needs
nothing from the host.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from monet.training.batch import Batch
from monet.training.data import TrainingImages
from monet.training.learner import Learner
from monet.training.optimiser import learning_rate
from monet.training.steps import TERMS

STEPS_AHEAD = 256
"""Rows of the buffer."""
STAGED_BYTES = 256 << 20
"""Room for images in the buffer, used unless the device holds all training images."""


@dataclass(frozen=True)
class Row:
    """What one step needs, on the device."""

    scenes: Batch
    """The whole batch."""
    noise: Float[Tensor, "b K D"]
    """For this process's share of the batch."""
    rate: Float[Tensor, ""]
    """Learning rate."""
    averaged: Float[Tensor, ""]
    """The weights' share in their moving average."""
    posterior_weight: Float[Tensor, ""]


@dataclass(frozen=True)
class Prepared:
    """Rows on the host, ready to be copied."""

    places: Int64[Tensor, "S B"]
    """Indices of each step's images, in the buffer or among all images."""
    noise: Float[Tensor, "S b K D"]
    staged: Batch | None
    """The images of all these steps; `None` if the device holds every image."""

    def pinned(self) -> Prepared:
        """Returns the rows in pinned memory, from which a GPU copies while the caller goes on."""
        staged = None if self.staged is None else self.staged.pinned()
        return Prepared(self.places.pin_memory(), self.noise.pin_memory(), staged)


class StepBuffer:
    """The rows of the steps to come, and the terms of those made.

    Args:
        learner: whose steps they are.
        images: its training images.
        steps_ahead: rows; fewer where their images would take more than `STAGED_BYTES`.
    """

    def __init__(self, learner: Learner, images: TrainingImages, steps_ahead: int) -> None:
        self._learner, self._images = learner, images
        config, device = learner.config, learner.device
        share = learner.ranks.share(config.batch_size)
        self._feeder = ThreadPoolExecutor(1, "rows")
        self._next: Future[Prepared] | None = None
        if images.resident is not None:
            self._scenes = images.resident
        else:
            example = images.read(learner.step).take(torch.zeros(1, dtype=torch.int64))
            steps_ahead = max(
                1, min(steps_ahead, STAGED_BYTES // (config.batch_size * example.bytes))
            )
            room = torch.zeros(steps_ahead * config.batch_size, dtype=torch.int64)
            self._scenes = example.take(room).to(device)
        self.steps_ahead = steps_ahead

        def zeros(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
            return torch.zeros(steps_ahead, *shape, dtype=dtype, device=device)

        model = config.model
        self._places = zeros(config.batch_size, dtype=torch.int64)
        self._noise = zeros(share.stop - share.start, model.num_slots, model.latent_dim)
        self._schedule = zeros(3)
        self._terms = zeros(len(TERMS))
        self._at = torch.zeros(1, dtype=torch.int64, device=device)
        """Row of the step to come, as the device counts."""
        self.restart()

    def restart(self) -> None:
        """Drops all rows and terms, because the learner has gone to another step."""
        if self._next is not None:
            self._next.cancel()
            self._next = None
        self._first: int | None = None
        """Step of the first row; `None` while there are no rows."""
        self._aside: list[Float[Tensor, "S T"]] = []
        self._looked = self._learner.step
        """Step up to which terms have been put aside."""

    def close(self) -> None:
        """Ends the thread."""
        self._feeder.shutdown(cancel_futures=True)

    def fill(self) -> None:
        """Fills the buffer anew where it has no row for the learner's next step."""
        step = self._learner.step
        if self._first is not None and step < self._first + self.steps_ahead:
            return
        self._put_terms_aside()
        # Also in the thread if it is needed now: only one thread may read images in their order.
        prepared = (self._next or self._feeder.submit(self._prepare, step)).result()
        self._places.copy_(prepared.places, non_blocking=True)
        self._noise.copy_(prepared.noise, non_blocking=True)
        if prepared.staged is not None:
            self._scenes.copy_(prepared.staged)
        self._schedule.copy_(self._plan(step, self.steps_ahead))
        self._at.zero_()
        self._first = step
        self._next = self._feeder.submit(self._prepare, step + self.steps_ahead)

    def settle(self) -> None:
        """Waits until no rows are being prepared: nothing else may run during a capture."""
        if self._next is not None:
            self._next.result()

    def replan(self) -> None:
        """Recomputes the schedule of the steps to come from the learner's config."""
        if self._first is None:
            return
        done = self._learner.step - self._first
        if done < self.steps_ahead:
            self._schedule[done:] = self._plan(self._learner.step, self.steps_ahead - done).to(
                self._schedule.device
            )

    def row(self) -> Row:
        """Returns the next step's inputs, by operations on the device alone, as a graph needs."""
        places, drawn, now = (
            part.index_select(0, self._at)[0]
            for part in (self._places, self._noise, self._schedule)
        )
        rate, averaged, posterior_weight = now.unbind()
        return Row(self._scenes.take(places), drawn, rate, averaged, posterior_weight)

    def finish_row(self, terms: Float[Tensor, " T"]) -> None:
        """Writes a step's terms and goes on to the next row, by operations on the device alone."""
        self._terms.index_copy_(0, self._at, terms[None])
        self._at += 1

    def terms(self) -> list[list[float]]:
        """Waits for the device; returns the terms of the steps made since the last call."""
        self._put_terms_aside()
        aside, self._aside = self._aside, []
        rows: list[list[float]] = torch.cat(aside).tolist() if aside else []
        return rows

    def _put_terms_aside(self) -> None:
        """Copies terms to where the next rows do not overwrite them."""
        if self._first is None or self._looked == self._learner.step:
            return
        rows = slice(self._looked - self._first, self._learner.step - self._first)
        self._aside.append(self._terms[rows].clone())
        self._looked = self._learner.step

    def _prepare(self, first: int) -> Prepared:
        config, images = self._learner.config, self._images
        steps = range(first, first + self.steps_ahead)
        drawn = torch.stack([self._learner.noise(step) for step in steps])
        if images.resident is not None:
            places = torch.stack([images.rows_of(step) for step in steps])
            prepared = Prepared(places, drawn, None)
        else:
            places = torch.arange(len(steps) * config.batch_size).view(len(steps), -1)
            staged = Batch.joined([images.read(step) for step in steps])
            prepared = Prepared(places, drawn, staged)
        return prepared.pinned() if self._learner.device.type == "cuda" else prepared

    def _plan(self, first: int, count: int) -> Float[Tensor, "S 3"]:
        """Returns some steps' learning rate, weights' share in the average and posterior weight."""
        config, average = self._learner.config, self._learner.average
        return torch.tensor(
            [
                (
                    learning_rate(config.optimiser, step, config.steps),
                    average.share(step + 1),
                    config.ablations.posterior_weight_at(step),
                )
                for step in range(first, first + count)
            ]
        )
