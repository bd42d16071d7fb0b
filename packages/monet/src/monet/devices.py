"""Where a training computes, and why there."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from scenes.command_line import UsageError

from monet.config import Device

Kind = Literal["cpu", "cuda", "mps"]
"""A `Device` that is chosen."""


def choose_device(asked: Device) -> Kind:
    """Returns where to compute: `auto` takes a GPU that CUDA (or ROCm) has, else the CPU.

    An Apple GPU has to be asked for: training has not been tried there.

    Raises:
        UsageError: PyTorch finds no such device here, or the word is none of these.
    """
    if asked not in get_args(Device):
        raise UsageError(f"device must be one of {', '.join(get_args(Device))}, got {asked!r}")
    has_gpu = torch.cuda.is_available()
    if asked == "auto":
        return "cuda" if has_gpu else "cpu"
    if asked == "cuda" and not has_gpu:
        raise UsageError("--device cuda: PyTorch finds no CUDA GPU here; --device cpu trains too")
    if asked == "mps" and not torch.backends.mps.is_available():
        raise UsageError("--device mps: PyTorch finds no Apple GPU here; --device cpu trains too")
    return asked


def device_in_words(asked: Device, device: torch.device) -> str:
    """Says which device it is and why: `this cpu (no GPU that PyTorch finds)`."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"this {device.type}"
    if asked != "auto":
        return f"{name} (--device {asked})"
    return f"{name} ({'the GPU here' if device.type == 'cuda' else 'no GPU that PyTorch finds'})"
