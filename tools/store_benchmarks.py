"""Makes benchmarks anew, and stores their checksums and the pixels of a few of their scenes.

Run it only where the scenes themselves are meant to change, and then with a new `VERSION` in
scenes/benchmarks/table.py; without names, for all of them, first with 320 scenes, then with 10,000.
The files stay in data/benchmark. It prints the rows of the table in docs/benchmark.md.
"""

import argparse
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
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", metavar="NAME", nargs="*", default=list(BENCHMARKS))
    parser.add_argument("--n", type=int, nargs="+", choices=ROWS, default=ROWS)
    arguments = parser.parse_args()
    REFERENCE.mkdir(exist_ok=True)
    for n in arguments.n:
        for name in arguments.names:
            store(name, n)


def store(name: str, n: int) -> None:
    """Makes a benchmark of `n` scenes, and stores what is asked of it elsewhere."""
    with drawn_by_osmesa():
        build(BENCHMARKS[name].config, n=n, seed=SEED, out=file_of(name))
    with SceneFile(file_of(name)) as file:
        store_pictures(file, name)
        found, provenance = digests(file, n), json.loads(file.attributes["provenance"])
    print(f"| `{name}` | {n:,} | `{found.factors}` | `{found.pixels}` |", flush=True)
    stored = json.loads(DIGESTS.read_text()) if DIGESTS.exists() else {}
    rows = stored.get(name, {}).get("rows", {})
    stored[name] = {"provenance": provenance, "rows": {**rows, str(n): asdict(found)}}
    ordered = {name: stored[name] for name in BENCHMARKS if name in stored}
    DIGESTS.write_text(json.dumps(ordered, indent=1) + "\n")


def store_pictures(file: SceneFile, name: str) -> None:
    """Writes the reference scenes, one above the other, as one image and one of labels."""
    for key, stem in (("image", name), ("segmentation", f"{name}_segmentation")):
        content = io.BytesIO()
        column = np.concatenate([file[key][row] for row in REFERENCE_ROWS])
        Image.fromarray(column).save(content, "PNG", optimize=True)
        (REFERENCE / f"{stem}.png").write_bytes(content.getvalue())


if __name__ == "__main__":
    main()
