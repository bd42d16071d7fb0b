"""Milliseconds of a training step at paper settings: the naive form, each step up, and the floor.

    tools/bench/train.py                          batch 8, all threads
    tools/bench/train.py --data FILE.h5           measures the loader too

All forms have the same weights and batch and take turns within one run; medians are printed. Forms
that keep freed memory (`scenes.memory`) run in a process of their own: keeping cannot be undone.
"""

import argparse
import copy
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

import torch
from floor import measured_floor
from monet.arithmetic import chosen_precision
from monet.config import HELD_OUT, Precision
from monet.model import Monet
from monet.naive import FLOOR, naive_decoded, naive_log_masks, naive_posterior, naive_terms
from monet.presets import PRESETS
from monet.training.data import TrainingImages
from monet.training.learner import Learner
from monet.training.mean_loss import MeanLoss
from monet.training.plain_step import PlainStep
from monet.training.processes import Ranks
from monet.training.step_buffer import STEPS_AHEAD, StepBuffer
from monet.training.thread_shares import ThreadShares
from scenes.driver import build
from scenes.file.reader import SceneFile
from scenes.memory import keep_freed_memory
from scenes.objects_room.config import ObjectsRoomConfig
from torch import Tensor

ROUNDS_OF_ROWS = 6


def form(masks: bool, posterior: bool, decoder: bool) -> Callable[[Monet, Tensor, Tensor], Tensor]:
    """Returns a loss: by the model's own code in the parts that are true, else by naive code."""

    def loss(model: Monet, image: Tensor, noise: Tensor) -> Tensor:
        K = model.config.num_slots
        log_masks = (model.attention if masks else partial(naive_log_masks, model))(image, K)
        floored = log_masks.clamp(min=FLOOR)
        encode = model.vae.encoder if posterior else partial(naive_posterior, model)
        mu, log_sigma = encode(image, floored)
        decode = model.vae.decode if decoder else partial(naive_decoded, model)
        components, logits = decode(mu + log_sigma.exp() * noise)
        terms = naive_terms(model.loss_config, image, log_masks, mu, log_sigma, components, logits)
        return terms.total.mean()

    return loss


def whole(model: Monet, image: Tensor, noise: Tensor) -> Tensor:
    return MeanLoss(model, model.loss_config)(image, noise, None)[0]


def make_step(
    image: Tensor,
    noise: Tensor,
    model: Monet,
    loss: Callable[..., Tensor],
    in_half: bool,
    cores: ThreadShares | None = None,
) -> Callable[[], float]:
    """Returns a function that makes a step on the whole batch, or with a share on each core."""

    def of_rows(rows: slice) -> Tensor:
        with torch.autocast(image.device.type, torch.bfloat16, enabled=in_half):
            return loss(model, image[rows], noise[rows])

    def step() -> float:
        model.zero_grad()
        if cores is None:
            value = of_rows(slice(None))
            value.backward()
            return value.item()
        with cores.stepping():
            return cores.backward(
                lambda rows: of_rows(rows)[None], len(image), list(model.parameters())
            ).item()

    return step


