"""How numbers are computed: bfloat16, TF32 or float32."""

from __future__ import annotations

import torch


def half_precision(precision: str, device: torch.device) -> bool:
    """Tells whether to compute in bfloat16: `auto` does where the processor has it."""
    if precision != "auto":
        return precision == "bfloat16"
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return bool(torch.cpu.get_capabilities().get("avx512_bf16", False))


def allow_tf32(precision: str, device: torch.device) -> None:
    """Lets a GPU use TF32 in this process, unless float32 was asked for."""
    if device.type == "cuda":
        # Without this, cuDNN's convolutions are TF32 even where float32 was asked for.
        allowed = precision != "float32"
        torch.backends.cudnn.allow_tf32 = allowed
        torch.backends.cuda.matmul.allow_tf32 = allowed
