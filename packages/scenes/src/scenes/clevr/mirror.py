"""What CLEVR's metal mirrors: the surroundings of each object, and where each point looks in them.

OpenGL as MuJoCo drives it reflects nothing on curved surfaces. So each metal object has a texture
of its own: the stage around it, in linear light as in Blender, times its colour. Each vertex gets
the coordinate of what it mirrors there, and the texture is all that is seen of metal.

Brightnesses were fitted to the metal spheres of clevr-dataset-gen's renders, and adjusted by eye to
its cubes and cylinders: a white surface in full light has 1, the reflection of a lamp more than a
display can show.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from scenes.clevr.view import facing

GROUND, GROUND_BY_KEY, KEY_SIDE_RAD = 0.215, 0.06, 0.7
"""Brightness of the ground; what it has more on the key lamp's side; how wide that side is."""
FOOT, FOOT_WIDTH = 0.7, 0.35
"""Share of the light that the ground lacks right under an object; how far that goes, in the
upward part of a direction."""
HORIZON, HORIZON_SOFTNESS = -0.13, 0.1
"""Upward part of a direction at which the ground ends; how gradually."""
BACKDROP, BACKDROP_RAD = 0.12, 1.1
"""Brightness, and width, of what is lit behind the stage."""
STRIP, STRIP_PLACE, STRIP_WIDTH = 0.06, 0.18, 0.27
"""Brightness of the air above the camera's line of sight; its place and width across."""
CEILING = (0.388, -0.165, 0.907)
"""Direction of the brightest highlight in the renders' metal, the same wherever the lamps are."""
NEIGHBOUR = 0.2
"""Brightness of a white object that is mirrored."""
NEIGHBOUR_EDGE = 0.03
"""Softness of its outline, in cosines."""
RIM = 0.96
"""Radius of the ball in its picture, so that what is around it is never looked up."""
DISPLAY_GAMMA = 2.2
LEVELS = 1024


@dataclass(frozen=True)
class Glare:
    """How bright and how wide the lamps look in metal that is not quite smooth."""

    key: float
    ceiling: float
    radius_rad: float


SMOOTH = Glare(key=1.5, ceiling=4.0, radius_rad=0.18)
"""In a ball."""
BENT = Glare(key=8.0, ceiling=22.0, radius_rad=0.3)
"""In a rounded edge, which is a pixel wide and shows the mean of all that it sweeps over."""


def ball_directions(size: int, camera_m: Float[np.ndarray, "3"]) -> Float[np.ndarray, "S S 3"]:
    """Returns the directions that the camera sees in a small mirror ball.

    Args:
        size: side of its picture; the first row is the ball's bottom.
        camera_m: position of the camera.
    """
    ticks = ((np.arange(size) + 0.5) / size * 2 - 1) / RIM
    across, up = np.meshgrid(ticks, ticks)
    outward = np.sqrt(np.maximum(0, 1 - across**2 - up**2))
    normals = np.stack([across, up, outward], axis=2)
    normals /= np.linalg.norm(normals, axis=2, keepdims=True)
    return (2 * outward[..., None] * normals - (0.0, 0.0, 1.0)) @ facing(-camera_m).T


def surroundings(
    directions: Float[np.ndarray, "S S 3"],
    camera_m: Float[np.ndarray, "3"],
    key_m: Float[np.ndarray, "3"],
    glare: Glare,
) -> Float[np.ndarray, "S S"]:
    """Returns how bright the empty stage is in each direction, lamps included.

    Args:
        directions: of length 1.
        camera_m: position of the camera.
        key_m: position of the key lamp.
        glare: how its reflection looks.
    """
    level, up = np.array([1.0, 1.0, 0.0]), directions[..., 2]
    ground = GROUND + GROUND_BY_KEY * _bell(_angle(directions, key_m * level) / KEY_SIDE_RAD)
    ground *= 1 - FOOT * _bell((1 + up) / FOOT_WIDTH)
    air = BACKDROP * _bell(_angle(directions, -camera_m * level) / BACKDROP_RAD)
    right = facing(-camera_m)[:, 0]
    air += STRIP * _bell((directions @ right - STRIP_PLACE) / STRIP_WIDTH)
    for toward, brightness in ((key_m, glare.key), (np.array(CEILING), glare.ceiling)):
        air += brightness / (1 + (_angle(directions, toward) / glare.radius_rad) ** 2) ** 2
    share = 1 / (1 + np.exp((up - HORIZON) / HORIZON_SOFTNESS))
    return share * ground + (1 - share) * air


