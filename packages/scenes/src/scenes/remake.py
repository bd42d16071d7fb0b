"""Makes single scenes of a file again, to compare them with the file."""

from __future__ import annotations

import multiprocessing
import threading
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from scenes.command_line import CommandError
from scenes.file.writer import build_attributes
from scenes.parts.heartbeat import HANG_S, Pulse, Watch
from scenes.parts.local_workers import end_with_driver, starting_apart
from scenes.render.tolerance import IMAGE_TOLERANCE, LABEL_TOLERANCE, VALUE_TOLERANCE
from scenes.scene import Field
from scenes.source_list import OpenSource


@dataclass(frozen=True)
class RemadeScenes:
    """Scenes made again."""

    attributes: Mapping[str, Any]
    """Root attributes of a file of these scenes (`build_attributes`)."""
    fields: Mapping[str, Field]
    rows: Mapping[int, Mapping[str, np.ndarray]]
    """Fields of each scene by key, by the scene's number."""

    def with_codes(self, categories: Mapping[str, Sequence[str]]) -> RemadeScenes:
        """Returns the same scenes with the codes by which a file numbers the same names.

        Args:
            categories: the file's names of each field's codes, in order.
        """
        new_codes = {}
        for key, field in self.fields.items():
            theirs = list(categories.get(key, ()))
            if theirs and sorted(theirs) == sorted(field.categories):
                new_codes[key] = np.array([theirs.index(name) for name in field.categories])
        rows = {
            number: {
                key: new_codes[key][values].astype(values.dtype) if key in new_codes else values
                for key, values in row.items()
            }
            for number, row in self.rows.items()
        }
        return replace(self, rows=rows)


def remake(opener: OpenSource, numbers: list[int], *, hang_s: float = HANG_S) -> RemadeScenes:
    """Makes scenes in a separate process, which may crash or hang.

    Args:
        opener: opens the source.
        numbers: of the scenes, rising.
        hang_s: how long that process may be silent, if it renders (`scenes.parts.heartbeat`).

    Raises:
        CommandError: the process died, or hung.
        OSError: the source's own files are gone.
    """
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=_work, args=(opener, numbers, theirs, hang_s), daemon=True
    )
    with starting_apart():
        process.start()
    theirs.close()
    watch = Watch(hang_s if opener.config.isolated else None)
    try:
        while True:
            ready, hanging = watch.wait([ours])
            if hanging:
                raise CommandError(
                    "the process that made scenes again hung; try MUJOCO_GL=osmesa, which draws "
                    "on the CPU"
                )
            if not ready:
                continue
            try:
                answer = ours.recv()
            except (EOFError, OSError):
                raise CommandError("the process that made scenes again died") from None
            if isinstance(answer, Exception):
                raise answer
            if isinstance(answer, RemadeScenes):
                return answer
    finally:
        process.kill()
        process.join()
        ours.close()


def _work(opener: OpenSource, numbers: list[int], connection: Connection, hang_s: float) -> None:
    threading.Thread(target=end_with_driver, daemon=True).start()
    pulse = Pulse(connection, hang_s)
    pulse()
    try:
        answer: RemadeScenes | Exception = _remade(opener, numbers, pulse)
    except Exception as error:
        error.add_note(traceback.format_exc())
        answer = error
    connection.send(answer)


def _remade(opener: OpenSource, numbers: list[int], pulse: Pulse) -> RemadeScenes:
    source = opener()
    source.beat = pulse
    rows = {}
    for number in numbers:
        scene = source.rows(range(number, number + 1))
        rows[number] = {key: values[0, ...] for key, values in scene.items()}
    return RemadeScenes(build_attributes(source), dict(source.fields), rows)


def difference(key: str, ours: np.ndarray, theirs: np.ndarray, *, exact: bool) -> str:
    """Returns in words how far a field of one scene differs; empty where that is allowed.

    Args:
        key: of the field.
        ours: its value, made again.
        theirs: its value in the file.
        exact: whether the same renderer made both, so that no byte may differ.
    """
    if ours.shape != theirs.shape or ours.dtype != theirs.dtype:
        return f"{theirs.shape} {theirs.dtype} rather than {ours.shape} {ours.dtype}"
    if exact:
        same = ours.tobytes() == theirs.tobytes()
        return "" if same else f"{(ours != theirs).mean():.2%} of it differs"
    if key == "image":
        apart = np.abs(ours.astype(int) - theirs).mean()
        return "" if apart <= IMAGE_TOLERANCE else f"{apart:.1f} of 255 apart on average"
    if key in ("segmentation", "amodal", "depth"):
        unlike = ours != theirs
        if key == "depth":
            unlike = ~np.isclose(ours.astype(float), theirs.astype(float), rtol=0.01)
        share = unlike.mean() if unlike.size else 0.0
        return "" if share <= LABEL_TOLERANCE else f"{share:.1%} of its pixels differ"
    if key == "factors/visible_pixels":
        return ""  # the segmentation's own count
    apart = np.abs(ours.astype(float) - theirs.astype(float)).max(initial=0)
    allowed = 1 if key == "num_visible" else VALUE_TOLERANCE
    return "" if apart <= allowed else f"{apart:.4g} apart"
