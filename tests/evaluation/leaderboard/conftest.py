"""Writes scores into the folders that leaderboards are made of."""

from pathlib import Path

import pytest
from evaluation.scores.result_files import write_result
from leaderboards import Write, scenes_of, scores


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Returns what writes scores into a folder below `tmp_path`; takes what `scores` takes."""

    def write_scores(
        folder: str, ari_fg: float, benchmark: object = None, **changes: object
    ) -> Path:
        scenes = scenes_of() if benchmark is None else benchmark
        return write_result(scores(ari_fg, scenes, **changes), tmp_path / folder)  # type: ignore[arg-type]

    return write_scores
