"""Scenes a second of each export, beside the limit and the naive way; and memory by length.

The limit is PNG alone, of images and segmentations that are in memory, by one thread. The naive way
is what one writes first: Pillow's PNGs of one row of the file after the other, and `datasets` or
`tarfile` to write them. Rounds alternate, and medians are compared. `--memory` prints the peak of a
process that exports few and many scenes instead.
"""

import argparse
import io
import json
import os
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from scenes.arrays.writing import write_arrays
from scenes.driver import build
from scenes.file.reader import SceneFile
from scenes.formats import ExportFormat
from scenes.formats.export import export
from scenes.formats.shards.options import ShardOptions
from scenes.formats.shards.png import encode_png
from scenes.multi_dsprites.config import MultiDSpritesConfig

FORMS: tuple[ExportFormat, ...] = (
    "tfrecord",
    "object-centric-library",
    "parquet",
    "webdataset",
)
PEAK = """
import re, sys
from pathlib import Path
from scenes.formats.export import export
export(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
print(int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024)
"""
"""Prints its own peak; `getrusage` would also count what its parent had before `exec`."""


def limit(path: Path) -> Callable[[Path, Path], None]:
    with SceneFile(path) as file:
        pixels = [*file["image"][:], *file["segmentation"][:]]
    return lambda _path, _out: [encode_png(each) for each in pixels] and None


def naive_rows(path: Path):
    def png(pixels) -> bytes:
        content = io.BytesIO()
        Image.fromarray(pixels).save(content, "PNG")
        return content.getvalue()

    with SceneFile(path) as file:
        for number in range(file.n):
            row = file[number]
            yield png(row.pop("image")), png(row.pop("segmentation")), row


def naive_parquet(path: Path, out: Path) -> None:
    import datasets

    def rows():
        for image, segmentation, values in naive_rows(path):
            yield {"image": {"bytes": image}, "segmentation": {"bytes": segmentation}, **values}

    datasets.disable_progress_bars()
    data = datasets.Dataset.from_generator(rows, cache_dir=str(out))
    data.to_parquet(out / "a.parquet")


def naive_tar(path: Path, out: Path) -> None:
    with tarfile.open(out / "a.tar", "w") as tar:
        for number, (image, segmentation, values) in enumerate(naive_rows(path)):
            text = json.dumps({key: value.tolist() for key, value in values.items()}).encode()
            for name, content in (("image.png", image), ("seg.png", segmentation), ("json", text)):
                member = tarfile.TarInfo(f"{number:09d}.{name}")
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))


def exported(form: ExportFormat, workers: int | None) -> Callable[[Path, Path], None]:
    options = None if workers is None else ShardOptions(workers=workers)
    return lambda path, out: export(path, out / "a", form, shards=options) and None


def measure(path: Path, n: int, rounds: int) -> None:
    cores = len(os.sched_getaffinity(0))
    ways: dict[str, Callable[[Path, Path], None]] = {
        "limit: PNG alone, one thread": limit(path),
        **{form: exported(form, None) for form in FORMS[:2]},
        "parquet, one thread": exported("parquet", 1),
        f"parquet, {cores} threads": exported("parquet", cores),
        "naive parquet": naive_parquet,
        "webdataset, one thread": exported("webdataset", 1),
        f"webdataset, {cores} threads": exported("webdataset", cores),
        "naive tar": naive_tar,
    }
    wall: dict[str, list[float]] = {name: [] for name in ways}
    cpu: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            with tempfile.TemporaryDirectory() as folder:
                start, begun = time.perf_counter(), time.process_time()
                way(path, Path(folder))
                wall[name].append(n / (time.perf_counter() - start))
                cpu[name].append(n / (time.process_time() - begun))
    print(f"{n:,} scenes, medians of {rounds} rounds, scenes a second: by the clock, of CPU time")
    for name in ways:
        print(
            f"{name:32} {statistics.median(wall[name]):8,.0f} {statistics.median(cpu[name]):8,.0f}"
        )


def memory(folder: Path, lengths: list[int]) -> None:
    """Prints peaks of exports to shards; squares in arrays, as they are quick to make."""
    for n in lengths:
        path = folder / f"{n}.h5"
        images = np.zeros((n, 64, 64, 3), np.uint8)
        labels = np.zeros((n, 64, 64), np.uint8)
        for number in range(n):
            row, column = divmod(number % 1600, 40)
            images[number, row : row + 24, column : column + 24] = number % 255
            labels[number, row : row + 24, column : column + 24] = 1
        write_arrays(images, labels, out=path)
        for form in FORMS[2:]:
            out = folder / "out"
            command = [sys.executable, "-c", PEAK, path, out, form]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            print(f"{form:12} {n:8,} scenes: peak {float(done.stdout):6.0f} MB", flush=True)
            shutil.rmtree(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory", type=int, nargs="+", metavar="N")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if asked.memory:
            memory(Path(folder), asked.memory)
            return
        path = Path(folder) / "sprites.h5"
        build(MultiDSpritesConfig(), n=asked.n, seed=0, out=path)
        measure(path, asked.n, asked.rounds)


if __name__ == "__main__":
    main()
