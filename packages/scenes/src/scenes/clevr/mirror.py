"""What CLEVR's metal mirrors: the stage's surroundings as one picture, and where in it to look.

OpenGL as MuJoCo drives it reflects nothing on curved surfaces, and without reflections metal looks
like wet rubber. So each vertex of a metal object gets the texture coordinate of what it mirrors.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, UInt8

from scenes.clevr.stage import AMBIENT, CAMERA_M, LAMPS, QUADRATIC
from scenes.clevr.view import facing

SKY = 0.2
"""Brightness overhead; it grows towards the horizon, where it is that of the far ground."""
HORIZON_SOFTNESS = 0.6
LAMP_GLARE = 3.0
LAMP_RADIUS_RAD = 0.25
EYE_M = 0.5
"""Height from which the surroundings are seen: an object's middle."""
GAIN = 0.88


def surroundings(size: int) -> UInt8[np.ndarray, "S S 3"]:
    """Paints the sphere around the stage as the camera sees it in a mirror ball.

    Args:
        size: side of the picture; the first row is the ball's bottom.
    """
    ticks = (np.arange(size) + 0.5) / size * 2 - 1
    half = np.zeros((size, size, 3))
    half[..., 0], half[..., 1] = ticks[None, :], ticks[:, None]
    half /= np.maximum(1, np.linalg.norm(half, axis=2, keepdims=True))
    half[..., 2] = np.sqrt(np.maximum(0, 1 - (half**2).sum(axis=2)))
    toward_camera = np.array([0.0, 0.0, 1.0])
    seen = 2 * half[..., 2:] * half - toward_camera
    world = seen @ facing(-np.array(CAMERA_M)).T
    brightness = np.clip(GAIN * _brightness(world), 0, 1)
    return np.rint(255 * brightness).astype(np.uint8)


def _brightness(direction: Float[np.ndarray, "S S 3"]) -> Float[np.ndarray, "S S 3"]:
    up = direction[..., 2]
    sky = SKY + (AMBIENT - SKY) * np.exp(-np.maximum(up, 0) / HORIZON_SOFTNESS)
    reach = EYE_M / np.maximum(-up, 1e-3)
    ground = np.concatenate(
        [direction[..., :2] * reach[..., None], np.zeros_like(up)[..., None]], -1
    )
    total = np.repeat(np.where(up > 0, sky, AMBIENT)[..., None], 3, axis=2)
    for lamp in LAMPS.values():
        place, rgb = np.array(lamp.position_m), np.array(lamp.rgb)
        away = place - ground
        distance = np.linalg.norm(away, axis=2)
        lit = place[2] / distance / (1 + QUADRATIC * distance**2)
        total += np.where(up > 0, 0, lit)[..., None] * rgb
        toward = place - np.array([0, 0, EYE_M])
        angle = np.arccos(np.clip(direction @ (toward / np.linalg.norm(toward)), -1, 1))
        glare = LAMP_GLARE * np.exp(-((angle / LAMP_RADIUS_RAD) ** 2))
        total += glare[..., None] * rgb / max(lamp.rgb) * np.sqrt(max(lamp.rgb))
    return total


def mirrored(
    points: Float[np.ndarray, "V 3"],
    normals: Float[np.ndarray, "V 3"],
    camera_m: Float[np.ndarray, "3"],
) -> Float[np.ndarray, "V 2"]:
    """Returns where in the picture of `surroundings` each point of a surface mirrors.

    Args:
        points: on the surface, in metres.
        normals: the surface's, of length 1.
        camera_m: position of the camera.
    """
    view = camera_m - points
    view /= np.linalg.norm(view, axis=1, keepdims=True)
    # Vertices just beyond the outline, where this is negative, mirror what the outline does.
    cosine = np.maximum((normals * view).sum(axis=1, keepdims=True), 0.02)
    reflected = (2 * cosine * normals - view) @ facing(-camera_m)
    half = reflected + np.array([0.0, 0.0, 1.0])
    half /= np.maximum(np.linalg.norm(half, axis=1, keepdims=True), 1e-6)
    return half[:, :2] / 2 + 0.5
