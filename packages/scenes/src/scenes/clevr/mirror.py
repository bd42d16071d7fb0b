"""Reflections in CLEVR's metal: pictures of an object's surroundings, and coordinates into them.

MuJoCo's OpenGL reflects nothing on curved surfaces. So each metal object has a texture of its own,
a picture of the stage around it in linear light as in Blender, times the object's colour. Each
vertex gets the coordinate of the point that it mirrors, and nothing but the texture is seen.

Brightnesses were fitted to the metal spheres of clevr-dataset-gen's renders, and adjusted by eye to
its cubes and cylinders. A white surface in full light has brightness 1; the reflection of a lamp
has more than a display can show.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from scenes.clevr.view import facing

GROUND, GROUND_BY_KEY, KEY_SIDE_RAD = 0.215, 0.06, 0.7
"""Brightness of the ground, its additional brightness towards the key lamp, and the width of the
latter."""
FOOT, FOOT_WIDTH = 0.7, 0.35
"""Share of light that is missing right under an object, and the width of that shadow, in the
vertical component of a direction."""
HORIZON, HORIZON_SOFTNESS = -0.13, 0.1
"""Vertical component of a direction at which the ground ends, and the width of that transition."""
BACKDROP, BACKDROP_RAD = 0.12, 1.1
"""Brightness and width of the light behind the stage."""
STRIP, STRIP_PLACE, STRIP_WIDTH = 0.06, 0.18, 0.27
"""Brightness of a strip of air above the camera's line of sight, and its place and width across."""
CEILING = (0.388, -0.165, 0.907)
"""Direction of the brightest highlight in the renders' metal, the same wherever the lamps are."""
NEIGHBOUR = 0.2
"""Brightness of the reflection of a white object."""
NEIGHBOUR_EDGE = 0.03
"""Softness of its outline, in cosines."""
RIM = 0.96
"""Radius of the ball in its picture, below 1 so that no pixel around the ball is ever looked up."""
DISPLAY_GAMMA = 2.2
LEVELS = 1024


@dataclass(frozen=True)
class Glare:
    """Brightness and width of the lamps' reflections in metal that is not quite smooth."""

    key: float
    ceiling: float
    radius_rad: float


SMOOTH = Glare(key=1.5, ceiling=4.0, radius_rad=0.18)
"""The glare in a sphere."""
BENT = Glare(key=8.0, ceiling=22.0, radius_rad=0.3)
"""The glare in a rounded edge, which is a pixel wide and shows the mean of many directions."""


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
        glare: of the lamps' reflections.
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
        radii_m: of the other objects.
        colors: of the other objects, linear.
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
    """Returns the reflection of surroundings in metal of a linear colour, in display values."""
    levels = np.sqrt(np.clip(seen * color, 0, 1)) * (LEVELS - 1)
    return SHOWN[np.rint(levels).astype(np.uint16)]


SHOWN = np.rint(255 * np.linspace(0, 1, LEVELS) ** (2 / DISPLAY_GAMMA)).astype(np.uint8)
"""Display values by the square root of brightness, in `LEVELS` steps that are finer in the dark."""


def mirrored(
    points: Float[np.ndarray, "V 3"],
    normals: Float[np.ndarray, "V 3"],
    camera_m: Float[np.ndarray, "3"],
    middle_m: Float[np.ndarray, "3"],
) -> Float[np.ndarray, "V 2"]:
    """Returns, for each point of a surface, the coordinate of its reflection in the picture.

    Args:
        points: on the surface, in metres.
        normals: of the surface, of length 1.
        camera_m: position of the camera.
        middle_m: position of the object, where the picture's mirror ball is.
    """
    view = camera_m - points
    view /= np.linalg.norm(view, axis=1, keepdims=True)
    # Vertices just beyond the outline, where this is negative, get the outline's reflection.
    cosine = np.maximum((normals * view).sum(axis=1, keepdims=True), 0.02)
    reflected = 2 * cosine * normals - view
    # A point on the ground lies in another direction from the middle than from the surface.
    down = np.maximum(-reflected[:, 2:], 1e-3)
    on_ground = points + np.maximum(points[:, 2:], 0) / down * reflected - middle_m
    seen = np.where(reflected[:, 2:] < 0, on_ground, reflected)
    seen = seen / np.linalg.norm(seen, axis=1, keepdims=True) @ facing(-camera_m)
    half = seen + np.array([0.0, 0.0, 1.0])
    half /= np.maximum(np.linalg.norm(half, axis=1, keepdims=True), 1e-6)
    return RIM * half[:, :2] / 2 + 0.5
