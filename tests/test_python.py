"""What the documents show of Python runs as it stands, and torch's DataLoader reads scenes."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scenes
import torch
from torch.utils.data import DataLoader

ROOT = Path(__file__).resolve().parent.parent


def python_blocks(page: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text(), re.DOTALL | re.MULTILINE)


def test_the_readme_s_python_runs_as_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (block,) = python_blocks("README.md")
    names: dict[str, Any] = {}
    exec(compile(block, "README.md", "exec"), names)
    assert names["parts"].masks.shape == (16, 9, 64, 64)
    assert names["images"].shape == (16, 64, 64, 3)
    assert names["result"].n == 64
    assert 0 < names["result"].metrics["ari_fg"].mean <= 1


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