def make_steps(args: argparse.Namespace, keeps_memory: bool) -> dict[str, Callable[[], float]]:
    """Returns a function for each form, in order, that makes a step."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    preset, B = PRESETS[args.preset], args.batch_size
    config = preset.model
    torch.manual_seed(0)
    model = Monet(config, preset.loss).to(device)
    image = torch.rand(B, 3, config.image_size, config.image_size, device=device)
    noise = torch.randn(B, config.num_slots, config.latent_dim, device=device)
    half = chosen_precision("auto", device) == "bfloat16"
    cpu, threads = device.type == "cpu", torch.get_num_threads()
    cores = ThreadShares(threads) if cpu and threads > 1 else None

    def of(loss: Callable[..., Tensor]) -> Callable[[], float]:
        return make_step(image, noise, model, loss, in_half=False)

    shared = make_step(image, noise, model, whole, False, cores)
    if keeps_memory:
        steps = {"+ freed memory kept": shared}
        if half:
            steps["+ bfloat16"] = make_step(image, noise, model, whole, True, cores)
        for precision in ("float32", "bfloat16") if half else ("float32",):
            steps[f"monet-train's step, {precision}"] = own_step(args, precision)
        return steps
    steps = {
        "naive: tiled, concatenated, float32": of(form(False, False, False)),
        "+ decoder without tiling, 1x1 as a product": of(form(False, False, True)),
        "+ image's part of the encoder once": of(form(False, True, True)),
        "+ U-Net: image's part once, doubling folded": of(form(True, True, True)),
    }
    if cores is not None:
        steps["+ a share of the batch on each core"] = shared
    best = model
    if not cpu:
        best = copy.deepcopy(model).to(memory_format=torch.channels_last)
        steps["+ channels_last"] = make_step(image, noise, best, whole, False)
        if half:
            steps["+ bfloat16"] = make_step(image, noise, best, whole, True)
    if args.compile:
        compiled = MeanLoss(best, best.loss_config, backend="inductor")

        def of_compiled(_: Monet, image: Tensor, noise: Tensor) -> Tensor:
            return compiled(image, noise, None)[0]

        steps["+ torch.compile"] = make_step(image, noise, best, of_compiled, half)
    return steps


def own_step(args: argparse.Namespace, precision: Precision) -> Callable[[], float]:
    """Returns a function that makes a whole step of monet-train: from bytes to averaged weights."""
    config = replace(
        PRESETS[args.preset], data=args.scenes, batch_size=args.batch_size, precision=precision
    )
    learner = Learner(config, Ranks())
    file = SceneFile(args.scenes)
    images = TrainingImages(file, config.model.image_size, config.batch_size, config.seed)
    plain = PlainStep(learner, images)

    def step() -> float:
        plain.make()
        return plain.terms()[0][0]

    return step


def serve(connection: Connection, args: argparse.Namespace, keeps_memory: bool) -> None:
    """Makes steps of the forms whose names it receives; sends the seconds and loss of each."""
    if keeps_memory:
        keep_freed_memory()
    if args.threads:
        torch.set_num_threads(args.threads)
    steps = make_steps(args, keeps_memory)
    connection.send(list(steps))
    while (name := connection.recv()) is not None:
        start = time.perf_counter()
        value = steps[name]()
        connection.send((time.perf_counter() - start, value))


def measure(args: argparse.Namespace) -> tuple[dict[str, float], dict[str, float]]:
    """Returns the median seconds and the loss of each form, in order."""
    context = multiprocessing.get_context("spawn")
    forms: dict[str, Connection] = {}
    workers = []
    for keeps_memory in (False,) if torch.cuda.is_available() else (False, True):
        ours, theirs = context.Pipe()
        worker = context.Process(target=serve, args=(theirs, args, keeps_memory), daemon=True)
        worker.start()
        forms |= dict.fromkeys(ours.recv(), ours)
        workers.append((worker, ours))
    times: dict[str, list[float]] = {name: [] for name in forms}
    losses: dict[str, float] = {}
    for _ in range(args.rounds + 2):
        for name, connection in forms.items():
            connection.send(name)
            seconds, losses[name] = connection.recv()
            times[name].append(seconds)
    for worker, connection in workers:
        connection.send(None)
        worker.join()
    # The first two are warm-up.
    return {name: statistics.median(spent[2:]) for name, spent in times.items()}, losses


def drop_from_memory(path: Path) -> None:
    """Drops a file from the system's cache, so that the next read comes from the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def print_loader(path: Path, size: int, batch: int, window_bytes: int, eaten: float) -> None:
    for place, prepare in (("on disk", drop_from_memory), ("in memory", lambda _: None)):
        prepare(path)
        with SceneFile(path) as file:
            images = TrainingImages(file, size, batch, seed=0, window_bytes=window_bytes)
            start = time.perf_counter()
            for step in range(images.steps_per_epoch):
                images.batch(step)
            seconds = time.perf_counter() - start
            rate = images.steps_per_epoch * batch / seconds
            images.close()
        print(
            f"loader, the file {place}: {rate:,.0f} images a second, shuffled, {images.rows:,} "
            f"images in windows of {window_bytes >> 20} MiB; {rate / eaten:,.0f} times what the "
            "fastest step eats"
        )


def print_rows(path: Path, args: argparse.Namespace) -> None:
    """Prints how fast the host prepares whole steps: their images, or only the numbers of these."""
    config = replace(PRESETS[args.preset], data=path, batch_size=args.batch_size)
    for on_device in (False, True):
        learner = Learner(config, Ranks())
        with SceneFile(path) as file:
            images = TrainingImages(
                file, config.model.image_size, config.batch_size, 0, on_device=on_device
            )
            buffer = StepBuffer(learner, images, STEPS_AHEAD)
            buffer.fill()
            start = time.perf_counter()
            for _ in range(ROUNDS_OF_ROWS):
                learner.step += buffer.steps_ahead
                buffer.fill()
            rate = ROUNDS_OF_ROWS * buffer.steps_ahead / (time.perf_counter() - start)
            buffer.close()
            images.close()
        where = "images kept on the device" if on_device else "images staged"
        print(f"rows of whole steps, {where}: {rate:,.0f} steps a second; a GPU is to make 100")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", default="paper", choices=PRESETS)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--compile", action="store_true", help="add the compiled form")
    parser.add_argument("--data", type=Path, help="measure the loader on this file too")
    parser.add_argument("--window-mib", type=int, default=16)
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    config, B = PRESETS[args.preset].model, args.batch_size
    with tempfile.TemporaryDirectory() as folder:
        args.scenes = Path(folder) / "rooms.h5"
        room = ObjectsRoomConfig(size=config.image_size)
        build(room, seed=0, n=HELD_OUT + 4 * B, out=args.scenes)
        times, losses = measure(args)
    print(f"{args.preset}, batch {B}, {device.type}, {torch.get_num_threads()} threads")
    first = next(iter(times))
    for name, t in times.items():
        off = f"loss differs by {abs(losses[name] / losses[first] - 1):.0e}"
        if name.startswith("monet-train"):  # of other images, and of other weights at each step
            off = ""
        print(
            f"{name:44} {t * 1e3:7,.0f} ms {B / t:7.1f} images/s {times[first] / t:5.2f} x   {off}"
        )
    half = chosen_precision("auto", device) == "bfloat16"
    print(f"floor: {measured_floor(config, B, device, torch.bfloat16 if half else torch.float32)}")
    if args.data:
        eaten = B / min(times.values())
        print_loader(args.data, config.image_size, B, args.window_mib << 20, eaten)
        print_rows(args.data, args)


if __name__ == "__main__":
    main()
