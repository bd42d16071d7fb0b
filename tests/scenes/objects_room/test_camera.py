"""The camera: where it stands, what it has in view."""

import numpy as np
import pytest
from scenes.objects_room.arena import ROOM_HALF_M, WALL_HEIGHT_M, WALLS
from scenes.objects_room.camera import CAMERA_HEIGHT_M, FOV_DEG, RING_RADIUS_M, Camera, View
from scenes.objects_room.sampling import PITCH_DEG, Draws, sample_cameras, sample_pitch


def random_cameras(count: int) -> list[Camera]:
    """Returns cameras as scenes have them."""
    draws = Draws(np.random.default_rng(0))
    return [sample_cameras(draws, sample_pitch(draws), 1)[0] for _ in range(count)]


def test_it_stands_on_the_ring_and_faces_the_centre():
    for camera in random_cameras(100):
        x, y, z = camera.position_m
        assert np.hypot(x, y) == pytest.approx(RING_RADIUS_M)
        assert z == CAMERA_HEIGHT_M
        rotation = camera.rotation
        np.testing.assert_allclose(rotation.T @ rotation, np.eye(3), atol=1e-12)
        assert np.linalg.det(rotation) == pytest.approx(1)
        right, up, backward = rotation.T
        assert right[2] == 0
        assert up[2] > 0
        level = -backward[:2] / np.hypot(*backward[:2])
        np.testing.assert_allclose(level, [-x / RING_RADIUS_M, -y / RING_RADIUS_M], atol=1e-12)
        assert np.rad2deg(np.arcsin(-backward[2])) == pytest.approx(camera.pitch_deg)
        yaw = (np.cos(camera.yaw_rad), np.sin(camera.yaw_rad))
        np.testing.assert_allclose(yaw, level, atol=1e-12)
        assert -np.pi <= camera.yaw_rad < np.pi


def clip(polygon: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """Returns the part of a polygon (P, 3) on the side of the origin's plane the normal is on."""
    sides = polygon @ normal
    kept = []
    for i in range(len(polygon)):
        j = (i + 1) % len(polygon)
        if sides[i] > 0:
            kept.append(polygon[i])
        if (sides[i] > 0) != (sides[j] > 0):
            share = sides[i] / (sides[i] - sides[j])
            kept.append(polygon[i] + share * (polygon[j] - polygon[i]))
    return np.array(kept).reshape(-1, 3)


def walls_in_view(camera: Camera) -> int:
    """Counts the walls that reach into the view: the room is convex, so none hides another."""
    slope = np.tan(np.deg2rad(FOV_DEG / 2))
    sides = np.array([(1, 0, -slope), (-1, 0, -slope), (0, 1, -slope), (0, -1, -slope)])
    count = 0
    for angle in WALLS.values():
        outward = np.array([np.cos(angle), np.sin(angle), 0])
        along = np.array([-np.sin(angle), np.cos(angle), 0])
        corners = np.array(
            [
                ROOM_HALF_M * outward + s * ROOM_HALF_M * along + np.array([0, 0, z])
                for s, z in ((-1, 0), (1, 0), (1, WALL_HEIGHT_M), (-1, WALL_HEIGHT_M))
            ]
        )
        polygon = (corners - camera.position_m) @ camera.rotation
        for side in sides:
            polygon = clip(polygon, side)
        count += len(polygon) > 2
    return count


def test_ten_thousand_cameras_never_see_more_than_two_walls():
    counts = [walls_in_view(camera) for camera in random_cameras(10_000)]
    assert set(counts) <= {0, 1, 2}
    assert counts.count(1) > 500
    assert counts.count(2) > 5000


def test_the_extreme_cameras_never_see_more_than_two_walls():
    for angle in np.linspace(0, np.pi / 4, 181):
        for pitch in (*PITCH_DEG, 0.0):
            assert walls_in_view(Camera(float(angle), pitch)) <= 2


def test_a_sphere_that_reaches_into_the_view_is_never_missed():
    rng = np.random.default_rng(1)
    slope = np.tan(np.deg2rad(FOV_DEG / 2))
    reached = missed = 0
    for camera in random_cameras(400):
        view = View(camera)
        centre = rng.uniform((-2, -2, 0), (2, 2, 1))
        radius = float(rng.uniform(0.1, 0.7))
        offsets = rng.normal(size=(500, 3))
        points = centre + radius * offsets / np.linalg.norm(offsets, axis=1, keepdims=True)
        right, up, backward = camera.rotation.T @ (points - camera.position_m).T
        inside = (-backward > 0) & (np.maximum(abs(right), abs(up)) < -slope * backward)
        if inside.any():
            assert view.reaches(*centre.tolist(), radius)
            reached += 1
        else:
            missed += not view.reaches(*centre.tolist(), radius)
    assert reached > 100
    assert missed > 50, "the test of spheres rejects hardly anything"
