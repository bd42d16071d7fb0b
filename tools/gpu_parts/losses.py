"""Part 3: losses of a run in float32, one in bfloat16, and one with a weight changed in a last bit.

Training is chaotic: even a change in the last bit of one weight moves the losses. The third run
shows by how much; only beyond that do the losses of bfloat16 mean anything.
"""

import time
from collections.abc import Sequence
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import torch
from monet.arithmetic import allow_tf32
from monet.config import TrainConfig
from monet.training.data import TrainingImages
from monet.training.learner import Learner
from monet.training.processes import Ranks
from monet.training.whole_step import WholeStep
from precision import change_last_bit
from scenes.file.reader import SceneFile

from gpu_parts.report import Report
from gpu_parts.scale import Scale
from gpu_parts.worker import Worker, WorkerError

RUNS = ("float32", "bfloat16", "one last bit")


def compare_losses(connection: Connection, scale: Scale, config: TrainConfig, data: Path) -> None:
    """Trains the three runs; sends the mean losses of each every `scale.losses_every` steps."""
    torch.backends.cudnn.benchmark = True
    ranks = Ranks()
    exact, half = (replace(config, precision=name) for name in ("float32", "bfloat16"))
    learners = [Learner(each, ranks, capturable=True) for each in (exact, half, exact)]
    change_last_bit(learners[2])
    form = scale.form(graph=True, compiled=False)
    with SceneFile(data) as file:
        images = [
            TrainingImages(
                file,
                config.model.image_size,
                config.batch_size,
                config.seed,
                device=ranks.device,
                on_device=True,
            )
            for _ in learners
        ]
        makers = [WholeStep(*pair, form) for pair in zip(learners, images, strict=True)]
        for _ in range(scale.losses_steps // scale.losses_every):
            means = []
            for learner, maker in zip(learners, makers, strict=True):
                allow_tf32(learner.precision, ranks.device)  # each learner has its own setting
                for _ in range(scale.losses_every):
                    maker.make()
                means.append(float(np.mean([terms[0] for terms in maker.terms()])))
            connection.send(means)
        for maker in makers:
            maker.close()
        for each in images:
            each.close()


def measure_losses(scale: Scale, data: Path, report: Report, until: float) -> str:
    """Prints the losses as they come; returns how far they went.

    Raises:
        WorkerError: not even the first losses came in time.
    """
    worker = Worker("losses", compare_losses, scale, scale.measured(), data)
    rows: list[list[float]] = []
    report.say(f"mean loss, from float32's (TF32 off): {'':6}{'   '.join(RUNS)}")
    try:
        while len(rows) < scale.losses_steps // scale.losses_every:
            rows.append(worker.answer(until))
            step = len(rows) * scale.losses_every
            report.say(f"{step:6,} steps: {_row(rows[-1])}")
            report.keep("losses", {"every": scale.losses_every, "runs": RUNS, "means": rows})
    except WorkerError as error:
        if not rows or time.monotonic() < until:
            raise
        report.say(f"it stops here: {error}")
    finally:
        worker.end()
    apart = np.abs(np.array(rows) / np.array(rows)[:, :1] - 1).max(axis=0)
    return (
        f"{len(rows) * scale.losses_every} of {scale.losses_steps} steps; at most {apart[1]:.2%} "
        f"apart by bfloat16, {apart[2]:.2%} by one last bit"
    )


def _row(means: Sequence[float]) -> str:
    first = f"{means[0]:14,.1f}"
    return first + "".join(f"{mean:14,.1f} ({mean / means[0] - 1:+.3%})" for mean in means[1:])
