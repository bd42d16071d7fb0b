"""The folder of a run: what it goes on from, and what it saves, for one process at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scenes.atomic import clear_unfinished
from scenes.command_line import CommandError, UsageError, in_words
from scenes.file.reader import SceneFile
from scenes.lock import locked

from monet.config import TrainConfig, first_difference
from monet.weights import (
    STATE,
    WEIGHTS,
    State,
    read_config,
    read_state,
    save_config,
    save_state,
    save_weights,
)


class RunFolder:
    """What is saved in a run's folder; it need not exist yet.

    Args:
        path: the folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        # Before the state is read: a later one is another command's.
        self._found = self._state_on_disk()

    def saved_state(self, config: TrainConfig) -> State | None:
        """Returns the state that a run goes on from; None where nothing is saved.

        Raises:
            UsageError: it is of a run of another config.
            CommandError: it cannot be read.
        """
        if not (self.path / STATE).exists():
            return None
        before = read_config(self.path)
        if before.identity != config.identity:
            raise UsageError(
                f"{self.path}: a run of another config ({first_difference(before, config)}); "
                "choose another --run"
            )
        return read_state(self.path)

    def saved_step(self) -> int | None:
        """Returns the step of the state on disk; None where nothing is saved."""
        return None if self._state_on_disk() is None else read_state(self.path).step

    def check_data(self, saved: State, file: SceneFile) -> None:
        """Refuses another file under the same name; one that has grown is the same.

        Raises:
            UsageError: the run would hold out scenes that it has learned from.
        """
        if saved.data and (not file.is_of(saved.data) or saved.rows > file.n):
            raise UsageError(
                f"{self.path}: {file.path} holds other scenes than this run began with; "
                f"choose another --run, and --init-from {self.path} to start from its weights"
            )

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keeps other commands out while the block trains.

        Raises:
            UsageError: another one trains there, or has since this one read the state.
        """
        with locked(self.path, "training"):
            if self._state_on_disk() != self._found:
                raise UsageError(f"{self.path}: another command trained there meanwhile")
            clear_unfinished(self.path)
            yield

    def save_config(self, config: TrainConfig) -> None:
        """Saves the config alone."""
        save_config(self.path, config)

    def save(self, config: TrainConfig, state: State, dataset: str) -> None:
        """Saves weights and state; a kill at any moment leaves the old ones or the new.

        Args:
            config: the run's, which goes with the weights.
            state: what the run goes on from; its average are the weights.
            dataset: name of what it learns from.

        Raises:
            CommandError: there is no space left, or the like.
        """
        try:
            # The state last: a run that is finished has its weights.
            save_weights(
                self.path / WEIGHTS,
                state.average,
                config,
                state.step,
                dataset,
                {"seed": str(config.seed)},
                state.stages,
            )
            save_state(self.path, state)
            self._found = self._state_on_disk()
        except OSError as error:
            raise CommandError(f"{in_words(error)}; the last saved state is kept") from error

    def _state_on_disk(self) -> tuple[int, int] | None:
        """Returns what tells a saved state from one saved later; None where there is none."""
        try:
            found = (self.path / STATE).stat()
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_mtime_ns
