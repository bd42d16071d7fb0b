"""How far training in bfloat16 departs from float32: mean losses over 100 steps, side by side.

    tools/bench/precision.py FILE.h5              preset quick, 2,000 steps

Four columns: float32; the same weights, step by step, with the loss computed in bfloat16; a run in
bfloat16; a run in float32 whose first weight was changed in its last bit before the first step.
Training amplifies any difference, so no arithmetic can depart by less than the last column does.

A processor without bfloat16 computes its convolutions in float32 from rounded numbers and rounds
the results, as hardware does; PyTorch's own way of standing in for it is several times slower.
"""

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch
import torch.nn.functional as F
from monet.arithmetic import chosen_precision
from monet.images import to_unit
from monet.presets import PRESETS
from monet.training.batch import Batch
from monet.training.data import TrainingImages
from monet.training.learner import Learner
from monet.training.plain_step import PlainStep
from monet.training.processes import Ranks
from scenes.file.reader import SceneFile
from scenes.memory import keep_freed_memory
from torch import Tensor

EVERY = 100


@contextmanager
def rounded_convolutions() -> Iterator[None]:
    """Makes convolutions under autocast take and return bfloat16 but compute in float32."""
    names = ("conv2d", "conv_transpose2d")
    originals = {name: getattr(F, name) for name in names}

    def of(original: Callable[..., Tensor]) -> Callable[..., Tensor]:
        def convolve(*inputs: object, **options: object) -> Tensor:
            rounded = [x.bfloat16().float() if isinstance(x, Tensor) else x for x in inputs]
            with torch.autocast("cpu", enabled=False):
                return original(*rounded, **options).bfloat16()

        return convolve

    for name, original in originals.items():
        setattr(F, name, of(original))
    try:
        yield
    finally:
        for name, original in originals.items():
            setattr(F, name, original)


@contextmanager
def native_convolutions() -> Iterator[None]:
    yield


def change_last_bit(learner: Learner) -> None:
    """Moves one weight of the first convolution to the next number that float32 has."""
    # The very first parameter is a bias of 0, and the number next to 0 is lost in any sum.
    weight = next(p for p in learner.model.parameters() if p.ndim == 4)
    first = weight.data[0, 0, 0, 0]  # a view, also where channels come last in memory
    first.copy_(torch.nextafter(first, torch.full_like(first, torch.inf)))


def loss_in_half(learner: Learner, batch: Batch) -> float:
    """Returns the loss of the learner's next step, computed in bfloat16 at its weights."""
    unit = learner.noise(learner.step).to(learner.device)
    with torch.no_grad(), torch.autocast(learner.device.type, torch.bfloat16):
        image = to_unit(batch.images)
        means = learner.mean_loss()(image, unit, None)
    return means[0].item()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--preset", default="quick", choices=PRESETS)
    parser.add_argument("--steps", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    keep_freed_memory()
    ranks = Ranks()
    native = chosen_precision("auto", ranks.device) == "bfloat16"
    in_half = native_convolutions if native else rounded_convolutions
    config = replace(
        PRESETS[args.preset], data=args.data, steps=args.steps, seed=args.seed, precision="float32"
    )
    exact = Learner(config, ranks, capturable=False)
    half = Learner(replace(config, precision="bfloat16"), ranks, capturable=False)
    nudged = Learner(config, ranks, capturable=False)
    change_last_bit(nudged)
    assert torch.equal(next(exact.model.parameters()), next(half.model.parameters()))
    print(f"{args.preset}, seed {args.seed}, {ranks.device}, bfloat16 {in_half.__name__}")
    columns = ("float32", "its weights, bfloat16", "bfloat16", "one last bit")
    print("step  " + "".join(f"{column:>23}" for column in columns))
    sums = torch.zeros(4, dtype=torch.float64)
    with SceneFile(args.data) as file:
        images = TrainingImages(
            file, config.model.image_size, config.batch_size, config.seed, device=ranks.device
        )
        exact_steps, half_steps, nudged_steps = (
            PlainStep(learner, images) for learner in (exact, half, nudged)
        )
        for step in range(args.steps):
            batch = images.batch(step)
            with in_half():
                along = loss_in_half(exact, batch)
                of_half = half_steps.gradients(batch)[0].item()
            losses = [exact_steps.gradients(batch)[0].item(), along, of_half]
            losses.append(nudged_steps.gradients(batch)[0].item())
            for steps in (exact_steps, half_steps, nudged_steps):
                steps.update()
            sums += torch.tensor(losses, dtype=torch.float64)
            if (step + 1) % EVERY == 0:
                means, sums = (sums / EVERY).tolist(), torch.zeros_like(sums)
                off = [f"{m:12,.1f} ({abs(m / means[0] - 1):7.2%}) " for m in means[1:]]
                print(f"{step + 1:6,}{means[0]:23,.1f}", *off, sep="", flush=True)
        images.close()


if __name__ == "__main__":
    main()
