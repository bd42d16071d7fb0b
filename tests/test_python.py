"""What the documents show of Python runs as it stands, and torch's DataLoader reads scenes."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scenes
import torch
from PIL import Image
from torch.utils.data import DataLoader

ROOT = Path(__file__).resolve().parent.parent


def python_blocks(page: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text(), re.DOTALL | re.MULTILINE)


def test_the_readme_s_python_runs_as_it_stands(tmp_path: Path) -> None:
    """As a script too, which other processes must not run once more."""
    (block,) = python_blocks("README.md")
    shown = """
print(images.shape, masks.shape, parts.masks.shape, result.n)
print(result.metrics["ari_fg"].mean)
"""
    (tmp_path / "snippet.py").write_text(block + shown)
    done = subprocess.run(
        [sys.executable, "snippet.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    shapes, ari_fg = done.stdout.splitlines()[-2:]
    assert shapes == "(16, 64, 64, 3) (16, 7, 64, 64) (16, 9, 64, 64) 32"
    assert 0 < float(ari_fg) <= 1


def test_the_page_s_python_runs_as_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its blocks are one session: each goes on from those before it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photographs").mkdir()
    for number in range(4):
        picture = np.full((60 + number, 80, 3), 50 * number, dtype=np.uint8)
        Image.fromarray(picture).save(tmp_path / "photographs" / f"{number}.jpg")
    names: dict[str, Any] = {}
    for block in python_blocks("docs/python.md"):
        exec(compile(block, "docs/python.md", "exec"), names)
    assert names["batch"]["image"].shape == (8, 64, 64, 3)
    assert names["parts"].masks.shape == (4, 7, 32, 32)
    assert names["fitted"].shape == (2, 32, 32, 3)
    assert {name: part.n for name, part in names["files"].items()} == {"train": 352, "test": 48}
    assert names["result"].n == 48
    assert 0 <= names["result"].metrics["ari"].mean <= 1
    assert len(scenes.SceneFile("photographs.h5")) == 4


@pytest.fixture(scope="module", params=["file", "parts"])
def sprites(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns 50 scenes of sprites, as one file and as an index of parts."""
    path = tmp_path_factory.mktemp("sprites") / "sprites.h5"
    config = scenes.MultiDSpritesConfig()
    scenes.build(config, n=50, seed=0, out=path, workers=1, layout=request.param)
    return path


def batches(file: scenes.SceneFile, **options: Any) -> Iterator[dict[str, torch.Tensor]]:
    order = torch.Generator().manual_seed(0)
    return iter(DataLoader(file, batch_size=8, shuffle=True, generator=order, **options))


# Python warns of any fork while there are threads: HDF5's lock is released in the child by h5py.
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_a_data_loader_gives_the_same_batches_with_workers(sprites: Path, start: str) -> None:
    file = scenes.SceneFile(sprites)
    file[3]  # parts that are open here must serve there
    alone = list(batches(file))
    together = list(batches(file, num_workers=2, multiprocessing_context=start))
    assert len(alone) == len(together) == 7
    for one, other in zip(alone, together, strict=True):
        assert one.keys() == other.keys() == set(file.keys())
        for key in one:
            assert torch.equal(one[key], other[key]), key
    assert alone[0]["image"].shape == (8, 64, 64, 3)
    order = torch.randperm(50, generator=_after_the_base_seed())
    seen = torch.cat([batch["image"] for batch in alone]).numpy()
    np.testing.assert_array_equal(seen, file["image"][:][order.numpy()])


def _after_the_base_seed() -> torch.Generator:
    """Returns the generator as a DataLoader's sampler finds it."""
    generator = torch.Generator().manual_seed(0)
    torch.empty((), dtype=torch.int64).random_(generator=generator)
    return generator
