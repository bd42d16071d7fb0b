"""Objects Room scenes a second: the bare renderer, our whole pipeline, and plain dm_control.

The limit is what MuJoCo needs for the same accepted scenes with the same settings: a segmentation
pass and a picture of each, both read back, in one process. Ours is everything from sampling to the
closed file, by one worker and by one for each core. The plain version authors a model with
dm_control for each scene, compiles it and renders it with MuJoCo's own `Renderer` at its default
quality. Rounds alternate, and the medians are compared: CPU time where one core is meant, as other
work on the machine hardly counts there, and wall time, on an idle machine, for all cores.
"""

import argparse
import os
import resource
import runpy
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from scenes.driver import build
from scenes.render.gl import choose_gl

choose_gl()

import mujoco  # noqa: E402  (after the choice of OpenGL)
import numpy as np  # noqa: E402
from scenes.objects_room.arena import FULL  # noqa: E402
from scenes.objects_room.config import ObjectsRoomConfig, condition_config  # noqa: E402
from scenes.objects_room.renderer import GEOM_TYPES  # noqa: E402
from scenes.objects_room.sampling import hsv_to_rgb  # noqa: E402
from scenes.objects_room.shapes import MESHES, primitive_size  # noqa: E402
from scenes.objects_room.source import BLOCK_ROWS, ObjectsRoomSource, Room  # noqa: E402
from scenes.parts.plan import MAX_PART_ROWS, plan  # noqa: E402
from scenes.render import offscreen  # noqa: E402

WARM_UP, PLAIN_SCENES = 32, 12
CORES = os.cpu_count() or 1
author_room = runpy.run_path(str(Path(__file__).parent.parent / "author"))["room"]
CONDITIONS = (
    "train",
    "test",
    "empty_room",
    "six_objects",
    "identical_color",
    "four_identical",
    *(f"objects_{count}" for count in range(1, 10)),
)


def limit(source: ObjectsRoomSource, count: int) -> float:
    """Returns the CPU seconds that `mjr_render` and reading its pixels take per scene.

    The scenes are prepared before, and all passes of one kind follow each other, as in our
    pipeline: between other work the same passes take 4% longer.
    """
    spent = 0.0
    render, read = mujoco.mjr_render, mujoco.mjr_readPixels

    def timed(call):
        def run(*arguments):
            nonlocal spent
            start = time.process_time()
            call(*arguments)
            spent += time.process_time() - start

        return run

    for start in range(0, count, BLOCK_ROWS):
        rooms = [source.sample(i) for i in range(start, min(start + BLOCK_ROWS, count))]
        frames = range(len(rooms))
        for frame, room in enumerate(rooms):
            source.renderer.arrange(room.things, room.places)
            source.renderer.look(room.cameras[0])
            source.renderer.take(frame)
            source.renderer.paint(frame, room.things, room.wall, room.floor)
        mujoco.mjr_render, mujoco.mjr_readPixels = timed(render), timed(read)
        source.renderer.segmentations(frames)
        source.renderer.images(frames)
        mujoco.mjr_render, mujoco.mjr_readPixels = render, read
    return spent / count


def ours(config: ObjectsRoomConfig, parts: int, workers: int) -> tuple[float, float]:
    """Returns the CPU seconds and the wall seconds of our pipeline per scene.

    Two builds are subtracted, so that the start of the processes does not count: in the first each
    worker makes one part, in the second `parts` more. The CPU time is that of the workers and of
    this process, which joins the parts.
    """
    spent, rows = [], plan(config.size, 0, MAX_PART_ROWS)[0].rows * workers
    for n in (rows, rows * (1 + parts)):
        with tempfile.TemporaryDirectory() as folder:
            cpu, wall = _cpu_seconds(), time.perf_counter()
            build(config, n=n, seed=0, out=Path(folder) / "rooms.h5", workers=workers)
            spent.append((_cpu_seconds() - cpu, time.perf_counter() - wall))
    cpu, wall = ((more - less) / (rows * parts) for less, more in zip(*spent, strict=True))
    return cpu, wall


def _cpu_seconds() -> float:
    uses = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(use.ru_utime + use.ru_stime for use in uses)


