"""CLEVR's three shapes as meshes of size 1, edges rounded as in its Blender models.

A sphere and a cylinder have radius 1 (the cylinder half-height 1 too); the cube's footprint has
half-diagonal 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

CUBE_HALF = 0.5**0.5
CUBE_BEVEL = 0.1
CYLINDER_BEVEL = 0.08
AROUND = 36
"""Vertices of a ring around the vertical; light is computed at vertices alone."""


@dataclass(frozen=True)
class Mesh:
    """Vertices with their own normals, and triangles seen from outside."""

    vertices: Float[np.ndarray, "V 3"]
    normals: Float[np.ndarray, "V 3"]
    faces: Int[np.ndarray, "T 3"]


def build_mesh(shape: str) -> Mesh:
    """Returns the mesh of a shape.

    Raises:
        ValueError: there is no such shape.
    """
    match shape:
        case "cube":
            return _cube()
        case "sphere":
            angles = np.linspace(0, np.pi, 19)
            profile = np.stack([np.sin(angles), np.cos(angles)], axis=1)
            return _turned(profile, profile)
        case "cylinder":
            return _cylinder()
    raise ValueError(f"no shape {shape!r}; there are cube, sphere and cylinder")


def ground_mesh(radius: float) -> Mesh:
    """Returns a disc on z = 0, its rings closer together in the middle."""
    rings = radius * np.linspace(0, 1, 26) ** 1.7
    profile = np.stack([rings, np.zeros_like(rings)], axis=1)
    return _turned(profile, np.broadcast_to([0.0, 1.0], profile.shape))


def _cylinder() -> Mesh:
    b = CYLINDER_BEVEL
    arc = np.linspace(0, np.pi / 2, 4)
    bevel = np.stack([1 - b + b * np.sin(arc), 1 - b + b * np.cos(arc)], axis=1)
    bevel_normals = np.stack([np.sin(arc), np.cos(arc)], axis=1)
    lid = np.array([[0, 1], [0.35, 1], [0.7, 1]])
    wall = np.array([[1, height] for height in np.linspace(1 - b, 0, 4)[1:]])
    upper = np.concatenate([lid, bevel, wall])
    normals = np.concatenate(
        [np.broadcast_to([0, 1], lid.shape), bevel_normals, np.broadcast_to([1, 0], wall.shape)]
    )
    mirror = np.array([1, -1])
    return _turned(
        np.concatenate([upper, upper[-2::-1] * mirror]),
        np.concatenate([normals, normals[-2::-1] * mirror]),
    )


def _turned(profile: Float[np.ndarray, "P 2"], normals: Float[np.ndarray, "P 2"]) -> Mesh:
    """Turns a profile about the vertical; its points are radius and height, from the top down."""
    angles = np.linspace(0, 2 * np.pi, AROUND, endpoint=False)
    ring = np.stack([np.cos(angles), np.sin(angles)], axis=1)

    def turned(points: np.ndarray) -> np.ndarray:
        across = points[:, None, :1] * ring  # (P, AROUND, 2)
        up = np.broadcast_to(points[:, None, 1:], (len(points), AROUND, 1))
        return np.concatenate([across, up], axis=2).reshape(-1, 3)

    row = np.arange(len(profile) - 1)[:, None] * AROUND
    here, after = np.arange(AROUND), (np.arange(AROUND) + 1) % AROUND
    corners = (row + here, row + AROUND + here, row + AROUND + after, row + after)
    a, b, c, d = (corner.ravel() for corner in corners)
    vertices = turned(profile)
    faces = np.concatenate([np.stack([a, b, c], axis=1), np.stack([a, c, d], axis=1)])
    return Mesh(vertices, turned(normals), _with_area(vertices, faces))


def _with_area(
    vertices: Float[np.ndarray, "V 3"], faces: Int[np.ndarray, "F 3"]
) -> Int[np.ndarray, "T 3"]:
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    return faces[np.linalg.norm(np.cross(b - a, c - a), axis=1) > 1e-9]


def _cube() -> Mesh:
    inner = CUBE_HALF - CUBE_BEVEL
    bend = np.tan(np.linspace(0, np.pi / 4, 3)) * CUBE_BEVEL
    ticks = np.concatenate([-(inner + bend[::-1]), np.linspace(-inner, inner, 5)[1:-1]])
    ticks = np.concatenate([ticks, inner + bend])
    count = len(ticks)
    grid = np.stack(np.meshgrid(ticks, ticks, indexing="ij"), axis=-1).reshape(-1, 2)
    vertices: list[np.ndarray] = []
    faces: list[np.ndarray] = []
    here = np.arange(count * count).reshape(count, count)
    corners = (here[:-1, :-1], here[1:, :-1], here[1:, 1:], here[:-1, 1:])
    a, b, c, d = (corner.ravel() for corner in corners)
    for axis in range(3):
        for side in (-1, 1):
            face = np.empty((len(grid), 3))
            face[:, axis] = side * CUBE_HALF
            # In the axes' cyclic order, so that the side alone decides the triangles' orientation.
            face[:, (axis + 1) % 3], face[:, (axis + 2) % 3] = grid[:, 0], side * grid[:, 1]
            start = len(vertices) * len(grid)
            vertices.append(face)
            faces += [np.stack([a, b, c], axis=1) + start, np.stack([a, c, d], axis=1) + start]
    surface = np.concatenate(vertices)
    core = np.clip(surface, -inner, inner)
    normals = (surface - core) / np.linalg.norm(surface - core, axis=1, keepdims=True)
    rounded = core + CUBE_BEVEL * normals
    return Mesh(rounded, normals, _with_area(rounded, np.concatenate(faces)))
