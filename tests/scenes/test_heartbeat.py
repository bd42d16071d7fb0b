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
from scenes.build import build
from scenes.command_line import CommandError
from scenes.config import ObjectsRoomConfig
from scenes.file import parts_folder
from scenes.heartbeat import BEAT, Pulse, Watch
from scenes.remake import remake
from scenes.sources import OpenSource

ROOMS = ObjectsRoomConfig(size=32)
N = 2100
HANG_S = 6.0  # longer than a worker takes to start OpenGL on a machine that does much else
BUILD = textwrap.dedent(
    """
    import sys
    from pathlib import Path
    from scenes.build import build
    from scenes.command_line import run_command
    from scenes.config import ObjectsRoomConfig

    out, workers, hang_s = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    config = ObjectsRoomConfig(size=32)
    sys.exit(run_command("scenes", lambda: build(
        config, 0, int(sys.argv[4]), out, workers=workers, hang_s=hang_s)))
    """
)


def start(out: Path, workers: int) -> subprocess.Popen[str]:
    """Starts a build in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", BUILD, str(out), str(workers), str(HANG_S), str(N)],
        stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


def drawing(pid: int) -> list[psutil.Process]:
    """Returns the workers of a process that have started OpenGL."""
    found = []
    for child in psutil.Process(pid).children():
        with contextlib.suppress(psutil.Error):  # it has ended meanwhile
            if any("OSMesa" in mapping.path for mapping in child.memory_maps()):
                found.append(child)
    return found


def await_workers(
    process: subprocess.Popen[str], count: int, but: tuple[int, ...] = ()
) -> list[psutil.Process]:
    """Waits until so many workers draw, not counting some."""
    while process.poll() is None:
        workers = [worker for worker in drawing(process.pid) if worker.pid not in but]
        if len(workers) >= count:
            return workers
        time.sleep(0.02)
    raise AssertionError(process.communicate()[1])


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns the file that every build here must make."""
    path = tmp_path_factory.mktemp("undisturbed") / "rooms.h5"
    build(ROOMS, 0, N, path, workers=2)
    return path


def test_the_part_of_a_worker_that_hangs_is_made_again(tmp_path: Path, undisturbed: Path) -> None:
    out = tmp_path / "rooms.h5"
    process = start(out, workers=2)
    stopped = await_workers(process, 2)[0]
    stopped.send_signal(signal.SIGSTOP)
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    (line,) = errors.splitlines()
    made_again = r"scenes: a worker hung and was ended; rows \d+ to \d+ are made again"
    assert re.fullmatch(made_again, line)
    assert not stopped.is_running()
    assert out.read_bytes() == undisturbed.read_bytes()


def test_the_second_worker_that_hangs_at_one_part_ends_the_build(tmp_path: Path) -> None:
    out = tmp_path / "rooms.h5"
    process = start(out, workers=1)
    (first,) = await_workers(process, 1)
    first.send_signal(signal.SIGSTOP)
    (second,) = await_workers(process, 1, but=(first.pid,))
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


def test_a_job_that_was_stopped_and_continued_loses_no_worker(
    tmp_path: Path, undisturbed: Path
) -> None:
    out = tmp_path / "rooms.h5"
    process = start(out, workers=2)
    workers = await_workers(process, 2)
    os.killpg(process.pid, signal.SIGSTOP)
    time.sleep(1.5 * HANG_S)
    os.killpg(process.pid, signal.SIGCONT)
    assert all(worker.is_running() for worker in workers)
    _, errors = process.communicate()
    assert (process.returncode, errors) == (0, "")
    assert out.read_bytes() == undisturbed.read_bytes()


def test_scenes_made_again_by_a_process_that_hangs_end_in_one_line() -> None:
    def stop() -> None:
        while not (workers := drawing(os.getpid())):
            time.sleep(0.02)
        workers[0].send_signal(signal.SIGSTOP)

    stopper = threading.Thread(target=stop)
    stopper.start()
    said = "the process that made scenes again hung: nothing in 6 s; try MUJOCO_GL=osmesa"
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
    for _ in range(120):  # two times as long as it may be silent
        assert watch.wait([driver]) == ([], [])
    pulse()
    ready, hanging = watch.wait([driver])
    assert (ready, hanging) == ([driver], [])
    assert driver.recv() == BEAT
    while not hanging:
        ready, hanging = watch.wait([driver])
        assert ready == []
    assert hanging == [driver]
    pulse()
    assert watch.wait([driver]) == ([driver], [])


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
