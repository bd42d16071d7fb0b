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
    """Stands for `cuda_graph` on a CPU: the step is made anew each time."""
    return step


@dataclass(frozen=True)
class Scale:
    """Sizes of all parts."""

    dry: bool
    room: ObjectsRoomConfig = field(default_factory=ObjectsRoomConfig)
    compared: int = 64
    """Scenes drawn with each OpenGL."""
    rate_s: float = 3.0
    """Seconds for which scenes a second are measured."""
    first: int = 4096
    """Scenes that parts 2 and 3 learn from."""
    scenes: int = 100_000
    """Scenes that part 4 learns from."""
    backend: str = "inductor"
    window_steps: int = 50
    rounds: range = range(3, 10)
    """Fewest windows, and one more than the most."""
    profiled_steps: int = 5
    losses_steps: int = 500
    losses_every: int = 50
    save_every_s: float = 60.0
    scores: int = 10
    """On held-out scenes, over the time of part 4."""

    @classmethod
    def toy(cls) -> "Scale":
        """Returns what two cores do in a minute."""
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
        """Returns a recipe, or its toy."""
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
        """What `sized` is to monet-train, beside the preset."""
        if not self.dry:
            return ""
        return (
            " --image-size 16 --num-slots 3 --encoder-channels 16 16 --decoder-channels 16 16"
            " --unet-channels 16 16 16 --batch-size 8 --steps 20"
        )

    def measured(self) -> TrainConfig:
        """Returns the run whose steps parts 2 and 3 make: the paper's model and batch, Muon."""
        return self.sized(replace(PRESETS["fast"], precision="bfloat16"))
