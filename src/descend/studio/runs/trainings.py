"""Trainings that are taken further from a run: begun once more from its folder and its data, and forked."""

import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from descend.errors import InputError
from descend.insight.rules import rate_of
from descend.studio.runs.curves import of_arrays
from descend.tasks.begun import Begun, begun, source_of
from descend.training import Trainer

BEGINNING, CHECKPOINT = "beginning", "checkpoint"
# Of one page: each holds a model and what its optimizer remembers.
MAX_FORKS = 8


@dataclass
class Fork:
    """A trainer, which goes on when the page says so; to pause is not to say so. `run`: the number of the run."""

    number: int
    run: int
    trainer: Trainer

    @property
    def learning_rate(self) -> float | None:
        """The rate of the next step."""
        schedule = rate_of(self.trainer.run.descent.optimizer)
        return None if schedule is None else float(schedule(self.trainer.run.step))

    def recorded(self, since: int) -> dict[str, np.ndarray]:
        """What was recorded from a step on."""
        found = of_arrays(self.trainer.history.to_arrays())
        return {name: points[points[:, 0] >= since] for name, points in found.items()}


class Trainings:
    """The forks of one page."""

    def __init__(self, data: tuple[Path, ...]) -> None:
        self.data = data
        self._forks: dict[int, Fork] = {}
        self._count = 0
        # The last that was begun, from which others may be forked at once.
        self._begun: tuple[object, Trainer] | None = None

    def fork(self, number: int, folder: Path, start: str) -> Fork:
        """A training that stands where a run began, or at its checkpoint.

        **Raises** `InputError` where it cannot be begun once more, or has ended there.
        """
        if len(self._forks) >= MAX_FORKS:
            raise InputError(f"{MAX_FORKS} forks are open already: take one away first")
        made = self._trainer((number, start), folder, start).fork()
        if made.reason is not None:
            raise InputError(f"{folder.name} has ended there, by {made.reason}: fork it at its beginning")
        if made.limit.steps is not None and made.run.step >= made.limit.steps:
            raise InputError(f"{folder.name} has made all of its {made.run.step:,} steps: fork it at its beginning")
        self._count += 1
        self._forks[self._count] = Fork(self._count, number, made)
        return self._forks[self._count]

    def __getitem__(self, number: int) -> Fork:
        """A fork by its number.

        **Raises** `InputError` for one that is not there.
        """
        if number not in self._forks:
            raise InputError(f"there is no fork {number}: fork the run anew")
        return self._forks[number]

    def forget(self, number: int) -> None:
        """Let go of a fork."""
        self._forks.pop(number, None)

    def close(self) -> None:
        """Let go of all."""
        self._forks.clear()
        self._begun = None

    def _trainer(self, key: object, folder: Path, start: str) -> Trainer:
        # A checkpoint may be another by now.
        if self._begun is None or self._begun[0] != key or start == CHECKPOINT:
            self._begun = None
            self._begun = key, once_more(folder, self.data, start).trainer
        return self._begun[1]


def once_more(folder: Path, data: tuple[Path, ...], start: str) -> Begun:
    """The training of a run's folder, at its beginning or where its checkpoints stand. Nothing is written there.

    **Raises** `InputError` where its data are not there, or no checkpoint is; `CheckpointError` for what is damaged.
    """
    source = source_of(folder, data)
    if start == BEGINNING:
        return begun(folder, source)
    if not (folder / "checkpoints").is_dir():
        raise InputError(f"{folder.name} has no checkpoint: fork it at its beginning")
    with tempfile.TemporaryDirectory() as copies:
        # Copies, as whoever goes on from a checkpoint holds it, and the run itself may be going on.
        checkpoints = Path(shutil.copytree(folder / "checkpoints", Path(copies) / "checkpoints",
                                           ignore=shutil.ignore_patterns(".*")))
        made = begun(folder, source, checkpoints)
        return replace(made, trainer=made.trainer.fork())
