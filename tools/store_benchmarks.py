"""Makes the benchmarks anew, and stores their checksums and the pixels of a few of their scenes.

Run it only where the scenes themselves are meant to change, and then with a new `VERSION` in
scenes/benchmarks/table.py. The files must not be in data/benchmark
yet, and stay there. It prints the rows of the table in
docs/benchmark.md.
"""

import io
import json
from dataclasses import asdict

import numpy as np
from PIL import Image
from scenes.benchmarks.content import digests
from scenes.benchmarks.making import drawn_by_osmesa, file_of
from scenes.benchmarks.table import BENCHMARKS, DIGESTS, REFERENCE, REFERENCE_ROWS, ROWS, SEED
from scenes.driver import build
from scenes.file.reader import SceneFile


def main() -> None:
    REFERENCE.mkdir(exist_ok=True)
    stored: dict[str, dict] = {name: {"rows": {}} for name in BENCHMARKS}
    for n in ROWS:
        for name, benchmark in BENCHMARKS.items():
            path = file_of(name)
            with drawn_by_osmesa():
                build(benchmark.config, n=n, seed=SEED, out=path)
            with SceneFile(path) as file:
                store_pictures(file, name)
                found = digests(file, n)
                stored[name]["provenance"] = json.loads(file.attributes["provenance"])
            stored[name]["rows"][str(n)] = asdict(found)
            print(f"| `{name}` | {n:,} | `{found.factors}` | `{found.pixels}` |", flush=True)
            DIGESTS.write_text(json.dumps(stored, indent=1) + "\n")


def store_pictures(file: SceneFile, name: str) -> None:
    """Writes the reference scenes, one above the other, as one image and one of labels."""
    for key, stem in (("image", name), ("segmentation", f"{name}_segmentation")):
        content = io.BytesIO()
        column = np.concatenate([file[key][row] for row in REFERENCE_ROWS])
        Image.fromarray(column).save(content, "PNG", optimize=True)
        (REFERENCE / f"{stem}.png").write_bytes(content.getvalue())


if __name__ == "__main__":
    main()
