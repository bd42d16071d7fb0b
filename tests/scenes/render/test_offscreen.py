"""The two buffers: pictures of several samples a pixel, codes and depths of one."""

import numpy as np
import pytest
from scenes.objects_room.camera import Camera
from scenes.objects_room.renderer import FIRST_GEOM, Renderer
from scenes.objects_room.sampling import Place, Thing
from scenes.objects_room.shapes import centre_height

SIZE = 64


@pytest.fixture(scope="module")
def renderer():
    return Renderer(4, SIZE)


def arrange(renderer, *shapes):
    things = [Thing(shape, 0.8, (i / 4, 1.0, 1.0)) for i, shape in enumerate(shapes)]
    places = [Place((i - 1.5, 0.0, centre_height(s, 0.4)), 0.3) for i, s in enumerate(shapes)]
    renderer.arrange(things, places)
    renderer.look(Camera(1.2, -5.0))
    renderer.take(0)
    renderer.paint(0, things, (0.1, 1.0, 1.0), (0.5, 1.0, 1.0))


def test_codes_and_depths_have_a_buffer_of_one_sample_a_pixel(renderer):
    assert renderer._screen._smooth.offSamples == 4
    assert renderer._screen._crisp.offSamples == 0
    # What the model says of pictures is as it was.
    assert renderer.model.vis.quality.offsamples == 4
    assert renderer.model.vis.quality.shadowsize == renderer._screen._smooth.shadowSize > 0


def test_a_geom_keeps_its_code_when_others_are_invisible(renderer):
    arrange(renderer, "box", "cylinder", "capsule", "sphere")
    screen = renderer._screen
    with screen.alone(FIRST_GEOM + 2):
        screen.take(renderer._aside)
    seen = screen.geoms([renderer._aside], SIZE, SIZE)
    assert set(np.unique(seen)) == {0, 1 + FIRST_GEOM + 2}


def test_pictures_and_codes_drawn_in_turn_do_not_disturb_each_other(renderer):
    arrange(renderer, "box", "icosahedron", "capsule", "sphere")
    picture, (entities, _) = renderer.images([0]), renderer.segmentations([0])
    depth = renderer.depths([0])
    for _ in range(2):
        np.testing.assert_array_equal(renderer.segmentations([0])[0], entities)
        np.testing.assert_array_equal(renderer.images([0]), picture)
        np.testing.assert_array_equal(renderer.depths([0]), depth)
    assert len(np.unique(entities)) >= 6
    assert np.isfinite(depth[entities > 0]).all()
