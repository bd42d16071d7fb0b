"""How numbers are computed: bfloat16, TF32 or float32, and what a processor is set to."""

from __future__ import annotations

import torch


def half_precision(precision: str, device: torch.device) -> bool:
    """Tells whether to compute in bfloat16: `auto` does where the processor has it."""
    if precision != "auto":
        return precision == "bfloat16"
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return bool(torch.cpu.get_capabilities().get("avx512_bf16", False))


def prepare_processor(precision: str, device: torch.device) -> None:
    """Sets what holds for the whole process: a GPU's TF32, and denormal numbers on a CPU."""
    if device.type == "cuda":
        # Without this, cuDNN's convolutions are TF32 even where float32 was asked for.
        tf32 = precision != "float32"
        torch.backends.cudnn.allow_tf32 = tf32
        torch.backends.cuda.matmul.allow_tf32 = tf32
    else:
        # Gradients behind a late scope are tiny; as denormals they would be slow.
        torch.set_flush_denormal(True)
