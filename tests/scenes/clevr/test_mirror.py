"""Metal shows what lies in the direction that it mirrors."""

import numpy as np
import pytest
from scenes.clevr.mirror import (
    SMOOTH,
    ball_directions,
    mirrored,
    surroundings,
    with_neighbours,
)
from scenes.clevr.stage import CAMERA_M, LAMPS


def mirror_ball(key=LAMPS["key"].position_m):
    """Returns what is around the stage, and the directions of its pixels."""
    directions = ball_directions(128, np.array(CAMERA_M))
    return surroundings(directions, np.array(CAMERA_M), np.array(key), SMOOTH), directions


@pytest.mark.parametrize("key", [LAMPS["key"].position_m, (5.5, -3.9, 5.2)])
def test_metal_mirrors_the_key_lamp_where_the_angles_are_equal(key):
    brightness, _ = mirror_ball(key)
    point, view = np.zeros((1, 3)), np.array(CAMERA_M)
    half = np.array(key) / np.linalg.norm(key) + view / np.linalg.norm(view)
    where = mirrored(point, half[None] / np.linalg.norm(half), view, point[0])[0]
    at = brightness[tuple((where[::-1] * 128).astype(int))]
    assert at > 1.2
    u, v = mirrored(point, np.array([[0.0, 0.0, 1.0]]), view, point[0])[0]
    assert brightness[int(v * 128), int(u * 128)] < 0.2 * at


def test_a_direction_above_the_horizon_is_looked_up_where_the_ball_shows_it():
    view = np.array(CAMERA_M)
    directions = ball_directions(128, view)
    toward = view / np.linalg.norm(view)
    places = np.argwhere(directions[..., 2] > 0.05)[::97]
    assert len(places) > 50
    for row, column in places:
        normal = directions[row, column] + toward
        normal /= np.linalg.norm(normal)
        u, v = mirrored(np.zeros((1, 3)), normal[None], view, np.zeros(3))[0]
        np.testing.assert_allclose((v * 128 - 0.5, u * 128 - 0.5), (row, column), atol=0.1)


def test_ground_is_looked_up_where_it_lies_from_the_objects_middle():
    view, middle = np.array(CAMERA_M), np.array([0.0, 0.0, 0.7])
    # A wall that faces the camera shows the ground before it: nearer, the lower the point is.
    normal = np.array([[view[0], view[1], 0.0]]) / np.hypot(view[0], view[1])
    looked_up = [
        mirrored(np.array([[0.0, 0.0, height]]), normal, view, middle)[0] for height in (0.2, 1.2)
    ]
    directions = ball_directions(128, view)
    up = [directions[int(v * 128), int(u * 128), 2] for u, v in looked_up]
    distances = [0.7 / np.tan(-np.arcsin(z)) for z in up]
    expected = [h * np.hypot(view[0], view[1]) / (view[2] - h) for h in (0.2, 1.2)]
    np.testing.assert_allclose(distances, expected, rtol=0.1)


def test_metal_mirrors_its_neighbour_in_the_neighbours_colour():
    brightness, directions = mirror_ball()
    toward = np.array([1.0, -0.5, 0.0])
    red = np.array([[1.0, 0.0, 0.0]])
    seen = with_neighbours(brightness, directions, toward[None], np.array([0.5]), red)
    cosine = directions @ toward / np.linalg.norm(toward)
    inside, outside = cosine > 0.95, cosine < 0.8
    assert (seen[inside][:, 1:] < 0.01).all()
    assert (seen[inside][:, 0] > 0.1).all()
    np.testing.assert_array_equal(seen[outside], np.repeat(brightness[outside][:, None], 3, 1))


def test_a_nearer_neighbour_hides_one_farther_away():
    brightness, directions = mirror_ball()
    places = np.array([[1.0, 0.0, 0.0], [3.0, 0.0, 0.0]])
    colors = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    for order in ([0, 1], [1, 0]):
        seen = with_neighbours(
            brightness, directions, places[order], np.array([0.5, 0.5]), colors[order]
        )
        middle = seen[directions[..., 0] > 0.99]
        assert (middle[:, 0] > 0.1).all()
        assert (middle[:, 1] < 0.01).all()
