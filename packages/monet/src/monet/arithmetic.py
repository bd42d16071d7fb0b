"""The precision of arithmetic: bfloat16, TF32 or float32."""

from __future__ import annotations

import torch
from torch import Tensor

from monet.config import Precision


def at_least_float32(x: Tensor) -> Tensor:
    """Converts bfloat16 to float32, in which losses are computed; wider types stay as they are."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def chosen_precision(precision: Precision, device: torch.device) -> Precision:
    """Returns the precision to compute in: `auto` is bfloat16 where the processor has it.

    Elsewhere `auto` is float32, or a GPU's TF32 (`allow_tf32`). The rule is fixed: on a processor
    that has bfloat16 it was faster at all sizes tried (32 and 64 pixels, batches of 4 to 64, by
    tools/bench/train.py).
    """
    if precision != "auto":
        return precision
    if device.type == "cuda":
        has_bfloat16 = torch.cuda.is_bf16_supported(including_emulation=False)
        return "bfloat16" if has_bfloat16 else "tf32"
    if device.type == "mps":  # lower precision has not been tried there
        return "float32"
    return "bfloat16" if torch.cpu.get_capabilities().get("avx512_bf16", False) else "float32"


def allow_tf32(precision: Precision, device: torch.device) -> None:
    """Lets a GPU use TF32 in this process, unless float32 was asked for."""
    if device.type == "cuda":
        # Without this, cuDNN's convolutions are TF32 even where float32 was asked for.
        allowed = precision != "float32"
        torch.backends.cudnn.allow_tf32 = allowed
        torch.backends.cuda.matmul.allow_tf32 = allowed
