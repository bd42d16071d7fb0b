"""How much processor time keeping freed memory saves, in a training step and a decomposition.

    tools/bench/memory.py            preset quick, one thread, four processes of each kind in turns

It prints processor time in user mode and in the kernel, and page faults: medians over processes.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
from collections.abc import Callable

import torch
from monet.model import Monet
from monet.presets import PRESETS
from monet.training.mean_loss import MeanLoss
from monet.training.optimiser import make_optimiser
from scenes.memory import keep_freed_memory

SCENES = 320


def cost(work: Callable[[], object], times: int) -> tuple[float, float, float]:
    """Returns milliseconds in user mode, milliseconds in the kernel and page faults, per call."""
    for _ in range(2):
        work()
    before = resource.getrusage(resource.RUSAGE_SELF)
    for _ in range(times):
        work()
    after = resource.getrusage(resource.RUSAGE_SELF)
    return (
        (after.ru_utime - before.ru_utime) / times * 1e3,
        (after.ru_stime - before.ru_stime) / times * 1e3,
        (after.ru_minflt - before.ru_minflt) / times,
    )


def measure(preset: str) -> dict[str, tuple[float, float, float]]:
    torch.set_num_threads(1)
    config = PRESETS[preset]
    model = Monet(config.model, config.loss)
    loss = MeanLoss(model, config.loss)
    optimiser = make_optimiser(config.optimiser, model)
    size, B, K = config.model.image_size, config.batch_size, config.model.num_slots
    image, noise = torch.rand(B, 3, size, size), torch.randn(B, K, config.model.latent_dim)
    scenes = torch.rand(SCENES, size, size, 3)

    def step() -> None:
        optimiser.zero_grad()
        loss(image, noise, None)[0].backward()
        optimiser.step()

    return {
        f"step of {B} images": cost(step, 20),
        f"{SCENES} scenes decomposed, nine slots": cost(lambda: model.decompose(scenes, 9), 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", default="quick", choices=PRESETS)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--measure", choices=("kept", "handed back"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        if args.measure == "kept":
            keep_freed_memory()
        print(json.dumps(measure(args.preset)))
        return
    seen: dict[tuple[str, str], list[list[float]]] = {}
    for _ in range(args.rounds):
        for kind in ("handed back", "kept"):
            command = [sys.executable, __file__, "--preset", args.preset, "--measure", kind]
            printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            for work, numbers in json.loads(printed).items():
                seen.setdefault((work, kind), []).append(numbers)
    medians = {
        key: [statistics.median(column) for column in zip(*rows, strict=True)]
        for key, rows in seen.items()
    }
    for work in dict.fromkeys(work for work, _ in seen):
        for kind in ("handed back", "kept"):
            user, kernel, pages = medians[work, kind]
            before = sum(medians[work, "handed back"][:2])
            print(
                f"{work:38} {kind:12} {user:6,.0f} ms and {kernel:6,.0f} ms in the kernel, "
                f"{pages:9,.0f} pages   {before / (user + kernel):4.2f} x"
            )


if __name__ == "__main__":
    main()
