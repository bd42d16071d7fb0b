"""Slot Attention (Locatello et al., 2020, arXiv 2006.15055): train it here, score it with `eval`.

    python examples/slot_attention.py quick --data data/objects_room/train.h5 --run runs/slots
    SLOT_ATTENTION_RUN=runs/slots eval generalise --model examples/slot_attention.py:load

It is also a recipe for a model of your own: a module, a loop around this project's batches, and
`decompose`, which is all that `eval` asks for. Sections are those of the paper; where it is silent,
the authors' published code decides.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import tyro
from jaxtyping import Float, Shaped
from monet.cli import seconds
from monet.config import HELD_OUT, Device
from monet.devices import choose_device
from monet.images import images_of_size, to_unit
from monet.ranges import check_integer, check_number
from monet.training.any_model import read_recipe, train_any
from monet.training.data import noise
from monet.training.state import read_state
from scenes.command_line import parse, run_command
from scenes.help_text import registry
from torch import Tensor, nn

RUN = "SLOT_ATTENTION_RUN"
"""Environment variable that names the run folder for `load`."""
EPSILON = 1e-8
"""Added to the attention, so that no slot divides by a sum of zero (algorithm 1)."""
AT_ONCE = 64
"""Images that `decompose` takes together."""


@dataclass(frozen=True)
class Recipe:
    """What decides the weights, beside the data; defaults are the paper's for CLEVR."""

    image_size: int = 128
    """Side of the images, in pixels."""
    num_slots: int = 7
    """Slots K in training."""
    iterations: int = 3
    """Rounds of attention."""
    slot_dim: int = 64
    """Numbers that a slot holds; the residual MLP is twice as wide."""
    channels: int = 64
    """Channels of every convolution."""
    encoder_strides: tuple[int, ...] = (1, 1, 1, 1)
    """Strides of the encoder's convolutions."""
    decoder_strides: tuple[int, ...] = (2, 2, 2, 2, 1)
    """Factors by which the decoder's convolutions enlarge what the slots are broadcast to."""
    batch_size: int = 64
    """Images a step."""
    learning_rate: float = 4e-4
    """Adam's rate after the warm-up, before it falls."""
    warmup_steps: int = 10_000
    """Steps over which the rate rises from 0."""
    half_life_steps: int = 100_000
    """Steps in which the rate falls to a half."""
    held_out: int = HELD_OUT
    """Scenes at the end of the file that are never trained on."""
    seed: int = 0
    """Decides the first weights, the order of the data, and the slots' noise."""

    def __post_init__(self) -> None:
        check_number("learning_rate", self.learning_rate, high=1e18, positive=True)
        for name, value in vars(self).items():
            if isinstance(value, int):
                check_integer(name, value, 0 if name == "seed" else 1, 10**9)
        for name in ("encoder_strides", "decoder_strides"):
            strides = getattr(self, name)
            for stride in strides:
                check_integer(name, stride, 1, self.image_size)
            product = math.prod(strides)
            if self.image_size % product:
                raise ValueError(
                    f"image_size must be a multiple of the product of {name}, got "
                    f"{self.image_size} and {product}"
                )

    def rate(self, step: int) -> float:
        """Returns the learning rate of a step, counted from 0."""
        warm = min(1.0, (step + 1) / self.warmup_steps)
        return self.learning_rate * warm * 0.5 ** (step / self.half_life_steps)

    def optimiser(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """Returns Adam."""
        return torch.optim.Adam(parameters)


class SlotAttention(nn.Module):
    """Slots that compete for the inputs (section 2.1, algorithm 1).

    Args:
        dim: numbers of a slot, and of an input.
        iterations: rounds of attention.
    """

    def __init__(self, dim: int, iterations: int) -> None:
        super().__init__()
        self.iterations = iterations
        self.mu = nn.Parameter(nn.init.xavier_uniform_(torch.empty(1, dim)))
        self.log_sigma = nn.Parameter(nn.init.xavier_uniform_(torch.empty(1, dim)))
        self.norm_inputs, self.norm_slots, self.norm_mlp = (nn.LayerNorm(dim) for _ in range(3))
        self.query, self.key, self.value = (nn.Linear(dim, dim, bias=False) for _ in range(3))
        self.gru = nn.GRUCell(dim, dim)
        self.mlp = nn.Sequential(nn.Linear(dim, 2 * dim), nn.ReLU(), nn.Linear(2 * dim, dim))

    def forward(
        self, inputs: Float[Tensor, "B N D"], unit: Float[Tensor, "B K D"]
    ) -> tuple[Float[Tensor, "B K D"], Float[Tensor, "B K N"]]:
        """Returns slots, and the share of each input that each of them took in the last round.

        Args:
            inputs: features of each place of an image.
            unit: Gaussian noise of which the first slots are made.
        """
        inputs = self.norm_inputs(inputs)
        key, value = self.key(inputs), self.value(inputs)  # (B, N, D)
        slots = self.mu + self.log_sigma.exp() * unit  # (B, K, D)
        for _ in range(self.iterations):
            query = self.query(self.norm_slots(slots)) * slots.shape[-1] ** -0.5
            attention = (query @ key.mT).softmax(dim=1)  # (B, K, N): over the slots
            weights = attention + EPSILON
            updates = weights / weights.sum(dim=2, keepdim=True) @ value  # (B, K, D)
            slots = self.gru(updates.flatten(0, 1), slots.flatten(0, 1)).view_as(slots)
            slots = slots + self.mlp(self.norm_mlp(slots))
        return slots, attention


class PositionEmbedding(nn.Module):
    """Adds a linear map of each place's distances from the four borders (appendix E.2).

    Args:
        channels: of what it is added to.
        side: of that, in pixels.
    """

    def __init__(self, channels: int, side: int) -> None:
        super().__init__()
        place = torch.linspace(0, 1, side)
        y, x = torch.meshgrid(place, place, indexing="ij")
        self.register_buffer("places", torch.stack([y, x, 1 - y, 1 - x]), persistent=False)
        self.project = nn.Conv2d(4, channels, 1)

    def forward(self, features: Float[Tensor, "B C S S"]) -> Float[Tensor, "B C S S"]:
        """Returns the features with their places."""
        return features + self.project(self.places)


@dataclass(frozen=True)
class Decomposition:
    """What the model makes of images, under the names by which `eval` reads it."""

    masks: Float[Tensor, "B K H W"]
    """What it is scored by: the decoder's masks, or the attention's. They sum to one over K."""
    masks_recon: Float[Tensor, "B K H W"] | None
    """The decoder's masks, where the attention's are scored; else they would be the same."""
    mask_logits: Float[Tensor, "B K H W"]
    """The decoder's masks before they are normalised over slots."""
    components: Float[Tensor, "B K H W 3"]
    """Colours of each slot in [0, 1], not clipped."""
    reconstruction: Float[Tensor, "B H W 3"]
    """Components mixed by the decoder's masks."""
    latents: Float[Tensor, "B K D"]
    """The slots."""


class AutoEncoder(nn.Module):
    """Encoder, Slot Attention and spatial broadcast decoder (section 3.1, appendix E.2).

    Args:
        recipe: its sizes.
        by_attention: take the last round's attention for the masks that are scored; by default
            they are the decoder's, as in the paper.
    """

    name = "Slot Attention"

    def __init__(self, recipe: Recipe, *, by_attention: bool = False) -> None:
        super().__init__()
        self.image_size, self.num_slots = recipe.image_size, recipe.num_slots
        self.noise_shape = (recipe.num_slots, recipe.slot_dim)
        self._by_attention = by_attention
        C, D = recipe.channels, recipe.slot_dim
        layers: list[nn.Module] = []
        for number, stride in enumerate(recipe.encoder_strides):
            layers += [nn.Conv2d(C if number else 3, C, 5, stride, padding=2), nn.ReLU()]
        self._seen = recipe.image_size // math.prod(recipe.encoder_strides)
        self.encoder = nn.Sequential(*layers, PositionEmbedding(C, self._seen), nn.Flatten(2))
        self.features = nn.Sequential(nn.LayerNorm(C), nn.Linear(C, D), nn.ReLU(), nn.Linear(D, D))
        self.attention = SlotAttention(D, recipe.iterations)
        self._broadcast = recipe.image_size // math.prod(recipe.decoder_strides)
        layers = [PositionEmbedding(D, self._broadcast)]
        for number, stride in enumerate(recipe.decoder_strides):
            before = C if number else D
            larger = nn.ConvTranspose2d(before, C, 5, stride, padding=2, output_padding=stride - 1)
            layers += [larger, nn.ReLU()]
        self.decoder = nn.Sequential(*layers, nn.Conv2d(C, 4, 3, padding=1))
        for layer in self.modules():  # as Keras does by default
            if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
                nn.init.xavier_uniform_(layer.weight)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)

    def forward(
        self, image: Float[Tensor, "B 3 H W"], unit: Float[Tensor, "B K D"]
    ) -> Decomposition:
        """Takes images in [0, 1] apart; as many slots as there is noise for."""
        inputs = self.features(self.encoder(2 * image - 1).mT)  # (B, N, D): images in [-1, 1]
        latents, attention = self.attention(inputs, unit)
        components, logits = (
            each.unflatten(0, unit.shape[:2]) for each in self.decode(latents.flatten(0, 1))
        )
        masks, masks_recon = logits.softmax(dim=1), None  # (B, K, H, W)
        reconstruction = (masks[..., None] * components).sum(dim=1)
        if self._by_attention:
            seen = attention.unflatten(2, (self._seen, self._seen))
            masks_recon = masks
            masks = nn.functional.interpolate(seen, self.image_size, mode="bilinear")
        return Decomposition(masks, masks_recon, logits, components, reconstruction, latents)

    def decode(
        self, latents: Float[Tensor, "N D"] | Float[np.ndarray, "N D"]
    ) -> tuple[Float[Tensor, "N H W 3"], Float[Tensor, "N H W"]]:
        """Returns component and mask logits of each of some slots; `eval traverse` asks for it."""
        slots = torch.as_tensor(latents, device=self.attention.mu.device)
        grid = slots[:, :, None, None].expand(-1, -1, self._broadcast, self._broadcast)
        colors, logits = self.decoder(grid).split([3, 1], dim=1)
        return (colors.movedim(1, -1) + 1) / 2, logits[:, 0]

    def loss(
        self, image: Float[Tensor, "B 3 H W"], unit: Float[Tensor, "B K D"]
    ) -> Float[Tensor, ""]:
        """Returns the mean squared error of images in [-1, 1], all of the loss (section 3.1)."""
        error = self(image, unit).reconstruction.movedim(-1, 1) - image
        return (2 * error).square().mean()

    @torch.no_grad()
    def decompose(self, images: Shaped[np.ndarray, "N H W 3"], num_slots: int) -> Decomposition:
        """Takes many images apart, each from the same first slots, so that scores repeat."""
        pixels, mu = images_of_size(images, self.image_size), self.attention.mu
        unit = noise(0, 0, num_slots, mu.shape[1]).to(mu.device)
        parts = [
            self(to_unit(some).to(mu.device), unit.expand(len(some), -1, -1))
            for some in pixels.split(AT_ONCE)
        ]
        joined: dict[str, Any] = {
            name: None if value is None else torch.cat([getattr(part, name) for part in parts])
            for name, value in vars(parts[0]).items()
        }
        return Decomposition(**joined)


