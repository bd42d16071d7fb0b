"""Forms of a training step, each compiled and timed in a process of its own."""

import io
import time
from collections.abc import Callable, Mapping
from contextlib import redirect_stderr
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path

import torch
from floor import measured_floor
from monet.arithmetic import at_least_float32
from monet.attention import LOG_MASK_FLOOR, split_scope
from monet.config import TrainConfig
from monet.convolution import DoublingConv2d
from monet.training.data import TrainingImages
from monet.training.learner import Learner
from monet.training.mean_loss import Backend, MeanLoss, compiled
from monet.training.processes import Ranks
from monet.training.whole_step import Form, WholeStep
from scenes.file.reader import SceneFile
from torch import Tensor
from torch.func import functional_call
from torch.profiler import ProfilerActivity, profile

from gpu_parts.doubling import by_nearest, by_pixel_shuffle
from gpu_parts.scale import Scale

MOST_NAME = 90
"""Most letters of a kernel's name that are shown."""


class CastOnce(MeanLoss):
    """A loss that casts the U-Net's weights to bfloat16 once a training step.

    Otherwise each attention step casts them. The price: the gradients of all attention steps are
    summed in bfloat16. In every form the first convolution's share of the image and the decoder's
    share of the coordinates are computed only once.
    """

    def __init__(self, *args: object, backend: Backend | None = None) -> None:
        super().__init__(*args, backend=backend)
        self._split_by = self.split_by
        if backend is not None:
            self._split_by = compiled(self._split_by, backend)

    def log_masks(self, image: Tensor, num_slots: int) -> Tensor:
        attention, device = self._model.attention, image.device.type
        half = torch.is_autocast_enabled(device)
        weights = {
            name: p.to(torch.get_autocast_dtype(device)) if half and p.ndim > 1 else p
            for name, p in attention.unet.named_parameters()
        }
        return attention(image, num_slots, lambda part, scope: self._split_by(weights, part, scope))

    def split_by(
        self, weights: Mapping[str, Tensor], image_part: Tensor, log_scope: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Makes one attention step, with the given weights in place of the U-Net's own."""
        inputs = (image_part, log_scope.clamp(min=LOG_MASK_FLOOR))
        logits = functional_call(self._model.attention.unet, dict(weights), inputs)
        return split_scope(log_scope, at_least_float32(logits))


def cast_once(learner: Learner, backend: Backend | None = None) -> CastOnce:
    """Replaces `Learner.mean_loss`."""
    config = learner.config
    return CastOnce(learner.model, config.loss, config.ablations, backend=backend)


def autotuned(graph: torch.fx.GraphModule, inputs: list[Tensor]) -> Callable[..., object]:
    """Compiles a graph as `torch.compile(mode="max-autotune-no-cudagraphs")` does."""
    from torch._inductor import list_mode_options  # starts Triton, which a CPU may lack
    from torch._inductor.compile_fx import compile_fx

    options = list_mode_options("max-autotune-no-cudagraphs")
    return compile_fx(graph, inputs, config_patches={**options, "force_layout_optimization": True})


@dataclass(frozen=True)
class Variant:
    """A form of steps that is timed, with what it replaces in the package, in its own process."""

    name: str
    graph: bool = True
    compiled: bool = True
    doubling: Callable[[Tensor, Tensor, Tensor], Tensor] | None = None
    cast_once: bool = False
    autotune: bool = False

    def form(self, scale: Scale) -> Form:
        """Replaces those parts of the package; returns the form of the steps."""
        if self.doubling is not None:
            doubling = self.doubling
            DoublingConv2d.forward = lambda conv, coarse, skip: doubling(coarse, skip, conv.weight)
        if self.cast_once:
            Learner.mean_loss = cast_once
        form = scale.form(graph=self.graph, compiled=self.compiled)
        return replace(form, backend=autotuned) if self.autotune else form


VARIANTS = (
    Variant("eager", graph=False, compiled=False),
    Variant("graph", compiled=False),
    Variant("graph and compile"),
    Variant("doubling by nearest + conv", doubling=by_nearest),
    Variant("doubling by pixel shuffle", doubling=by_pixel_shuffle),
    Variant("weights cast once a step", cast_once=True),
    Variant("max-autotune", autotune=True),
)
"""Each of the last four differs from `graph and compile` in one thing."""


@dataclass(frozen=True)
class Ready:
    """A form that has made steps."""

    seconds: float
    """Time of those steps."""
    failure: str
    """Why it fell back to simpler steps; empty where it did not."""
    loss: float
    """Loss of the first step."""


@dataclass(frozen=True)
class Kernel:
    """Time of one kernel in a step."""

    name: str
    ms: float
    """Milliseconds per step."""
    share: float
    """Share of the time of all kernels."""
    calls: float
    """Calls per step."""


def make_steps_when_asked(
    connection: Connection, variant: Variant, scale: Scale, config: TrainConfig, data: Path
) -> None:
    """Compiles by a first step, sends `Ready`, and then answers questions until it is ended.

    `("choose", n)` makes `n` steps and answers `Ready`; the first of them choose cuDNN's kernels
    and capture the graph, so no other process may use the GPU meanwhile. `("window", n)` makes `n`
    steps and answers their seconds. `("kernels", n)` makes `n` steps and answers their kernels, the
    largest first. `("floor", 0)` answers the floor of a step on this machine.
    """
    form = variant.form(scale)
    learner = Learner(config, Ranks(), capturable=True)
    device = learner.device
    with SceneFile(data) as file:
        images = TrainingImages(
            file,
            config.model.image_size,
            config.batch_size,
            config.seed,
            device=device,
            on_device=True,
        )
        steps = WholeStep(learner, images, form)

        def run(count: int) -> list[tuple[float, ...]]:
            for _ in range(count):
                steps.make()
            if device.type == "cuda":
                torch.cuda.synchronize()
            return steps.terms()

        def begin(count: int) -> Ready:
            said, start = io.StringIO(), time.monotonic()
            with redirect_stderr(said):
                terms = run(count)
            failure = "" if steps.form == form else " ".join(said.getvalue().split())
            return Ready(time.monotonic() - start, failure, terms[0][0])

        try:
            connection.send(begin(1))
            while True:
                question, count = connection.recv()
                if question == "choose":
                    torch.backends.cudnn.benchmark = True
                    connection.send(begin(count))
                elif question == "kernels":
                    connection.send(kernels(run, count, device))
                elif question == "floor":
                    connection.send(
                        measured_floor(config.model, config.batch_size, device, torch.bfloat16)
                    )
                else:
                    start = time.perf_counter()
                    run(count)
                    connection.send(time.perf_counter() - start)
        finally:
            steps.close()
            images.close()


def kernels(run: Callable[[int], object], steps: int, device: torch.device) -> list[Kernel]:
    """Returns the time of each kernel (on a CPU, of each operator), the largest first."""
    gpu = device.type == "cuda"
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if gpu else [])]
    with profile(activities=activities) as profiled:
        run(steps)
    spent = [
        (event.key, event.self_device_time_total if gpu else event.self_cpu_time_total, event.count)
        for event in profiled.key_averages()
        # On a GPU the profiler also counts each kernel's time for the operator that launched it.
        if not gpu or event.device_type == torch.autograd.DeviceType.CUDA
    ]
    total = sum(us for _, us, _ in spent) or 1.0
    spent.sort(key=lambda each: -each[1])
    return [
        Kernel(" ".join(key.split())[:MOST_NAME], us / 1e3 / steps, us / total, count / steps)
        for key, us, count in spent
    ]


def tell_device(connection: Connection) -> None:
    """Sends a line about the GPU that torch finds; an empty one where it finds none."""
    line = ""
    if torch.cuda.is_available():
        gpu = torch.cuda.get_device_properties(0)
        line = f"{gpu.name}, {gpu.total_memory / 1e9:.0f} GB; torch {torch.__version__}"
    connection.send(line)
