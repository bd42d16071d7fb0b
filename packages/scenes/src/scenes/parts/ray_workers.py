"""Makes parts as tasks of a Ray cluster, in a folder that all its nodes share."""

from __future__ import annotations

import functools
import os
import socket
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from scenes.command_line import CommandError
from scenes.parts.plan import Opener, Part, PartWriter

LOST_NODES = 20
"""How many times one part is made again after its worker or node was lost."""


def make_on_ray(
    opener: Opener,
    parts: list[Part],
    folder: Path,
    advance: Callable[[Part], None],
    *,
    address: str | None,
) -> None:
    """Makes the parts as Ray tasks; it does not matter if a task is lost, or done twice.

    Args:
        opener: opens the source, once in each worker process.
        parts: what to make.
        folder: where the parts go, under the same path on every node.
        advance: is called with each part once it is finished.
        address: the cluster's, as `ray.init` takes it; a cluster of this machine by default.

    Raises:
        CommandError: Ray is not installed, no cluster answers, or the folder is not shared.
        Exception: any that a task raised.
    """
    # Under `uv run`, Ray would start each worker by another `uv run` of a copy of this folder, and
    # wait for ever (seen with Ray 2.60); the nodes have their own installation.
    os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
    try:
        import ray
    except ImportError:
        raise CommandError("--engine ray needs Ray: install scenes[ray]") from None
    folder = folder.resolve()
    task = ray.remote(num_cpus=1, max_retries=LOST_NODES)(_make_part)
    waiting = deque(parts)
    running: dict[Any, Part] = {}
    _connect(ray, address)
    try:
        while waiting or running:
            # Enough to keep every node busy; the cluster may grow.
            most = 2 * max(1, int(ray.cluster_resources().get("CPU", 1)))
            while waiting and len(running) < most:
                part = waiting.popleft()
                running[task.remote(opener, folder, part)] = part
            finished, _ = ray.wait(list(running), num_returns=1)
            for reference in finished:
                part = running.pop(reference)
                _result(ray, reference)
                if not part.path(folder).exists():
                    raise CommandError(
                        f"{folder}: a node has written {part.name} and it is not here; --out must "
                        "lie in a folder that all nodes share"
                    )
                advance(part)
    finally:
        ray.shutdown()


def _connect(ray: Any, address: str | None) -> None:
    host, _, port = (address or "").removeprefix("ray://").rpartition(":")
    if port.isdigit():  # Ray itself would try for more than a minute
        try:
            socket.create_connection((host, int(port)), timeout=10).close()
        except OSError as error:
            raise CommandError(f"--address {address}: nothing answers there: {error}") from error
    # Nothing but parts' numbers goes through the object store of a cluster of our own.
    own = {} if address else {"object_store_memory": 100 << 20, "include_dashboard": False}
    try:
        ray.init(address=address or "local", log_to_driver=False, logging_level="warning", **own)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise CommandError(f"--address {address}: no Ray cluster answers there: {error}") from error


def _result(ray: Any, reference: Any) -> None:
    try:
        ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None
    except ray.exceptions.RayError as error:
        raise CommandError(f"Ray lost a part {LOST_NODES} times: {error}") from error


def _make_part(opener: Opener, folder: Path, part: Part) -> None:
    if not part.path(folder).exists():  # a retry may find it made
        _writer(opener, folder).write(part)


@functools.lru_cache(maxsize=1)
def _writer(opener: Opener, folder: Path) -> PartWriter:
    return PartWriter(opener, folder)
