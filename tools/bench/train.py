"""Milliseconds of a training step at paper settings: the naive form, each step up, and the floor.

    tools/bench/train.py                          batch 8, all threads
    tools/bench/train.py --data FILE.h5           measures the loader too

All forms have the same weights and batch and take turns within one run; medians are printed. Those
with freed memory kept (`scenes.memory`) run in a process of their own: it cannot be undone in one.
"""

import argparse
import copy
import math
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path

import torch
import torch.nn.functional as F
from monet.arithmetic import chosen_precision
from monet.config import PRESETS, ModelConfig, Precision
from monet.loss import loss_terms
from monet.model import Monet
from monet.training.data import HELD_OUT, TrainingImages
from monet.training.learner import Learner
from monet.training.mean_loss import MeanLoss
from monet.training.plain_step import PlainStep
from monet.training.processes import Ranks
from monet.training.step_buffer import STEPS_AHEAD, StepBuffer
from monet.training.thread_shares import Cores
from scenes.driver import build
from scenes.file.reader import SceneFile
from scenes.memory import keep_freed_memory
from scenes.objects_room.config import ObjectsRoomConfig
from torch import Tensor, nn

FLOOR = math.log(1e-5)
ROUNDS_OF_ROWS = 6


def naive_block(block: nn.Module, x: Tensor) -> Tensor:
    x = F.conv2d(x, block.conv.weight, padding=1)
    return F.relu(F.instance_norm(x) + block.bias[:, None, None])


def naive_logits(unet: nn.Module, image: Tensor, log_scope: Tensor) -> Tensor:
    x = naive_block(unet.first, torch.cat([image, log_scope], dim=1))
    skips = [x]
    for block in unet.down:
        x = naive_block(block, F.interpolate(x, scale_factor=0.5, mode="nearest"))
        skips.append(x)
    x = x.flatten(1)
    for layer in unet.mlp:
        x = F.relu(layer(x))
    x = x.reshape(skips[-1].shape)
    for index, block in enumerate(unet.up):
        x = naive_block(block, torch.cat([x, skips[-1 - index]], dim=1))
        if index < len(unet.up) - 1:
            x = F.interpolate(x, scale_factor=2, mode="nearest")
    return unet.logits(x)


def naive_log_masks(model: Monet, image: Tensor) -> Tensor:
    log_scope, log_masks = torch.zeros_like(image[:, :1]), []
    for _ in range(model.config.num_slots - 1):
        logits = naive_logits(model.attention.unet, image, log_scope.clamp(min=FLOOR))
        log_masks.append(log_scope + F.logsigmoid(logits))
        log_scope = log_scope + F.logsigmoid(-logits)
    return torch.cat([*log_masks, log_scope], dim=1)


def naive_posterior(model: Monet, image: Tensor, log_masks: Tensor) -> tuple[Tensor, Tensor]:
    encoder, (B, K) = model.vae.encoder, log_masks.shape[:2]
    tiled = image[:, None].expand(-1, K, -1, -1, -1)
    x = torch.cat([tiled, log_masks.clamp(min=FLOOR)[:, :, None]], dim=2).flatten(0, 1)
    for conv in (encoder.first, *encoder.convs):
        x = F.relu(conv(x))
    x = encoder.posterior(F.relu(encoder.hidden(x.flatten(1))))
    return x.unflatten(0, (B, K)).chunk(2, dim=-1)


def naive_decoded(model: Monet, z: Tensor) -> Tensor:
    decoder, (B, K, D) = model.vae.decoder, z.shape
    side = model.config.image_size + 2 * len(model.config.decoder_channels)
    line = torch.linspace(-1, 1, side, device=z.device)
    grid = torch.stack(torch.meshgrid(line, line, indexing="ij"))
    tiled = z.reshape(B * K, D, 1, 1).expand(-1, -1, side, side)
    x = torch.cat([tiled, grid.expand(B * K, -1, -1, -1)], dim=1)
    for conv in (decoder.first, *decoder.convs):
        x = F.relu(conv(x))
    return decoder.output(x).unflatten(0, (B, K))


