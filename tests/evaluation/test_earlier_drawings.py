"""Files of an earlier drawing are scored as any other."""

from pathlib import Path

import evaluation
import numpy as np
import pytest
import scenes

FOLDER = Path(__file__).resolve().parents[1] / "scenes" / "earlier_drawings"


@pytest.mark.parametrize("name", ["sprites", "clevr_like"])
def test_true_masks_are_right_and_swapped_ones_are_not(name: str) -> None:
    path = FOLDER / f"{name}.h5"
    with scenes.SceneFile(path) as file:
        masks = file.masks(slice(None)).astype(np.float32)

    class Truth:
        def decompose(self, images: np.ndarray, num_slots: int) -> np.ndarray:
            return masks[: len(images)]

    class UpsideDown:
        def decompose(self, images: np.ndarray, num_slots: int) -> np.ndarray:
            return masks[: len(images), :, ::-1]

    right = evaluation.score(path, Truth(), slots=masks.shape[1], n=len(masks))
    assert right.metrics["ari"].mean == pytest.approx(1)
    assert right.metrics["msc"].mean == pytest.approx(1)
    assert (
        evaluation.score(path, UpsideDown(), slots=masks.shape[1], n=len(masks)).metrics["ari"].mean
        < 0.7
    )
