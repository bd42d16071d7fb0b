"""A process of its own that answers questions, each within a time limit."""

import multiprocessing
import threading
import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from scenes.parts.local_workers import end_with_driver

END_S = 3.0
"""Time that a process has to end by itself, which leaves no semaphores behind."""


class WorkerError(Exception):
    """A worker failed, died or gave no answer in time."""


@dataclass(frozen=True)
class Failure:
    """An error that a process raised, in one line and with its traceback."""

    line: str
    trace: str


class Worker:
    """A process that calls `serve(connection, *arguments)` and talks over the connection.

    Args:
        name: name in messages.
        serve: a function of a module; `answer` raises what it raises.
        arguments: further arguments of `serve`.
    """

    def __init__(self, name: str, serve: Callable[..., None], *arguments: object) -> None:
        self.name = name
        self._connection, theirs = multiprocessing.Pipe()
        self._process = multiprocessing.get_context("spawn").Process(
            target=_serve, args=(theirs, serve, arguments), daemon=True
        )
        self._process.start()
        theirs.close()

    def ask(self, question: object) -> None:
        """Sends a question; `answer` returns its answer.

        Raises:
            WorkerError: the process is gone.
        """
        try:
            self._connection.send(question)
        except OSError as error:
            raise WorkerError(f"{self.name}: the process is gone") from error

    def has_answer(self, wait_s: float = 0.0) -> bool:
        """Whether an answer or a failure comes within some seconds."""
        return self._connection.poll(max(0.0, wait_s))

    def answer(self, until: float) -> Any:
        """Returns the next answer.

        Args:
            until: when to give up, by `time.monotonic`.

        Raises:
            WorkerError: no answer came by then, or the process failed or died.
        """
        if not self.has_answer(until - time.monotonic()):
            raise WorkerError(f"{self.name}: no answer in the time there was")
        try:
            answer = self._connection.recv()
        except (EOFError, OSError):
            self._process.join(5)
            raise WorkerError(
                f"{self.name}: the process died, exit code {self._process.exitcode}"
            ) from None
        if isinstance(answer, Failure):
            error = WorkerError(f"{self.name}: {answer.line}")
            error.add_note(answer.trace)
            raise error
        return answer

    def end(self) -> None:
        """Ends the process, by force where it does not end by itself."""
        end([self])

    def hang_up(self) -> None:
        """Lets the process end by itself, at its next question."""
        self._connection.close()

    def kill(self, after_s: float) -> None:
        """Ends the process by force, unless it ends by itself within some seconds."""
        self._process.join(after_s)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


def end(workers: Iterable[Worker]) -> None:
    """Ends several workers at once, by force those that have not ended after a shared time."""
    workers = list(workers)
    for worker in workers:
        worker.hang_up()
    until = time.monotonic() + END_S
    for worker in workers:
        worker.kill(max(0.0, until - time.monotonic()))


def _serve(connection: Connection, serve: Callable[..., None], arguments: tuple) -> None:
    threading.Thread(target=end_with_driver, daemon=True).start()
    try:
        serve(connection, *arguments)
    except (EOFError, BrokenPipeError):  # the other end hung up
        return
    except Exception as error:
        line = " ".join(str(error).split()) or type(error).__name__
        connection.send(Failure(f"{type(error).__name__}: {line}"[:300], traceback.format_exc()))
