"""Where a training computes, and why there."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from scenes.command_line import UsageError

from monet.config import Device

Kind = Literal["cpu", "cuda", "mps"]
"""Every `Device` but `auto`."""


def choose_device(request: Device) -> Kind:
    """Returns where to compute: `auto` takes a GPU of CUDA (or ROCm) if there is one, else the CPU.

    `auto` never takes an Apple GPU, since training has not been tried there.

    Raises:
        UsageError: PyTorch finds no such device here, or `request` is no `Device`.
    """
    if request not in get_args(Device):
        raise UsageError(f"device must be one of {', '.join(get_args(Device))}, got {request!r}")
    has_gpu = torch.cuda.is_available()
    if request == "auto":
        return "cuda" if has_gpu else "cpu"
    if request == "cuda" and not has_gpu:
        raise UsageError("--device cuda: PyTorch finds no CUDA GPU here; --device cpu trains too")
    if request == "mps" and not torch.backends.mps.is_available():
        raise UsageError("--device mps: PyTorch finds no Apple GPU here; --device cpu trains too")
    return request


def device_in_words(request: Device, device: torch.device) -> str:
    """Returns a device's name and why it was chosen: `this cpu (no GPU that PyTorch finds)`."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"this {device.type}"
    if request != "auto":
        return f"{name} (--device {request})"
    return f"{name} ({'the GPU here' if device.type == 'cuda' else 'no GPU that PyTorch finds'})"
