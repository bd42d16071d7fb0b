"""Making an explorer: one page in which scenes are taken apart by hand."""

from __future__ import annotations

from pathlib import Path

from scenes.atomic import write_whole
from scenes.command_line import UsageError

from evaluation.explorer.content import read_content
from evaluation.explorer.page import MOST_BYTES, most_scenes, to_html
from evaluation.folders import check_writable
from evaluation.predictions.cache import Cache
from evaluation.predictions.model_choice import check_has_scenes
from evaluation.predictions.models import Model, ScoredModel, scored_model
from evaluation.scores.conditions import DATA_FOLDER, TestRooms, rooms_size
from evaluation.scores.scoring import check_request

KNOB_SCENES = 640
"""Scenes to learn knobs on: 512, and 128 that score them."""


MOST_KNOB_SCENES = 100_000


def explore(
    model: Model | ScoredModel,
    data: str | Path | None = None,
    *,
    n: int = 32,
    knob_scenes: int = KNOB_SCENES,
    slots: int | None = None,
    seed: int = 0,
    data_folder: str | Path = DATA_FOLDER,
    out: str | Path = "explorer.html",
    workers: int | None = None,
    cache: Cache | None = None,
) -> Path:
    """Writes a page in which scenes are taken apart by hand; returns its path.

    Example:
        >>> import evaluation
        >>> evaluation.explore(model, "rooms.h5", n=2, out="explorer.html").stat().st_size < 10**6
        True

    Args:
        model: a MONet.
        data: file of scenes; by default test rooms.
        n: scenes to show, the first of the file; all where it has fewer.
        knob_scenes: scenes after them to learn knobs on, as far as the file has them; a fifth of
            them scores the knobs.
        slots: slots to use; the model's own number by default.
        seed: of the test rooms.
        data_folder: where test rooms lie; those that lack are rendered into it.
        out: the page.
        workers: processes that render; one per core by default.
        cache: where decompositions are kept; they are not by default.

    Raises:
        UsageError: a number is none that a page could have, the page cannot be written there, or
            the images do not fit the model.
        CommandError: the model is no MONet.
        FileError: the file cannot be read.
    """
    check_request(slots, n)
    if not 0 <= knob_scenes <= MOST_KNOB_SCENES:
        raise UsageError(f"--knob-scenes must be from 0 to {MOST_KNOB_SCENES:,}, got {knob_scenes}")
    page, subject = Path(out), scored_model(model)
    _check_page(page)
    slots = subject.slots(slots)
    size = rooms_size(subject.image_size)
    if n > (most := most_scenes(size, slots)):
        raise UsageError(
            f"--n must be at most {most}, got {n}: so many scenes of {size} pixels and {slots} "
            f"slots make a page of {MOST_BYTES / 1e6:.0f} MB"
        )
    check_has_scenes(subject, data)
    if data is None:
        rooms = TestRooms(Path(data_folder), seed, n + knob_scenes, size, workers)
        data = rooms.file("test")
    content = read_content(subject, Path(data), n, knob_scenes, slots, cache or Cache(None))
    page.parent.mkdir(parents=True, exist_ok=True)
    write_whole(page, to_html(content).encode(errors="backslashreplace"))
    return page


def _check_page(page: Path) -> None:
    """Refuses a page that could not be written, before any work is done for it."""
    if page.is_dir():
        raise UsageError(f"{page}: is a folder; --out names the page's file")
    if page.exists() and not page.is_file():  # a device would be replaced
        raise UsageError(f"{page}: is no regular file; --out names the page's file")
    check_writable(page.parent)
