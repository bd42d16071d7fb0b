"""The shapes: closed surfaces, standing on the floor, inside the room they are said to take."""

from collections import Counter

import numpy as np
import pytest
from scenes.objects_room.kinds import SHAPES
from scenes.objects_room.shapes import (
    CAPSULE_RADIUS,
    MESHES,
    PRIMITIVES,
    bounding_radius,
    centre_height,
    footprint_radius,
    mesh,
    primitive_size,
)


def surface(shape: str) -> np.ndarray:
    """Returns points of the surface of an object of half-size 1, extremes included."""
    if shape in MESHES:
        return mesh(shape)[0]
    size = primitive_size(shape, 1.0)
    around = np.linspace(0, 2 * np.pi, 360, endpoint=False)
    circle = np.stack([np.cos(around), np.sin(around), 0 * around], axis=1)
    if shape == "box":
        signs = np.array(np.meshgrid([-1, 1], [-1, 1], [-1, 1])).reshape(3, 8).T
        return signs * size
    if shape == "cylinder":
        return np.concatenate([size[0] * circle + (0, 0, z) for z in (-size[1], size[1])])
    tilt = np.linspace(-np.pi / 2, np.pi / 2, 91)[:, None, None]
    ball = size[0] * (np.cos(tilt) * circle + np.sin(tilt) * np.array([0, 0, 1]))
    shift = size[1] * np.sign(tilt) * np.array([0, 0, 1]) if shape == "capsule" else 0
    return (ball + shift).reshape(-1, 3)


@pytest.mark.parametrize("shape", MESHES)
def test_meshes_are_closed_and_face_outwards(shape):
    vertices, faces = mesh(shape)
    edges = Counter((face[i], face[(i + 1) % 3]) for face in faces.tolist() for i in range(3))
    assert set(edges.values()) == {1}
    assert all((b, a) in edges for a, b in edges), "an edge has a triangle on one side only"
    a, b, c = vertices[faces].transpose(1, 0, 2)
    volume = (a * np.cross(b, c)).sum() / 6
    holes = 1 - (len(vertices) - len(edges) / 2 + len(faces)) / 2
    assert holes == (1 if shape == "triangle" else 0)
    expected = {"icosahedron": 2.536, "triangle": 2 * 0.14 * 0.75 * 3 * 3**0.5 / 4}
    assert volume == pytest.approx(expected[shape], rel=1e-3)


def test_the_icosahedron_has_twelve_equal_corners_and_twenty_equal_faces():
    vertices, faces = mesh("icosahedron")
    assert vertices.shape == (12, 3)
    assert faces.shape == (20, 3)
    np.testing.assert_allclose(np.linalg.norm(vertices, axis=1), 1)
    sides = np.linalg.norm(np.diff(vertices[faces], axis=1), axis=2)
    np.testing.assert_allclose(sides, sides[0, 0])


@pytest.mark.parametrize("shape", SHAPES)
def test_objects_stand_on_the_floor_within_the_room_they_take(shape):
    for half_size in (0.25, 0.5):
        points = half_size * surface(shape)
        assert points[:, 2].min() == pytest.approx(-centre_height(shape, half_size))
        across = np.hypot(points[:, 0], points[:, 1]).max()
        assert across <= footprint_radius(shape, half_size) + 1e-9
        reach = np.linalg.norm(points, axis=1).max()
        assert reach == pytest.approx(bounding_radius(shape, half_size), rel=1e-3)
        assert reach <= bounding_radius(shape, half_size) + 1e-9
        # Nothing is larger than its size says, but for the diagonals of a box and a cylinder.
        assert np.ptp(points, axis=0).max() <= 2 * half_size + 1e-9


def test_footprints_are_tight():
    assert footprint_radius("capsule", 1.0) == CAPSULE_RADIUS
    for shape in ("box", "cylinder", "triangle"):
        across = np.hypot(*surface(shape)[:, :2].T).max()
        assert footprint_radius(shape, 1.0) == pytest.approx(across)


def test_a_shape_of_the_other_family_is_refused_by_name():
    with pytest.raises(ValueError, match="'box' is no mesh; there are icosahedron, triangle"):
        mesh("box")
    with pytest.raises(ValueError, match=f"'triangle' is no primitive; .* {PRIMITIVES[-1]}"):
        primitive_size("triangle", 1.0)
