"""How much a run does: on a GPU, or at toy sizes on a CPU."""

from dataclasses import dataclass, field, replace

from monet.config import TrainConfig
from monet.presets import PRESETS
from monet.training.whole_step import Form, cuda_graph
from scenes.objects_room.config import ObjectsRoomConfig

RECIPES = {
    name: preset
    for name, preset in PRESETS.items()
    if preset.data == PRESETS["paper"].data and preset.masks == "attention"
}
"""Presets that learn attention from the Objects Room."""


def called(step):
    """Replaces `cuda_graph` on a CPU: returns the step as it is, uncaptured."""
    return step


@dataclass(frozen=True)
class Scale:
    """Sizes of all parts."""

    dry: bool
    room: ObjectsRoomConfig = field(default_factory=ObjectsRoomConfig)
    compared: int = 64
    """Scenes that each OpenGL draws for comparison."""
    rate_s: float = 3.0
    """Seconds over which the rate of rendering is measured."""
    first: int = 4096
    """Scenes that parts 2 and 3 learn from."""
    scenes: int = 100_000
    """Scenes that part 4 learns from."""
    backend: str = "inductor"
    window_steps: int = 50
    rounds: range = range(3, 10)
    """Starts at the fewest rounds of timed windows, and stops at one more than the most."""
    profiled_steps: int = 5
    losses_steps: int = 500
    losses_every: int = 50
    save_every_s: float = 60.0
    scores: int = 10
    """How often part 4 scores held-out scenes."""

    @classmethod
    def toy(cls) -> "Scale":
        """Returns the sizes of a dry run, which two cores do in about a minute."""
        return cls(
            dry=True,
            room=ObjectsRoomConfig(size=32),
            compared=16,
            rate_s=0.5,
            first=352,
            scenes=352,
            backend="aot_eager",
            window_steps=3,
            rounds=range(3, 4),
            profiled_steps=2,
            losses_steps=6,
            losses_every=3,
            save_every_s=1.0,
            scores=2,
        )

    def form(self, *, graph: bool, compiled: bool) -> Form:
        """Returns a form of steps."""
        capture = called if self.dry else cuda_graph
        return Form(self.backend if compiled else None, capture if graph else None)

    def sized(self, config: TrainConfig) -> TrainConfig:
        """Returns a config at these sizes: unchanged on a GPU but for its saves, else a toy."""
        if not self.dry:
            return replace(config, save_every_s=self.save_every_s)
        model = replace(
            config.model,
            image_size=16,
            num_slots=3,
            encoder_channels=(16, 16),
            decoder_channels=(16, 16),
            unet_channels=(16, 16, 16),
        )
        return replace(
            config,
            model=model,
            batch_size=8,
            steps=20,
            log_every=5,
            score_every=10,
            save_every_s=self.save_every_s,
        )

    @property
    def flags(self) -> str:
        """The flags of monet-train that make of a preset what `sized` makes of it."""
        if not self.dry:
            return ""
        return (
            " --image-size 16 --num-slots 3 --encoder-channels 16 16 --decoder-channels 16 16"
            " --unet-channels 16 16 16 --batch-size 8 --steps 20"
        )

    def measured(self) -> TrainConfig:
        """Returns the config of parts 2 and 3: the paper's model and batch, with Muon."""
        return self.sized(replace(PRESETS["fast"], precision="bfloat16"))