def _bell(x: Float[np.ndarray, "S S"]) -> Float[np.ndarray, "S S"]:
    return np.exp(-(x**2))


def _angle(
    directions: Float[np.ndarray, "S S 3"], other: Float[np.ndarray, "3"]
) -> Float[np.ndarray, "S S"]:
    return np.arccos(np.clip(directions @ (other / np.linalg.norm(other)), -1, 1))


def with_neighbours(
    brightness: Float[np.ndarray, "S S"],
    directions: Float[np.ndarray, "S S 3"],
    offsets_m: Float[np.ndarray, "N 3"],
    radii_m: Float[np.ndarray, " N"],
    colors: Float[np.ndarray, "N 3"],
) -> Float[np.ndarray, "S S 3"]:
    """Returns the surroundings in RGB with other objects in them, each as a ball.

    Args:
        brightness: of the empty stage.
        directions: of its pixels, of length 1.
        offsets_m: from the mirror to the other objects.
        radii_m: theirs.
        colors: theirs, linear.
    """
    seen = np.repeat(brightness[..., None], 3, axis=2)
    distances = np.linalg.norm(offsets_m, axis=1)
    for i in np.argsort(-distances):
        edge = np.sqrt(max(0.0, 1 - (radii_m[i] / distances[i]) ** 2))
        cosine = directions @ (offsets_m[i] / distances[i])
        share = np.clip((cosine - edge) / NEIGHBOUR_EDGE + 0.5, 0, 1)[..., None]
        seen += share * (NEIGHBOUR * colors[i] - seen)
    return seen


def tinted(
    seen: Float[np.ndarray, "S S 3"], color: Float[np.ndarray, "3"]
) -> UInt8[np.ndarray, "S S 3"]:
    """Returns what metal of a linear colour makes of its surroundings, in display values."""
    levels = np.sqrt(np.clip(seen * color, 0, 1)) * (LEVELS - 1)
    return SHOWN[np.rint(levels).astype(np.uint16)]


SHOWN = np.rint(255 * np.linspace(0, 1, LEVELS) ** (2 / DISPLAY_GAMMA)).astype(np.uint8)
"""Display values of the squares of `LEVELS` levels, which are closer together where it is dark."""


def mirrored(
    points: Float[np.ndarray, "V 3"],
    normals: Float[np.ndarray, "V 3"],
    camera_m: Float[np.ndarray, "3"],
    middle_m: Float[np.ndarray, "3"],
) -> Float[np.ndarray, "V 2"]:
    """Returns where in the picture of its surroundings each point of a surface mirrors.

    Args:
        points: on the surface, in metres.
        normals: the surface's, of length 1.
        camera_m: position of the camera.
        middle_m: position of the object, from where the picture is seen.
    """
    view = camera_m - points
    view /= np.linalg.norm(view, axis=1, keepdims=True)
    # Vertices just beyond the outline, where this is negative, mirror what the outline does.
    cosine = np.maximum((normals * view).sum(axis=1, keepdims=True), 0.02)
    reflected = 2 * cosine * normals - view
    # What is mirrored on the ground lies in another direction from the middle.
    down = np.maximum(-reflected[:, 2:], 1e-3)
    on_ground = points + np.maximum(points[:, 2:], 0) / down * reflected - middle_m
    seen = np.where(reflected[:, 2:] < 0, on_ground, reflected)
    seen = seen / np.linalg.norm(seen, axis=1, keepdims=True) @ facing(-camera_m)
    half = seen + np.array([0.0, 0.0, 1.0])
    half /= np.maximum(np.linalg.norm(half, axis=1, keepdims=True), 1e-6)
    return RIM * half[:, :2] / 2 + 0.5
