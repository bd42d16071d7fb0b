"""Workers that hang: ended, their part made again; a stopped driver blames nobody."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
from multiprocessing import Pipe
from pathlib import Path

import psutil
import pytest
from scenes.command_line import CommandError
from scenes.driver import build
from scenes.file.schema import parts_folder
from scenes.objects_room.config import ObjectsRoomConfig
from scenes.parts.heartbeat import BEAT, OPENING, TICKS, Pulse, Watch
from scenes.remake import remake
from scenes.source_list import OpenSource

ROOMS = ObjectsRoomConfig(size=32)
N = 2100
HANG_S = 5.0  # longer than a block of rooms takes on a machine that does much else
BUILD = textwrap.dedent(
    """
    import sys
    from pathlib import Path
    from scenes.driver import build
    from scenes.command_line import run_command
    from scenes.objects_room.config import ObjectsRoomConfig

    out, workers, hang_s = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    config = ObjectsRoomConfig(size=32)
    sys.exit(run_command("scenes", lambda _: build(
        config, n=int(sys.argv[4]), seed=0, out=out, workers=workers, hang_s=hang_s)))
    """
)


def start(out: Path, workers: int) -> subprocess.Popen[str]:
    """Starts a build in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", BUILD, str(out), str(workers), str(HANG_S), str(N)],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def drawing(pid: int) -> list[psutil.Process]:
    """Returns the workers of a process that have started OpenGL."""
    found = []
    for child in psutil.Process(pid).children():
        with contextlib.suppress(psutil.Error):  # it has ended meanwhile
            if any("OSMesa" in mapping.path for mapping in child.memory_maps()):
                found.append(child)
    return found


def await_file(process: subprocess.Popen[str], folder: Path, pattern: str, after_ns: int) -> int:
    """Waits until a file is written in a folder of parts; returns when it was."""
    while process.poll() is None:
        times = [path.stat().st_mtime_ns for path in folder.glob(pattern)]
        if max(times, default=0) > after_ns:
            return max(times)
        time.sleep(0.02)
    raise AssertionError(process.communicate()[1])


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns the file that every build here must make."""
    path = tmp_path_factory.mktemp("undisturbed") / "rooms.h5"
    build(ROOMS, n=N, seed=0, out=path, workers=2)
    return path


@pytest.mark.slow
def test_the_part_of_a_worker_that_hangs_is_made_again(tmp_path: Path, undisturbed: Path) -> None:
    out = tmp_path / "rooms.h5"
    process = start(out, workers=2)
    await_file(process, parts_folder(out), "*.h5", 0)
    stopped = drawing(process.pid)[0]
    stopped.send_signal(signal.SIGSTOP)
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    (line,) = errors.splitlines()
    made_again = r"scenes: a worker hung and was ended; rows \d+ to \d+ are made again"
    assert re.fullmatch(made_again, line)
    assert not stopped.is_running()
    assert out.read_bytes() == undisturbed.read_bytes()


@pytest.mark.slow
def test_the_second_worker_that_hangs_at_one_part_ends_the_build(tmp_path: Path) -> None:
    out = tmp_path / "rooms.h5"
    process = start(out, workers=1)
    # Written by each worker that has started OpenGL.
    first_ns = await_file(process, parts_folder(out), "renderer-*.json", 0)
    (first,) = drawing(process.pid)
    first.send_signal(signal.SIGSTOP)
    await_file(process, parts_folder(out), "renderer-*.json", first_ns)
    (second,) = drawing(process.pid)
    second.send_signal(signal.SIGSTOP)
    _, errors = process.communicate()
    assert process.returncode == 1
    again, end = errors.splitlines()
    assert again == "scenes: a worker hung and was ended; rows 0 to 511 are made again"
    assert end == (
        "scenes: two workers hung, one after the other, making rows 0 to 511; try fewer "
        "--workers, or MUJOCO_GL=osmesa, which draws on the CPU: EGL can hang in several "
        "processes at once (google-deepmind/mujoco issue 3444)"
    )
    assert not first.is_running()
    assert not second.is_running()
    assert not out.exists()
    assert not list(parts_folder(out).glob("*.tmp"))


@pytest.mark.slow
def test_a_job_that_was_stopped_and_continued_loses_no_worker(
    tmp_path: Path, undisturbed: Path
) -> None:
    out = tmp_path / "rooms.h5"
    process = start(out, workers=2)
    await_file(process, parts_folder(out), "*.h5", 0)
    workers = drawing(process.pid)
    os.killpg(process.pid, signal.SIGSTOP)
    time.sleep(1.5 * HANG_S)
    os.killpg(process.pid, signal.SIGCONT)
    assert all(worker.is_running() for worker in workers)
    _, errors = process.communicate()
    assert (process.returncode, errors) == (0, "")
    assert out.read_bytes() == undisturbed.read_bytes()


@pytest.mark.slow
def test_scenes_made_again_by_a_process_that_hangs_end_in_one_line() -> None:
    def stop() -> None:  # once it draws, which it needs less processor time to begin with
        while not (workers := drawing(os.getpid())) or workers[0].cpu_times().user < 3:
            time.sleep(0.02)
        workers[0].send_signal(signal.SIGSTOP)

    stopper = threading.Thread(target=stop)
    stopper.start()
    said = "the process that made scenes again hung; try MUJOCO_GL=osmesa"
    with pytest.raises(CommandError, match=re.escape(said)):
        remake(OpenSource(ROOMS, 0), list(range(20_000)), hang_s=HANG_S)
    stopper.join()
    assert drawing(os.getpid()) == []


def test_scenes_made_again_by_a_process_that_dies_end_in_one_line() -> None:
    def kill() -> None:
        while not (workers := drawing(os.getpid())):
            time.sleep(0.02)
        workers[0].kill()

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(CommandError, match="the process that made scenes again died"):
        remake(OpenSource(ROOMS, 0), list(range(20_000)))
    killer.join()


def test_a_worker_is_watched_from_its_first_beat_and_each_beat_begins_anew() -> None:
    driver, worker = Pipe()
    watch, pulse = Watch(hang_s=0.3), Pulse(worker, hang_s=0.3)

    def silent_ticks() -> int:
        """Returns after how many ticks a worker counts as hung."""
        ticks = 1
        while watch.wait([driver]) == ([], []):
            ticks += 1
        return ticks

    for _ in range(2 * TICKS):  # two times as long as it may be silent
        assert watch.wait([driver]) == ([], [])
    for times in (OPENING, 1, 1):
        pulse()
        assert watch.wait([driver]) == ([driver], [])
        assert driver.recv() == BEAT
        assert silent_ticks() >= times * TICKS
        assert watch.wait([driver]) == ([], [driver])


def test_beats_are_sent_once_a_tick() -> None:
    driver, worker = Pipe()
    pulse = Pulse(worker, hang_s=1e6)
    for _ in range(1000):
        pulse()
    assert driver.recv() == BEAT
    assert not driver.poll()


def test_a_worker_that_works_without_a_driver_goes_on() -> None:
    driver, worker = Pipe()
    driver.close()
    Pulse(worker)()
