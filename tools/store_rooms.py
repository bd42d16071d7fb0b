"""Draws the pictures that `scenes doctor` compares a renderer's with: the first rooms of seed 0.

MuJoCo's default OpenGL for this environment draws them; the pictures that ship were drawn with
MUJOCO_GL=osmesa. Run it again only where scenes themselves are meant to change.
"""

import io
import json
import tempfile
from pathlib import Path

from PIL import Image
from scenes.driver import build
from scenes.file.reader import SceneFile
from scenes.render.examination import STORED
from scenes.render.stored import CONFIG, FIELDS, PICTURES, VALUES


def main() -> None:
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rooms.h5"
        build(CONFIG, n=STORED, seed=0, out=path)
        with SceneFile(path) as file:
            values = {key: file[key][:].tolist() for key in FIELDS}
            for number, image in enumerate(file["image"][:]):
                content = io.BytesIO()
                Image.fromarray(image).save(content, "PNG", optimize=True)
                (PICTURES / f"{number}.png").write_bytes(content.getvalue())
    lines = [f"{json.dumps(key)}: {json.dumps(rows)}" for key, rows in values.items()]
    VALUES.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print(PICTURES, sum(path.stat().st_size for path in PICTURES.iterdir()), "bytes")


if __name__ == "__main__":
    main()
