"""What steps, scores and states take on this machine, and whether compiling steps pays."""

from __future__ import annotations

import copy
import statistics
import time
from collections.abc import Mapping

import torch
from torch import Tensor

from monet.training.learner import Learner
from monet.training.plain_step import PlainStep
from monet.training.state import State, state_bytes
from monet.training.steps import NotFiniteError, Steps
from monet.training.validation import BATCH, PICTURED, Validation

TIMED_LOOKS, TIMED_S = 3, 2.0
"""The pace is measured over so many looks at the steps and so many seconds, but no more looks than
`LONG_S` takes."""
LONG_S = 5.0
ENOUGH_S = 4.0
"""Scores are estimated from a few images where these take so long, else from a batch of them."""
COMPILE_S, COMPILE_SAVES = 70.0, 0.45
"""What compiling takes, and the share of a step's time that it saves: measured on an H200 at the
paper's settings, 40.6 and 76.6 steps a second."""


def seconds_per_step(learner: Learner, steps: Steps) -> float:
    """Measures steps, and brings the learner back to where it was; the mean of all processes.

    Args:
        learner: whose steps.
        steps: what makes them.
    """
    before = copy.deepcopy(learner.state())
    count = steps.look_every
    plain = isinstance(steps, PlainStep) and not steps.is_compiled
    times: list[float] = []
    start = time.perf_counter()
    try:
        # The first look is warm-up: kernels are chosen, compiled and captured. Where it is slow
        # though there is nothing to compile, it is a measurement too.
        while not _are_enough(times[0 if plain else 1 :], count):
            start = time.perf_counter()
            for _ in range(count):
                steps.make()
            steps.terms()
            taken = torch.tensor((time.perf_counter() - start) / count, device=learner.device)
            learner.ranks.average_([taken])  # all must agree on when to end
            times.append(taken.item())
    except NotFiniteError:
        times.append((time.perf_counter() - start) / count)  # training will meet it and say so
    learner.restore(before)
    steps.restart()
    return statistics.median(times[1:] or times)


def _are_enough(times: list[float], count: int) -> bool:
    """Whether these times of a step are enough, at so many steps a look."""
    seconds = sum(times) * count
    return (len(times) >= TIMED_LOOKS and seconds >= TIMED_S) or seconds >= LONG_S


def seconds_of_scores(validation: Validation, weights: Mapping[str, Tensor]) -> float:
    """Estimates what the scores of a run and their picture take, from a few of their images.

    Args:
        validation: of the run.
        weights: of its model, whatever they are.
    """
    for count in (PICTURED, BATCH):  # more images where a few are too quick to tell
        start = time.perf_counter()
        validation.sheet(weights, count)
        seconds = time.perf_counter() - start
        if seconds > ENOUGH_S:
            break
    return seconds / count * validation.num_images


def seconds_of_save(state: State) -> float:
    """Estimates what saving a state takes, by making its bytes."""
    start = time.perf_counter()
    state_bytes(state)
    return time.perf_counter() - start


def compiling_pays(learner: Learner, seconds: float, stop_after_s: float | None) -> bool:
    """Whether a GPU gains more time by compiling than that takes, where the config leaves it open.

    Args:
        learner: has the config; all processes must ask.
        seconds: that a step takes without.
        stop_after_s: wall-clock seconds that there are; as long as all steps take by default.
    """
    config = learner.config
    if config.compile != "auto" or learner.device.type != "cuda":
        return False
    left_s = (config.steps - learner.step) * seconds
    left_s = left_s if stop_after_s is None else min(left_s, stop_after_s)
    return learner.ranks.any(left_s * COMPILE_SAVES > COMPILE_S)
