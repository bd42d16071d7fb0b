"""Records a second on one core: reading, decoding and writing an Objects Room TFRecord."""

import sys
import tempfile
import time
from pathlib import Path

from scenes.driver import build
from scenes.formats.imported_source import ImportedSource
from scenes.formats.importing import survey
from scenes.formats.tfrecord import read_records, write_record


def main() -> None:
    import gzip

    if len(sys.argv) != 2:
        sys.exit("usage: tools/bench/import.py FILE.tfrecords")
    templates = list(read_records(Path(sys.argv[1])))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "many.tfrecords"
        with gzip.open(path, "wb") as stream:
            for number in range(2048):
                write_record(stream, templates[number % len(templates)])
                start = time.process_time()
        records = survey([path])
        config, count = records.config, records.n
        scanned = time.process_time()
        source = ImportedSource(config, 0)
        for index in range(count):
            source[index]
        decoded = time.process_time()
        build(config, n=count, seed=0, out=Path(folder) / "out.h5", workers=1)
        built = time.process_time()
    print(f"scan {count / (scanned - start):,.0f}/s; decode {count / (decoded - scanned):,.0f}/s")
    print(f"import: {count / (scanned - start + built - decoded):,.0f} records/s")


if __name__ == "__main__":
    main()
