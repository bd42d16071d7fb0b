"""`scenes doctor`: which OpenGL draws, and whether it tells the truth."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from scenes.render.examination import STORED


@dataclass(frozen=True)
class Doctor:
    """Tell which OpenGL draws, how fast, and whether it draws what is there."""

    gl: Literal["egl", "osmesa", "glfw", "cgl"] | None = None
    """The one to ask; MUJOCO_GL's by default, else EGL where there is a GPU, else OSMesa."""
    n: int = STORED
    """Rooms to draw and compare, of the 8 that ship."""
    size: int = 64
    """Side of the images in pixels; even, 16 to 512."""
    out: Path = Path()
    """Folder of the picture that is left where something disagrees; this one by default."""

    def run(self) -> int:
        """Draws rooms and compares them; returns the exit code, 1 where anything disagrees."""
        from scenes.render.diagnosis import diagnose, lines

        examination, why = diagnose(self.gl, n=self.n, size=self.size, folder=self.out)
        print("\n".join(lines(examination, why)))
        return 0 if examination.agrees else 1
