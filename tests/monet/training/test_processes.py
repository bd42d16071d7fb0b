"""Two processes train as one does with the same global batch."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from monet.training.processes import Ranks
from scenes.command_line import UsageError


def train(data: Path, run: Path, steps: int, processes: int, *more: str) -> None:
    """Runs `monet-train` as a user does, alone or by torchrun."""
    # Without `--`, torchrun takes --run for an abbreviation of its own --run-path.
    command = [sys.executable, "-m"]
    if processes > 1:
        command += [
            "torch.distributed.run",
            "--standalone",
            f"--nproc-per-node={processes}",
            "-m",
            "--",
        ]
    command += [
        "monet.cli",
        "--preset",
        "quick",
        "--data",
        str(data),
        "--run",
        str(run),
        "--steps",
        str(steps),
        "--batch-size",
        "4",
        "--image-size",
        "16",
        "--encoder-channels",
        "8",
        "8",
        "--decoder-channels",
        "8",
        "8",
        "--unet-channels",
        "8",
        "8",
        "8",
        "--precision",
        "float32",
        "--log-every",
        "1",
        # At the paper's 1e-4 rounding errors of 1e-7 stay for 30 steps, then grow a thousandfold
        # with the weights' own divergence; a tenth of it keeps them small enough to compare.
        "--optimiser",
        "rmsprop",
        "--learning-rate",
        "1e-5",
        "--warmup-steps",
        "0",
        "--schedule",
        "constant",
        *more,
    ]
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("steps at") == 1, "the first process alone speaks"


def losses(run: Path) -> list[tuple[int, float]]:
    rows = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
    return [(row["step"], row["loss"]) for row in rows if "loss" in row]


@pytest.mark.slow
def test_two_processes_make_the_losses_of_one(rooms_file: Path, tmp_path: Path) -> None:
    steps = 100
    train(rooms_file, tmp_path / "one", steps, 1)
    # Stopped half-way and gone on with, by two.
    train(rooms_file, tmp_path / "two", steps // 2, 2)
    train(rooms_file, tmp_path / "two", steps, 2)
    one, two = losses(tmp_path / "one"), losses(tmp_path / "two")
    assert [step for step, _ in two] == list(range(1, steps + 1)), "one process alone writes"
    for (_, alone), (_, shared) in zip(one, two, strict=True):
        assert shared == pytest.approx(alone, rel=1e-4)


def test_a_batch_that_cannot_be_divided_is_refused() -> None:
    message = "a batch of 64 cannot be divided evenly among 3 processes; choose another --batch-siz"
    with pytest.raises(UsageError, match=re.escape(message)):
        Ranks(rank=0, world=3).share(64)


def test_shares_cover_the_batch_once() -> None:
    rows = [row for rank in range(4) for row in range(64)[Ranks(rank, 4).share(64)]]
    assert rows == list(range(64))
