"""Every number of the model and its training (paper, appendix B)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from tyro.conf import arg

from monet.ranges import (
    MOST_CHANNELS,
    MOST_SLOTS,
    MOST_STEPS,
    MOST_WEIGHTS,
    check_folder_name,
    check_integer,
    check_kinds,
    check_number,
    check_text,
    check_widths,
)

Precision = Literal["auto", "float32", "tf32", "bfloat16"]
Device = Literal["auto", "cpu", "cuda", "mps"]
"""PyTorch's words for processor, NVIDIA or AMD GPU, and Apple GPU."""
MaskKind = Literal["attention", "element", "all-in-one", "wrong-element"]
"""Where the masks of a run come from: the attention network, or a condition of section 2.2."""
HELD_OUT = 320
"""Scenes that a run keeps for its scores, where nothing else is asked for."""
MOST_HELD_OUT = 100_000
"""Most of them: they lie in memory."""


@dataclass(frozen=True)
class ModelConfig:
    """Architecture (appendix B.1 and B.2).

    Example:
        >>> import monet
        >>> monet.ModelConfig(num_slots=9).unet_channels
        (32, 32, 64, 64, 64)
    """

    image_size: int = 64
    """Side of the images, in pixels."""
    num_slots: int = 7
    """Slots K, background included."""
    latent_dim: int = 16
    """Latents of each slot."""
    encoder_channels: tuple[int, ...] = (32, 32, 64, 64)
    """Channels of the encoder's convolutions, each of stride 2."""
    encoder_hidden: int = 256
    """Width of the layer between the encoder's convolutions and the posterior."""
    decoder_channels: tuple[int, ...] = (32, 32, 32, 32)
    """Channels of the broadcast decoder's unpadded convolutions."""
    unet_channels: tuple[int, ...] = (32, 32, 64, 64, 64)
    """Channels of the attention network's blocks on the way down; the paper gives none, and
    three independent codebases agree on these."""
    unet_hidden: tuple[int, ...] = (128, 128)
    """Hidden layers of the attention network's MLP."""

    def __post_init__(self) -> None:
        check_kinds(self)
        check_integer("num_slots", self.num_slots, 2, MOST_SLOTS)
        check_integer("image_size", self.image_size, 4, 1024)
        for name in ("latent_dim", "encoder_hidden"):
            check_integer(name, getattr(self, name), 1, MOST_CHANNELS)
        for name in ("encoder_channels", "decoder_channels", "unet_channels"):
            check_widths(name, getattr(self, name))
        check_widths("unet_hidden", self.unet_hidden, fewest=0)
        self._check_bottom("encoder_channels", len(self.encoder_channels), (self.encoder_hidden,))
        halvings = len(self.unet_channels) - 1
        self._check_bottom("unet_channels", halvings, self.unet_hidden)
        if self.image_size < 2 ** (halvings + 1):  # an instance norm of one pixel is always 0
            raise ValueError(
                f"image_size must be at least {2 ** (halvings + 1)} for {halvings + 1} "
                f"unet_channels, got {self.image_size}"
            )

    def _check_bottom(self, name: str, halvings: int, hidden: tuple[int, ...]) -> None:
        """Checks that an image can be halved so often, and the size of the layer behind that."""
        side, rest = divmod(self.image_size, 2**halvings)
        if rest:
            raise ValueError(
                f"image_size must be a multiple of {2**halvings}, which {name} halve "
                f"{halvings} times, got {self.image_size}"
            )
        flat = getattr(self, name)[-1] * side**2
        weights = flat * (hidden[0] if hidden else flat)
        if weights > MOST_WEIGHTS:
            raise ValueError(
                f"{name} must leave a layer of at most {MOST_WEIGHTS:,} weights below, got "
                f"{weights:,}; halve more often, or take fewer channels"
            )

    @property
    def architecture(self) -> ModelConfig:
        """The config with a fixed number of slots, which may change under the same weights."""
        return replace(self, num_slots=2)


