"""The six shapes: their geometry in units of half their size, and the space that they take."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
from jaxtyping import Float, Int

PRIMITIVES = ("box", "sphere", "cylinder", "capsule")
MESHES = ("icosahedron", "triangle")

BOX_HALF = 0.8
CYLINDER_RADIUS = 0.75
CAPSULE_RADIUS = 0.5
RING_INNER = 0.5
RING_DEPTH = 0.14

_GOLDEN = (1 + 5**0.5) / 2


def primitive_size(shape: str, half_size: float) -> tuple[float, float, float]:
    """Returns MuJoCo's three size numbers of a primitive, in metres.

    Args:
        shape: one of `PRIMITIVES`.
        half_size: half the object's size, in metres.
    """
    h = half_size
    match shape:
        case "box":
            return (BOX_HALF * h, BOX_HALF * h, BOX_HALF * h)
        case "sphere":
            return (h, h, h)
        case "cylinder":
            return (CYLINDER_RADIUS * h, h, 0.0)
        case "capsule":
            return (CAPSULE_RADIUS * h, (1 - CAPSULE_RADIUS) * h, 0.0)
    raise ValueError(f"{shape!r} is no primitive; there are {', '.join(PRIMITIVES)}")


def centre_height(shape: str, half_size: float) -> float:
    """Returns the height of the object's origin when it stands on the floor, in metres."""
    return _CENTRE_HEIGHT.get(shape, 1.0) * half_size


def footprint_radius(shape: str, half_size: float) -> float:
    """Returns the radius of the smallest upright cylinder around the object, in metres."""
    return _FOOTPRINT_RADIUS.get(shape, 1.0) * half_size


def bounding_radius(shape: str, half_size: float) -> float:
    """Returns the radius of the smallest sphere around the object's origin, in metres."""
    return _BOUNDING_RADIUS.get(shape, 1.0) * half_size


def mesh(shape: str) -> tuple[Float[np.ndarray, "V 3"], Int[np.ndarray, "T 3"]]:
    """Returns vertices and triangles of a mesh shape of half-size 1, around the origin."""
    if shape == "icosahedron":
        return _icosahedron()
    if shape == "triangle":
        return _triangular_ring()
    raise ValueError(f"{shape!r} is no mesh; there are {', '.join(MESHES)}")


def _icosahedron() -> tuple[np.ndarray, np.ndarray]:
    """Returns an icosahedron of circumradius 1, lying on a face."""
    signs = list(product((-1.0, 1.0), repeat=2))
    vertices = np.array(
        [(0, a, b * _GOLDEN) for a, b in signs]
        + [(a, b * _GOLDEN, 0) for a, b in signs]
        + [(b * _GOLDEN, 0, a) for a, b in signs]
    ) / np.hypot(1, _GOLDEN)
    edge = 2 / np.hypot(1, _GOLDEN)
    near = np.abs(np.linalg.norm(vertices[:, None] - vertices, axis=2) - edge) < 1e-6
    faces = np.array(
        [f for f in combinations(range(12), 3) if all(near[a, b] for a, b in combinations(f, 2))]
    )
    corners = vertices[faces]  # (20, 3 corners, 3)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    inwards = (normals * corners.sum(axis=1)).sum(axis=1) < 0
    faces[inwards] = faces[inwards, ::-1]
    return vertices @ _turn_down(corners[0].sum(axis=0)).T, faces


def _turn_down(direction: np.ndarray) -> np.ndarray:
    """Returns a rotation matrix that turns `direction` to point down."""
    up = -direction / np.linalg.norm(direction)
    side = np.cross(up, np.eye(3)[np.argmin(np.abs(up))])
    side /= np.linalg.norm(side)
    return np.stack([side, np.cross(up, side), up])


def _triangular_ring() -> tuple[np.ndarray, np.ndarray]:
    """Returns an upright triangular ring with outer circumradius 1 and its base on z = -0.5."""
    angles = np.deg2rad([90, 210, 330])
    vertices = np.array(
        [
            (radius * np.cos(angle), depth, radius * np.sin(angle))
            for radius in (1.0, RING_INNER)
            for depth in (-RING_DEPTH, RING_DEPTH)
            for angle in angles
        ]
    )
    front, back, inner_front, inner_back = 0, 3, 6, 9
    faces: list[tuple[int, int, int]] = []
    for i in range(3):
        j = (i + 1) % 3
        for a, b, c, d in (
            (front + i, front + j, inner_front + j, inner_front + i),
            (back + j, back + i, inner_back + i, inner_back + j),
            (front + j, front + i, back + i, back + j),
            (inner_front + i, inner_front + j, inner_back + j, inner_back + i),
        ):
            faces += [(a, b, c), (a, c, d)]
    return vertices, np.array(faces)


ICOSAHEDRON_INRADIUS = float(-_icosahedron()[0][:, 2].min())

# In units of half the size; 1 for shapes that are missing here.
_CENTRE_HEIGHT = {"box": BOX_HALF, "icosahedron": ICOSAHEDRON_INRADIUS, "triangle": 0.5}
_FOOTPRINT_RADIUS = {
    "box": BOX_HALF * 2**0.5,
    "cylinder": CYLINDER_RADIUS,
    "capsule": CAPSULE_RADIUS,
    "triangle": float(np.hypot(3**0.5 / 2, RING_DEPTH)),
}
_BOUNDING_RADIUS = {
    "box": BOX_HALF * 3**0.5,
    "cylinder": float(np.hypot(CYLINDER_RADIUS, 1)),
    "triangle": float(np.hypot(1, RING_DEPTH)),
}
