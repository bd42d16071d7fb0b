"""Renders a file of rooms, in a process group of its own: python -m gpu_parts.bulk REQUEST."""

import json
import os
import sys
from dataclasses import asdict, dataclass

from scenes.command_line import run_command
from scenes.driver import build
from scenes.objects_room.config import ObjectsRoomConfig
from scenes.render.gl import gl_environment


@dataclass(frozen=True)
class Bulk:
    """Which rooms are rendered, and how."""

    gl: str
    """A value of MUJOCO_GL."""
    by_rays: bool
    """Whether rays, not colour codes, tell which entity each pixel shows."""
    size: int
    n: int
    workers: int
    out: str

    def command(self) -> list[str]:
        """Returns the command line that renders them."""
        return [sys.executable, "-W", "ignore", "-m", __name__, json.dumps(asdict(self))]


def main(request: str) -> int:
    bulk = Bulk(**json.loads(request))
    # Rendering yields the processors to whatever serves the GPU.
    os.nice(10)
    os.environ.update(gl_environment(bulk.gl))
    config = ObjectsRoomConfig(size=bulk.size)
    return run_command(
        "scenes",
        lambda _: build(
            config, n=bulk.n, seed=0, out=bulk.out, workers=bulk.workers, by_rays=bulk.by_rays
        ),
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