@dataclass(frozen=True)
class LossConfig:
    """Weights of the loss (equation 3).

    Example:
        >>> import monet
        >>> monet.LossConfig(gamma=0.25).beta
        0.5
    """

    sigma_bg: float = 0.09
    """Scale of the first component's Gaussian."""
    sigma_fg: float = 0.11
    """Scale of the other components' Gaussians."""
    beta: float = 0.5
    """Weight of the latent KL."""
    gamma: float = 0.5
    """Weight of the mask KL."""

    def __post_init__(self) -> None:
        for name in ("sigma_bg", "sigma_fg"):
            # Beyond these, squares of float32 overflow.
            check_number(name, getattr(self, name), low=1e-6, high=1e6, positive=True)
        for name in ("beta", "gamma"):
            check_number(name, getattr(self, name))


@dataclass(frozen=True)
class LossAblations:
    """Departures from equation 3 (`monet.loss_ablations`); by default there are none."""

    gamma_vae: float | None = None
    """Weight of the mask KL for the component VAE alone, which then learns to decode attention
    masks that are held fixed. The attention learns with weight `gamma` from decoded masks that are
    held fixed, and gets no gradient through the encoder. Without it, `gamma` is for both, as in
    equation 3."""
    posterior_weight: float = 0.0
    """Weight of a fourth term, KL(p(k | x, z) || attention masks), by which the attention learns
    from the VAE, held fixed, which slot each pixel belongs to."""
    posterior_start: int = 0
    """Step from which `posterior_weight` counts; before it the loss is the paper's."""

    def __post_init__(self) -> None:
        if self.gamma_vae is not None:
            check_number("gamma_vae", self.gamma_vae)
        check_number("posterior_weight", self.posterior_weight)
        check_integer("posterior_start", self.posterior_start, 0, MOST_STEPS)

    def posterior_weight_at(self, step: int) -> float:
        """Returns the posterior weight of a step, counted from 0."""
        return self.posterior_weight if step >= self.posterior_start else 0.0


@dataclass(frozen=True)
class OptimiserConfig:
    """How weights are changed (appendix B.3).

    Example:
        >>> import monet
        >>> monet.OptimiserConfig(kind="muon", learning_rate=1e-3).schedule
        'constant'
    """

    kind: Annotated[Literal["rmsprop", "adam", "muon"], arg(name="optimiser")] = "rmsprop"
    """RMSProp as TensorFlow 1 had it, Adam, or Muon, which takes fewer steps."""
    learning_rate: float = 1e-4
    """Largest learning rate."""
    vae_rate: float = 1.0
    """Learning rate of the component VAE, as a multiple of the attention network's."""
    warmup_steps: int = 0
    """Steps over which the rate rises from 0."""
    schedule: Literal["constant", "cosine"] = "constant"
    """Whether the rate then stays or falls to a twentieth of itself by the last step."""
    average_decay: float = 0.0
    """Scores and saved weights use a moving average that keeps this share of itself each step; 0
    uses the weights themselves, as the paper does."""

    def __post_init__(self) -> None:
        check_kinds(self)
        for name in ("learning_rate", "vae_rate"):
            # Beyond these, one step makes weights infinite, and no sound state is left to save.
            check_number(name, getattr(self, name), high=1e18, positive=True)
        check_integer("warmup_steps", self.warmup_steps, 0, MOST_STEPS)
        check_number("average_decay", self.average_decay)
        if self.average_decay >= 1:
            raise ValueError(f"average_decay must be in [0, 1), got {self.average_decay}")


