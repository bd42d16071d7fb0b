"""Training by several processes, one per GPU, started by torchrun.

Plain torch.distributed: the gradients of the whole model are 4 MB and travel in one all-reduce a
step, which is all that a wrapper would do here; Lightning Fabric and DistributedDataParallel would
add a dependency, other names in the saved weights, and a trap for parameters without a gradient
(given masks leave the attention network without any).
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field

import torch
import torch.distributed as dist
from scenes.command_line import CommandError, UsageError
from torch import Tensor

from monet.config import Device
from monet.devices import Kind, choose_device


@dataclass(frozen=True)
class Ranks:
    """This process among all that train one model."""

    rank: int = 0
    world: int = 1
    """How many processes there are."""
    local_rank: int = 0
    """Which of this machine's processes, and so which GPU."""
    kind: Kind = field(default_factory=lambda: choose_device("auto"))
    """What each of them computes on."""

    @property
    def is_alone(self) -> bool:
        """Whether one process trains. Where there are several, torchrun ends those that hang."""
        return self.world == 1

    @property
    def device(self) -> torch.device:
        """Where this process computes."""
        if self.kind == "cuda":
            return torch.device("cuda", self.local_rank)
        return torch.device(self.kind)

    def share(self, batch_size: int) -> slice:
        """Returns this process's rows of a global batch.

        Raises:
            UsageError: the batch cannot be divided evenly.
        """
        if batch_size % self.world:
            raise UsageError(
                f"a batch of {batch_size} cannot be divided evenly among {self.world} processes; "
                f"choose another --batch-size"
            )
        rows = batch_size // self.world
        return slice(self.rank * rows, (self.rank + 1) * rows)

    def average_(self, tensors: Iterable[Tensor]) -> None:
        """Replaces each tensor by its mean over all processes, in one exchange."""
        if self.is_alone:
            return
        tensors = list(tensors)
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        dist.all_reduce(flat)
        flat /= self.world
        for tensor, mean in zip(tensors, flat.split([t.numel() for t in tensors]), strict=True):
            tensor.copy_(mean.view_as(tensor))

    def any(self, flag: bool) -> bool:
        """Whether the flag is set in any process; all must ask."""
        if self.is_alone:
            return flag
        flags = torch.tensor([int(flag)], device=self.device)
        dist.all_reduce(flags)
        return bool(flags.item())

    def wait(self) -> None:
        """Waits until all processes come here, which they do before they end.

        A process that ends while gloo's threads still release its last tensors is aborted now and
        then.
        """
        if not self.is_alone:
            dist.barrier()

    def check_same(self, step: int, where: object) -> None:
        """Waits for all processes, and refuses to go on from different states.

        Raises:
            CommandError: some process has read another state.
        """
        if self.is_alone:
            return
        steps = torch.zeros(self.world, dtype=torch.int64, device=self.device)
        steps[self.rank] = step
        dist.all_reduce(steps)
        if len(set(steps.tolist())) > 1:
            raise CommandError(
                f"{where}: the processes see it at steps {steps.tolist()}; it must be one folder "
                f"that all machines share"
            )


def join(device: Device = "auto") -> Ranks:
    """Joins the processes that torchrun started; alone where it started none.

    Args:
        device: where each of them is to compute.

    Raises:
        UsageError: PyTorch finds no such device here.
    """
    kind = choose_device(device)
    if "WORLD_SIZE" not in os.environ or "RANK" not in os.environ:
        return Ranks(kind=kind)
    ranks = Ranks(
        rank=int(os.environ["RANK"]),
        world=int(os.environ["WORLD_SIZE"]),
        local_rank=int(os.environ.get("LOCAL_RANK", "0")),
        kind=kind,
    )
    if not ranks.is_alone:
        if kind == "cuda":
            torch.cuda.set_device(ranks.device)
        dist.init_process_group("nccl" if kind == "cuda" else "gloo")
    return ranks


def leave() -> None:
    """Ends what `join` began."""
    if dist.is_initialized():
        dist.destroy_process_group()
