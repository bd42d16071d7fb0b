"""The least time that a training step can take on a machine, by counting."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
from monet.config import ModelConfig
from monet.unet import channels_up


@dataclass(frozen=True)
class Floor:
    """How much a step computes and moves, and how fast this machine can do so."""

    operations: float
    """Multiplications and additions, forward and backward."""
    operations_per_s: float
    """Rate of a large matrix product."""
    moved_bytes: float
    """Activations and their gradients, written and read."""
    bytes_per_s: float
    """Rate of a large copy."""

    @property
    def seconds(self) -> float:
        """The time to compute or the time to move, whichever is larger."""
        return max(self.operations / self.operations_per_s, self.moved_bytes / self.bytes_per_s)

    def __str__(self) -> str:
        computed_s = self.operations / self.operations_per_s
        moved_s = self.moved_bytes / self.bytes_per_s
        return (
            f"{self.operations / 1e9:,.0f} G operations at {self.operations_per_s / 1e9:,.0f} G/s "
            f"(matrix product), {computed_s * 1e3:,.1f} ms; {self.moved_bytes / 1e9:.2f} GB at "
            f"{self.bytes_per_s / 1e9:,.0f} GB/s (copy), {moved_s * 1e3:,.1f} ms; the larger: "
            f"{self.seconds * 1e3:,.1f} ms"
        )


def measured_floor(
    config: ModelConfig, batch: int, device: torch.device, dtype: torch.dtype
) -> Floor:
    """Counts a step of a model, and measures a product and a copy.

    Args:
        config: the model.
        batch: images a step.
        device: where to measure.
        dtype: of activations.
    """
    operations_per_s = _product_rate(device, dtype)
    source = torch.randn(1 << 26, device=device)
    target = torch.empty_like(source)
    bytes_per_s = 2 * source.nbytes / median_s(lambda: target.copy_(source), device, 5)
    macs, numbers = multiplications(config)
    return Floor(
        # Backward, each convolution is done twice more: for its input and for its weight.
        3 * 2 * macs * batch,
        operations_per_s,
        # Forward, each activation is written and read; backward, it is read, and its gradient is
        # written and read.
        5 * numbers * batch * dtype.itemsize,
        bytes_per_s,
    )


def _product_rate(device: torch.device, dtype: torch.dtype) -> float:
    """Returns the operations a second of a product of large matrices.

    On a CPU they grow only until a product takes 20 ms: where a CPU has no bfloat16, one of 2,048
    takes half a minute.
    """
    side, largest = (256, 2048) if device.type == "cpu" else (8192, 8192)
    while True:
        a = torch.randn(side, side, device=device, dtype=dtype)
        product_s = median_s(lambda a=a: a @ a, device, 5)
        if product_s > 0.02 or side == largest:
            return 2 * side**3 / product_s
        side *= 2


def multiplications(config: ModelConfig) -> tuple[int, int]:
    """Returns how many multiply-adds one image takes forward, and how many numbers it stores.

    They are counted for the form without tiling, doubling or repeated image parts. Linear layers,
    less than a hundredth of all, are left out.
    """
    size, K = config.image_size, config.num_slots
    macs = numbers = 0

    def conv(times: int, side: int, channels_in: int, channels_out: int, kernel: int = 3) -> None:
        """Counts a convolution with an output of so many pixels a side."""
        nonlocal macs, numbers
        macs += times * side**2 * channels_in * channels_out * kernel**2
        numbers += times * side**2 * channels_out

    down = config.unet_channels
    n = len(down)
    up = channels_up(down)
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
    conv(1, size // 2, 3, config.encoder_channels[0])
    conv(K, size // 2, 1, config.encoder_channels[0])
    for i, pair in enumerate(pairwise(config.encoder_channels)):
        conv(K, size >> (i + 2), *pair)
    side = size + 2 * len(config.decoder_channels) - 2
    numbers += K * side**2 * config.decoder_channels[0]
    for pair in pairwise(config.decoder_channels):
        side -= 2
        conv(K, side, *pair)
    conv(K, size, config.decoder_channels[-1], 4, 1)
    return macs, numbers


def median_s(work: Callable[[], object], device: torch.device, rounds: int) -> float:
    times = []
    for _ in range(rounds + 1):
        start = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])