def form(masks: bool, posterior: bool, decoder: bool) -> Callable[[Monet, Tensor, Tensor], Tensor]:
    """Returns the loss with the model's own way in the named places, the naive one elsewhere."""

    def loss(model: Monet, image: Tensor, noise: Tensor) -> Tensor:
        log_masks = (
            model.attention(image, model.config.num_slots)
            if masks
            else naive_log_masks(model, image)
        )
        mu, log_sigma = (
            model.vae.encoder(image, log_masks.clamp(min=FLOOR))
            if posterior
            else naive_posterior(model, image, log_masks)
        )
        z = mu + log_sigma.exp() * noise
        if decoder:
            components, logits = model.vae.decode(z)
        else:
            decoded = naive_decoded(model, z)
            components, logits = decoded[:, :, :3], decoded[:, :, 3]
        recon = logits.log_softmax(dim=1)
        terms = loss_terms(model.config, image, components, log_masks, recon, mu, log_sigma)
        return terms.total.mean()

    return loss


def whole(model: Monet, image: Tensor, noise: Tensor) -> Tensor:
    return MeanLoss(model)(image, noise, None)[0]


def multiplications(config: ModelConfig) -> tuple[int, int]:
    """Returns multiply-adds of one image forward, and the numbers its activations hold.

    Counted for the form without tiling, doubling or repeated image parts; linear layers are left
    out, which are under a hundredth.
    """
    size, K = config.image_size, config.num_slots
    macs = numbers = 0

    def conv(times: int, side: int, channels_in: int, channels_out: int, kernel: int = 3) -> None:
        """Counts a convolution in strides of one."""
        nonlocal macs, numbers
        macs += times * side**2 * channels_in * channels_out * kernel**2
        numbers += times * side**2 * channels_out

    def halving(times: int, side: int, channels_in: int, channels_out: int) -> None:
        nonlocal macs, numbers
        macs += times * side**2 * channels_in * channels_out * 3**2
        numbers += times * side**2 * channels_out

    down = config.unet_channels
    n = len(down)
    up = [down[max(0, n - 2 - i)] for i in range(n)]
    conv(1, size, 3, down[0])
    conv(K - 1, size, 1, down[0])
    for i in range(1, n):
        conv(K - 1, size >> i, down[i - 1], down[i])
    conv(K - 1, size >> (n - 1), down[-1], up[0])  # of the MLP's map, which is not doubled
    for i, (skip, out) in enumerate(zip(reversed(down), up, strict=True)):
        side = size >> (n - 1 - i)
        conv(K - 1, side, skip, out)
        if i > 0:
            macs += (K - 1) * (side // 2) ** 2 * 4**2 * up[i - 1] * out  # doubling folded in
    conv(K - 1, size, up[-1], 1, 1)
    halving(1, size // 2, 3, config.encoder_channels[0])
    halving(K, size // 2, 1, config.encoder_channels[0])
    for i, (a, b) in enumerate(
        zip(config.encoder_channels, config.encoder_channels[1:], strict=False)
    ):
        halving(K, size >> (i + 2), a, b)
    side = size + 2 * len(config.decoder_channels) - 2
    numbers += K * side**2 * config.decoder_channels[0]
    for a, b in zip(config.decoder_channels, config.decoder_channels[1:], strict=False):
        side -= 2
        conv(K, side, a, b)
    conv(K, size, config.decoder_channels[-1], 4, 1)
    return macs, numbers


def make_step(
    image: Tensor,
    noise: Tensor,
    model: Monet,
    loss: Callable[..., Tensor],
    in_half: bool,
    cores: Cores | None = None,
) -> Callable[[], float]:
    """Returns what makes a step: of the whole batch, or of a share of it on each core."""

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


def median_s(work: Callable[[], object], device: torch.device, rounds: int) -> float:
    times = []
    for _ in range(rounds + 1):
        start = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


def make_steps(args: argparse.Namespace, kept: bool) -> dict[str, Callable[[], float]]:
    """Returns what makes a step of each form, in order."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    config, B = PRESETS[args.preset].model, args.batch_size
    torch.manual_seed(0)
    model = Monet(config).to(device)
    image = torch.rand(B, 3, config.image_size, config.image_size, device=device)
    noise = torch.randn(B, config.num_slots, config.latent_dim, device=device)
    half = chosen_precision("auto", device) == "bfloat16"
    cpu, threads = device.type == "cpu", torch.get_num_threads()
    cores = Cores(threads) if cpu and threads > 1 else None

    def of(loss: Callable[..., Tensor]) -> Callable[[], float]:
        return make_step(image, noise, model, loss, in_half=False)

    shared = make_step(image, noise, model, whole, False, cores)
    if kept:
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
        compiled = MeanLoss(best, "inductor")

        def of_compiled(_: Monet, image: Tensor, noise: Tensor) -> Tensor:
            return compiled(image, noise, None)[0]

        steps["+ torch.compile"] = make_step(image, noise, best, of_compiled, half)
    return steps


def own_step(args: argparse.Namespace, precision: Precision) -> Callable[[], float]:
    """Returns what makes a step as monet-train does: from bytes to the average of the weights."""
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


def serve(connection: Connection, args: argparse.Namespace, kept: bool) -> None:
    """Makes the steps asked for by name, in a process of their own; answers seconds and loss."""
    if kept:
        keep_freed_memory()
    if args.threads:
        torch.set_num_threads(args.threads)
    steps = make_steps(args, kept)
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
    for kept in (False,) if torch.cuda.is_available() else (False, True):
        here, there = context.Pipe()
        worker = context.Process(target=serve, args=(there, args, kept), daemon=True)
        worker.start()
        forms |= dict.fromkeys(here.recv(), here)
        workers.append((worker, here))
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


def print_floors(config: ModelConfig, batch: int, device: torch.device, dtype: torch.dtype) -> None:
    side = 2048 if device.type == "cpu" else 8192
    a = torch.randn(side, side, device=device, dtype=dtype)
    flops = 2 * side**3 / median_s(lambda: a @ a, device, 5)
    source = torch.randn(1 << 26, device=device)
    target = torch.empty_like(source)
    copied = 2 * source.nbytes / median_s(lambda: target.copy_(source), device, 5)
    macs, numbers = multiplications(config)
    # Backward, each convolution is done twice more: for its input and for its weight.
    operations = 3 * 2 * macs * batch
    # Each activation is written and read forward; it, its gradient are read and written backward.
    moved = 5 * numbers * batch * dtype.itemsize
    bound = max(operations / flops, moved / copied)
    print(
        f"floor: {operations / 1e9:,.0f} G operations at {flops / 1e9:,.0f} G/s (matrix product), "
        f"{operations / flops * 1e3:,.0f} ms; {moved / 1e9:.1f} GB at {copied / 1e9:.0f} GB/s "
        f"(copy), {moved / copied * 1e3:,.0f} ms; the larger: {bound * 1e3:,.0f} ms"
    )


def drop_from_memory(path: Path) -> None:
    """Lets the system forget what it keeps of a file, so that the next read is the disk's."""
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
    """Prints how fast the host prepares the rows of whole steps, staged and by number alone."""
    config = replace(PRESETS[args.preset], data=path, batch_size=args.batch_size)
    for kept in (False, True):
        learner = Learner(config, Ranks())
        with SceneFile(path) as file:
            images = TrainingImages(
                file, config.model.image_size, config.batch_size, 0, on_device=kept
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
        where = "images kept on the device" if kept else "images staged"
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
    print_floors(config, B, device, torch.bfloat16 if half else torch.float32)
    if args.data:
        eaten = B / min(times.values())
        print_loader(args.data, config.image_size, B, args.window_mib << 20, eaten)
        print_rows(args.data, args)


if __name__ == "__main__":
    main()
