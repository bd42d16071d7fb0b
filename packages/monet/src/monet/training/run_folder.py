"""The folder of a run: what it goes on from, and what it saves, for one process at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from scenes.atomic import clear_unfinished
from scenes.command_line import CommandError, UsageError, in_words
from scenes.file.reader import SceneFile
from scenes.lock import locked

from monet.config import TrainConfig, first_difference
from monet.config_file import Stage, read_config
from monet.training.run_log import METRICS, read_lines
from monet.training.state import STATE, State, read_state, save_state
from monet.weights import WEIGHTS, find_weights, read_weights, save_weights


class RunFolder:
    """What is saved in a run's folder; it need not exist yet.

    Args:
        path: the folder.

    Raises:
        UsageError: it is a file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if path.exists() and not path.is_dir():
            raise UsageError(f"{path}: a file, where a run folder would be; choose another --run")
        # Before the state is read: one that differs from this later on is another command's.
        self._known_state = self._state_on_disk()

    @property
    def has_state(self) -> bool:
        """Whether there is a state to go on from."""
        return self._known_state is not None

    def saved_state(self, config: TrainConfig) -> State | None:
        """Returns the state that a run goes on from; `None` where the run begins.

        Raises:
            UsageError: the folder holds a run of another config, or weights or a log without their
                state.
            CommandError: the state cannot be read.
        """
        if not self.has_state:
            self._check_nothing_is_lost()
            return None
        before = read_config(self.path)
        if before.identity != config.identity:
            raise self.other_config(first_difference(before.identity, config.identity))
        state = read_state(self.path)
        if before.init_from != config.init_from and not _began_with(state, config.init_from):
            raise self.other_config(f"init_from {before.init_from}, not {config.init_from}")
        return state

    def other_config(self, difference: str) -> UsageError:
        """Returns the error that refuses to go on by a config that differs from the run's."""
        return UsageError(
            f"{self.path}: a run of another config ({difference}); choose another --run"
        )

    def _check_nothing_is_lost(self) -> None:
        """Refuses to begin anew over the weights or the log of a run whose state is gone.

        Raises:
            UsageError: there are weights, or lines in a log.
        """
        weights = self.path / WEIGHTS
        if weights.exists():
            raise UsageError(
                f"{weights}: weights whose {STATE}, from which a run goes on, is gone; "
                f"choose another --run, and --init-from {self.path} to start from them"
            )
        self.check_no_log(", and --init-from WEIGHTS if you have them elsewhere")

    def check_no_log(self, advice: str = "") -> None:
        """Refuses to begin anew over the log of a run whose state is gone; advice ends the line.

        Raises:
            UsageError: there are lines in a log.
        """
        if read_lines(self.path):
            raise UsageError(
                f"{self.path / METRICS}: the log of a run whose {STATE} is gone; choose another "
                f"--run{advice}"
            )

    def is_scored(self, step: int) -> bool:
        """Whether the log has scores of a step."""
        return any(line.is_score and line.step == step for line in read_lines(self.path))

    def saved_step(self) -> int:
        """Returns the step of the state on disk."""
        return read_state(self.path).step

    def check_data(self, saved: State, file: SceneFile, advice: str = "") -> None:
        """Refuses a file of other scenes; the same ones elsewhere, or more of them, are accepted.

        Raises:
            UsageError: the run would hold out scenes that it has learned from.
        """
        if saved.data and (not file.is_of(saved.data) or saved.rows > file.n):
            raise UsageError(
                f"{self.path}: {file.path} holds other scenes than this run began with; "
                f"choose another --run{advice}"
            )

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps other commands out while the block trains.

        Raises:
            UsageError: another command trains there, or has since this one read the state.
        """
        with locked(self.path, "training"):
            if self._state_on_disk() != self._known_state:
                raise UsageError(f"{self.path}: another command trained there meanwhile")
            clear_unfinished(self.path)
            yield

    def save(self, config: TrainConfig, state: State, dataset: str) -> None:
        """Saves weights and state; a kill at any moment leaves the old ones or the new.

        Args:
            config: the run's, which goes with the weights.
            state: to go on from. Its average is saved as the weights, except at step 0, where
                nothing is learned yet.
            dataset: name of the dataset.

        Raises:
            CommandError: there is no space left, or the like.
        """
        notes = {"seed": str(config.seed)}
        with self.saving():
            if state.step:
                path = self.path / WEIGHTS
                save_weights(path, state.average, config, state.step, dataset, notes, state.stages)
            # The state last: a run that is finished has its weights.
            save_state(self.path, state)

    @contextmanager
    def saving(self) -> Iterator[None]:
        """Takes the state that the block saves for this process's own.

        Raises:
            CommandError: there is no space left, or the like.
        """
        try:
            yield
            self._known_state = self._state_on_disk()
        except OSError as error:
            raise CommandError(f"{in_words(error)}; the last saved state is kept") from error

    def _state_on_disk(self) -> tuple[int, int] | None:
        """Returns the saved state's inode and time, which a later state changes; `None` without."""
        try:
            status = (self.path / STATE).stat()
        except FileNotFoundError:
            return None
        return status.st_ino, status.st_mtime_ns


def _began_with(state: State, init_from: str | None) -> bool:
    """Whether a run began with these weights, whatever their path was then."""
    if init_from is None or not state.stages:
        return False
    return _identities(read_weights(find_weights(init_from)).stages_with_own) == _identities(
        state.stages
    )


def _identities(stages: Sequence[Stage]) -> list[tuple[int, TrainConfig]]:
    return [(stage.step, stage.config.identity) for stage in stages]