@dataclass(frozen=True)
class TrainConfig:
    """A whole training run.

    Example:
        >>> from dataclasses import replace
        >>> import monet
        >>> replace(monet.PRESETS["quick"], batch_size=32).model.image_size
        32
    """

    name: str = "paper"
    """Name of the run; its folder is runs/NAME, or runs/NAME-MASKS with given masks."""
    model: ModelConfig = field(default_factory=ModelConfig)
    """The model."""
    loss: LossConfig = field(default_factory=LossConfig)
    """The loss."""
    ablations: LossAblations = field(default_factory=LossAblations)
    """Departures from the loss."""
    optimiser: OptimiserConfig = field(default_factory=OptimiserConfig)
    """The optimiser."""
    data: Path = Path("data/objects_room/train.h5")
    """File of training images."""
    held_out: int = HELD_OUT
    """Scenes at the end of the file that are never trained on; scores during training use them."""
    steps: int = 1_000_000
    """Optimiser steps in all."""
    batch_size: int = 64
    """Images a step."""
    seed: int = 0
    """Decides the initial weights, the order of the data, and the noise."""
    masks: MaskKind = "attention"
    """What divides the images among the slots: `attention` learns it; the others train the VAE
    alone (section 2.2) on the file's own masks (`element`), on everything in the first slot
    (`all-in-one`), or on the masks of another scene (`wrong-element`)."""
    init_from: str | None = None
    """Run folder, weights file or name of shipped weights to start from; the optimiser starts
    afresh. The model must be the same but for its slots, unless `--grow` is given."""
    grow: bool = False
    """Let `--init-from` take a smaller model, which the larger one reproduces at first. It may have
    a narrower U-Net, or half the image size: then the larger one has one more entry in front of
    encoder_channels, and the first of unet_channels twice (docs/monet.md)."""
    cache: Annotated[Literal["auto", "host", "device"], arg(name="data.cache")] = "auto"
    """Where images wait for their step: `host` reads ahead through the file in windows; `device`
    keeps all of them on the device as bytes (12.3 GB for a million of 64 pixels); `auto` keeps
    them on a GPU where they fit in half of its free memory. Their order is the same."""
    precision: Precision = "auto"
    """Arithmetic of the convolutions: `auto` takes bfloat16 where the processor has it, and is kept
    with the run; `tf32` is a GPU's."""
    compile: Literal["auto", "always", "never"] = "auto"
    """Whether torch.compile makes kernels of the attention step and of the rest, which takes about
    a minute: `auto` does on a GPU, where the run is long enough to pay for it."""
    graph: Literal["auto", "never"] = "auto"
    """Whether a GPU makes each step as one CUDA graph."""
    log_every: int = 50
    """Steps between lines of metrics.jsonl."""
    score_every: int = 2_000
    """Steps between scores on held-out images."""
    save_every_s: float = 120.0
    """Seconds between saved states."""

    def __post_init__(self) -> None:
        check_kinds(self)
        check_folder_name("name", self.name)
        if self.data == Path():
            raise ValueError("data must be a file, got an empty path")
        check_text("data", str(self.data))
        if self.init_from is not None:
            check_text("init_from", self.init_from)
        for name in ("steps", "log_every", "score_every"):
            check_integer(name, getattr(self, name), 1, MOST_STEPS)
        # A wrong mask is that of another image of the batch, which so needs two.
        fewest = 2 if self.masks == "wrong-element" else 1
        check_integer("batch_size", self.batch_size, fewest, 2**20)
        check_integer("held_out", self.held_out, fewest, MOST_HELD_OUT)
        check_integer("seed", self.seed, 0, 2**63 - 1)
        check_number("save_every_s", self.save_every_s)
        if self.ablations.posterior_weight and self.masks != "attention":
            raise ValueError(
                f"posterior_weight needs an attention to teach: not masks {self.masks}"
            )

    @property
    def run_name(self) -> str:
        """Name of the run folder: the three conditions of one preset are three runs."""
        return self.name if self.masks == "attention" else f"{self.name}-{self.masks}"

    @property
    def identity(self) -> TrainConfig:
        """The config with fixed values for paths and for what may change as a run goes on.

        The saved state identifies the data and the initial weights by their content.
        """
        return replace(
            self,
            data=Path("anywhere"),
            init_from=None,
            steps=1,
            log_every=1,
            score_every=1,
            save_every_s=1.0,
            cache="auto",
            compile="auto",
            graph="auto",
            grow=False,
        )


def first_difference(before: Any, now: Any) -> str:
    """Names the first field in which two configs differ."""
    for name, old in vars(before).items():
        new = getattr(now, name)
        if old != new:
            if hasattr(old, "__dict__"):
                return first_difference(old, new)
            return f"{name} {old}, not {new}"
    return "nothing"