def plain(source: ObjectsRoomSource, count: int) -> float:
    """Returns the CPU seconds a scene of dm_control's own way: author, compile, render."""
    rooms = [source.sample(index) for index in range(count)]
    start = time.process_time()
    for room in rooms:
        _render_plainly(room, source.config.size)
    return (time.process_time() - start) / count


def _render_plainly(room: Room, size: int) -> None:
    root = author_room(len(room.things), size, FULL)
    camera = root.find("camera", "ring")
    camera.pos, camera.xyaxes = room.cameras[0].position_m, sum(room.cameras[0].axes[:2], ())
    for geom in root.find_all("geom"):
        color = room.floor if geom.name == "floor" else room.wall
        geom.rgba = (*hsv_to_rgb(color), 1.0)
    for i, (thing, place) in enumerate(zip(room.things, room.places, strict=True)):
        geom, body = root.find("geom", f"object_{i}"), root.find("body", f"object_{i}")
        body.pos, body.axisangle = place.position_m, (0, 0, 1, place.rotation_rad)
        geom.rgba = (*hsv_to_rgb(thing.color_hsv), 1.0)
        if thing.shape in MESHES:
            mesh = root.find("mesh", thing.shape)
            mesh.scale = (thing.size_m / 2,) * 3
            geom.type, geom.mesh, geom.size = "mesh", mesh, None
        else:
            geom.type = GEOM_TYPES[thing.shape].name.removeprefix("mjGEOM_").lower()
            geom.size = primitive_size(thing.shape, thing.size_m / 2)
    model = mujoco.MjModel.from_xml_string(root.to_xml_string(), root.get_assets())
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    with mujoco.Renderer(model, size, size) as renderer:
        renderer.update_scene(data, camera="ring")
        renderer.render()
        renderer.enable_segmentation_rendering()
        renderer.render()


def rejected(source: ObjectsRoomSource, count: int, rate: float) -> str:
    """Returns how many segmentation passes rejected a scene, and their share of our time."""
    source.segmented = 0
    for index in range(count):
        source.sample(index)
    wasted = source.segmented - count
    start = time.process_time()
    for _ in range(count):
        source.renderer.segmentations([0])
    pass_s = (time.process_time() - start) / count
    share = wasted / count * pass_s * rate
    return (
        f"segmentation passes of rejected scenes: {wasted / count:.3f} a scene, {share:.2%} of ours"
    )


@contextmanager
def believed(source: ObjectsRoomSource, *, own_buffer: bool) -> Iterator[None]:
    """Makes the renderer take the first byte of MuJoCo's own codes, without any proof of it."""
    screen = source.renderer._screen
    before = screen._crisp, screen.take, offscreen.read
    if not own_buffer:
        screen._crisp = screen._smooth

    def take(scene):
        mujoco.mjv_updateScene(
            screen.model,
            screen.data,
            screen._option,
            None,
            screen._view,
            mujoco.mjtCatBit.mjCAT_ALL,
            scene,
        )

    screen.take = take
    offscreen.read = lambda pixels, _: (pixels[..., 0], np.True_)
    try:
        yield
    finally:
        screen._crisp, screen.take, offscreen.read = before


def codes(source: ObjectsRoomSource, count: int) -> dict[str, float]:
    """Returns the CPU seconds per scene of three ways to draw its entities' codes."""
    seconds = {}
    for name, way in (
        ("in the pictures' buffer, believed", believed(source, own_buffer=False)),
        ("in their own, believed", believed(source, own_buffer=True)),
        ("in their own, proved", nullcontext()),
    ):
        with way:
            spent = 0.0
            for start in range(0, count, BLOCK_ROWS):
                rooms = [source.sample(i) for i in range(start, min(start + BLOCK_ROWS, count))]
                begin = time.process_time()
                for frame, room in enumerate(rooms):
                    source.renderer.arrange(room.things, room.places)
                    source.renderer.look(room.cameras[0])
                    source.renderer.take(frame)
                source.renderer.segmentations(range(len(rooms)))
                spent += time.process_time() - begin
            seconds[name] = spent / count
    return seconds