@dataclass(frozen=True)
class Command:
    """Train Slot Attention on a file of scenes; run it again to go on where it stopped."""

    recipe: Annotated[Recipe, tyro.conf.arg(name="")] = field(default_factory=Recipe)
    data: Path = Path("data/objects_room/train.h5")
    """File of training scenes; its last 320 are left out, as by monet-train."""
    run: Path = Path("runs/slot_attention")
    """Run folder. A run that is there already is continued."""
    steps: int = 500_000
    """Steps in all."""
    stop_after: str | None = None
    """Stop cleanly after this long, such as 90s, 9m or 2h."""
    device: Device = "auto"
    """Where to compute: `auto` takes a CUDA GPU where there is one, else the CPU."""

    def train(self) -> int:
        """Trains, and returns the exit code: 1 after a signal."""
        limit_s = None if self.stop_after is None else seconds(self.stop_after, "--stop-after")
        torch.manual_seed(self.recipe.seed)
        model = AutoEncoder(self.recipe).to(choose_device(self.device))
        outcome = train_any(
            model, self.recipe, self.data, self.run, self.steps, stop_after_s=limit_s
        )
        print(f"{self.run}: {outcome.step:,} of {self.steps:,} steps")
        return int(outcome.reason == "signal")


SPRITES = Recipe(image_size=64, num_slots=6, channels=32, decoder_strides=(1, 1, 1))
QUICK = Recipe(
    image_size=32,
    channels=32,
    encoder_strides=(1, 2, 1, 1),
    decoder_strides=(2, 2),
    batch_size=16,
    warmup_steps=250,
    half_life_steps=20_000,
)
PRESETS = {
    "paper": ("The paper's settings for CLEVR.", Command()),
    "paper-multi-dsprites": ("The paper's settings for Multi-dSprites.", Command(SPRITES)),
    "quick": ("32 pixels, on a CPU.", Command(QUICK, steps=9_600)),
}


def load(*, by_attention: bool = False) -> AutoEncoder:
    """Returns the model of the run in $SLOT_ATTENTION_RUN, else of runs/slot_attention.

    Raises:
        CommandError: there is none, or it is damaged.
    """
    folder = Path(os.environ.get(RUN, Command.run))
    model = AutoEncoder(read_recipe(folder, Recipe), by_attention=by_attention)
    model.load_state_dict(read_state(folder).model)
    model.name = f"{folder.name}_attention" if by_attention else folder.name
    return model.to(choose_device("auto"))


def load_attention() -> AutoEncoder:
    """Returns the same model, scored by its attention; the decoder's masks stand beside."""
    return load(by_attention=True)


def main(arguments: list[str]) -> int:
    """Reads the command line and trains."""
    command: Command = parse(
        lambda: tyro.extras.overridable_config_cli(
            PRESETS,
            prog="slot_attention.py",
            args=arguments,
            config=(tyro.conf.OmitArgPrefixes,),
            registry=registry(),
        ),
        "slot_attention.py",
    )
    return command.train()


if __name__ == "__main__":
    raise SystemExit(run_command("slot_attention.py", main))