def second_context(source: ObjectsRoomSource) -> float:
    """Returns the CPU seconds that each worker needs once for the buffer of the codes."""
    screen = source.renderer._screen
    screen._gl.make_current()
    start = time.process_time()
    with offscreen._one_sample_a_pixel(screen.model):
        mujoco.MjrContext(screen.model, mujoco.mjtFontScale.mjFONTSCALE_100).free()
    return time.process_time() - start


def compare_codes(source: ObjectsRoomSource, count: int, rounds: int, scene_s: float) -> None:
    """Prints how much the codes' own buffer and their proof cost, as shares of a whole scene."""
    measured = [codes(source, count) for _ in range(rounds)]
    medians = {name: statistics.median(each[name] for each in measured) for name in measured[0]}
    naive, own, proved = medians.values()
    for name, spent in medians.items():
        every = ", ".join(f"{1e3 * each[name]:.3f}" for each in measured)
        print(f"codes {name}: {1e3 * spent:.3f} ms a scene (rounds: {every})")
    print(
        f"codes, ours / limit {naive / proved:.2f} by rate; of a scene of ours, the buffer costs "
        f"{(own - naive) / scene_s:+.2%} and the proof {(proved - own) / scene_s:+.2%}; "
        f"{1e3 * second_context(source):.1f} ms a worker to make the buffer"
    )


def attempts(condition: str, size: int, count: int) -> str:
    """Returns how often scenes of a condition are proposed, and their rate without a file."""
    source = ObjectsRoomSource(condition_config(condition, size), 0)
    source.rows(range(count, count + WARM_UP))
    source.attempts = source.segmented = 0
    start = time.process_time()
    source.rows(range(count))
    rate = count / (time.process_time() - start)
    return (
        f"{condition:>16}: {source.attempts / count:6.2f} proposed, "
        f"{source.segmented / count:6.2f} segmented a scene; {rate:6.1f} scenes/s of CPU time"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=1024, help="scenes for the limit")
    parser.add_argument("--parts", type=int, default=4, help="parts that each worker makes")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--splits", action="store_true", help="attempts of every split instead")
    chosen = parser.parse_args()
    if chosen.splits:
        for condition in CONDITIONS:
            print(attempts(condition, chosen.size, chosen.n), flush=True)
        return
    config = condition_config("train", chosen.size)
    source = ObjectsRoomSource(config, 0)
    limit(source, WARM_UP)
    seconds: dict[str, list[float]] = {}
    for _ in range(chosen.rounds):
        one, all_cores = (ours(config, chosen.parts, n) for n in (1, CORES))
        for name, measured in (
            ("limit, CPU", limit(source, chosen.n)),
            ("1 worker, CPU", one[0]),
            ("plain, CPU", plain(source, PLAIN_SCENES)),
            ("1 worker, wall", one[1]),
            (f"{CORES} workers, CPU", all_cores[0]),
            (f"{CORES} workers, wall", all_cores[1]),
        ):
            seconds.setdefault(name, []).append(measured)
    rates = {name: 1 / statistics.median(values) for name, values in seconds.items()}
    for name, rate in rates.items():
        rounds = ", ".join(f"{1 / spent:.1f}" for spent in seconds[name])
        print(f"{name:>16}: {rate:8.1f} scenes/s (rounds: {rounds})")
    core, every = rates["1 worker, CPU"], rates[f"{CORES} workers, wall"]
    print(
        f"ours / limit {core / rates['limit, CPU']:.2f}; "
        f"ours / plain {core / rates['plain, CPU']:.1f}; "
        f"{CORES} workers / 1 worker {every / rates['1 worker, wall']:.2f} by wall time, "
        f"{CORES * rates[f'{CORES} workers, CPU'] / core:.2f} by CPU time"
    )
    print(f"a million scenes by {CORES} workers: {1e6 / every / 60:.0f} minutes")
    print(rejected(source, chosen.n, core))
    compare_codes(source, chosen.n, chosen.rounds, 1 / core)
    most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"most memory of a worker: {most:.0f} MiB")


if __name__ == "__main__":
    main()
