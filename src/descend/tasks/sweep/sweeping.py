"""A sweep: rounds of trials, after each of which the better half goes on, and at the end one that is kept."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean
from typing import Any, ClassVar, Protocol, runtime_checkable

from threadpoolctl import threadpool_limits

from descend._locks import BusyError, is_held
from descend.engine.identity import usable_cores
from descend.engine.interruption import Interruption, interrupts
from descend.errors import InputError
from descend.observers import Observer
from descend.tasks.common.choosing.context import TrainingContext
from descend.tasks.common.choosing.lanes import without_warnings
from descend.tasks.common.examples import Prepared, refuse_large_batch
from descend.tasks.common.folder import RunFolder, claimed, place_of
from descend.tasks.common.swept import SweptTask
from descend.tasks.sweep.axes import Axis, grid
from descend.tasks.sweep.halving import going_on, ranked, shares
from descend.tasks.sweep.judging import Judge
from descend.tasks.sweep.trial import Trial

# The setting that tells of luck, and not of what is better.
SEED = "seed"
# How often it is looked for what other processes have in hand.
PAUSE_SECONDS = 0.5
# The folder of the model that is kept.
WINNER = "winner"


class SweepFolder(RunFolder):
    """A sweep's folder: a run's folder for each trial, and one for the winner."""

    about: ClassVar[str] = "sweep.json"


@runtime_checkable
class Board(Protocol):
    """Who is told how a sweep goes."""

    def watches(self, trial: Trial) -> Sequence[Observer]:
        """Who looks on while a trial is trained."""

    def ended(self, trial: Trial, share: float) -> None:
        """A trial has made this share of its training, or has ended before."""

    def round_over(self, share: float, judged: int, kept: int, best: Trial) -> None:
        """Of so many trials, which have made this share, so many go on."""


@dataclass(eq=False)
class Sweep:
    """Trials of a task: all have the same examples held out, and are compared on the same others, by the `judge`.

    `is_shared`: whether other processes go through the same sweep in the same folder. Each takes what no other does,
    and all know of all trials what came of them, from their folders; so all decide alike who goes on.
    `ranking`: the trials that were judged, the best first: those that went farther before those that did not.
    """

    task: SweptTask[Any, Any]
    prepared: Prepared
    judge: Judge
    folder: RunFolder
    axes: tuple[Axis, ...]
    trials: list[Trial]
    is_halved: bool
    is_shared: bool = False
    ranking: list[Trial] = field(default_factory=list)

    @property
    def settings(self) -> list[list[Trial]]:
        """The trials, those together that differ in their seed alone: which are better is not to hang on luck."""
        found: dict[tuple[Any, ...], list[Trial]] = {}
        for trial in self.trials:
            key = tuple(value for name, value in trial.varied.items() if name != SEED)
            found.setdefault(key, []).append(trial)
        return list(found.values())

    @property
    def shares(self) -> tuple[float, ...]:
        """How much of its training a trial has made by the end of each round."""
        return shares(len(self.settings), self.is_halved)

    @property
    def winner(self) -> Trial:
        """The best of the best settings."""
        return self.ranking[0]

    def go_through(self, board: Board) -> str:
        """Make all rounds that are not made yet. How somebody asked for the end before; empty if nobody did."""
        going, rest = self.settings, list[Trial]()
        # As for one training: the cores are for the trials, not for products of NumPy's.
        with threadpool_limits(1, user_api="blas"), interrupts() as interrupted, without_warnings():
            for share in self.shares:
                self._round([trial for group in going for trial in group], share, interrupted, board)
                if interrupted.is_set():
                    return interrupted.by
                count = len(going) if share == 1 else going_on(len(going))
                ordered = _in_order(going, share)
                going, stopped = ordered[:count], ordered[count:]
                for trial in _flat(stopped):
                    trial.end(self._facts(trial), "halved", _why(share, len(ordered), count, trial))
                rest = [*_flat(stopped), *rest]
                board.round_over(share, len(_flat(ordered)), len(_flat(going)), going[0][0])
        for trial in _flat(going):
            trial.end(self._facts(trial))
        self.ranking = [*_flat(going), *rest]
        return ""

    def _round(self, trials: Sequence[Trial], share: float, interrupted: Interruption, board: Board) -> None:
        """Take all trials as far as that, or have other processes do so."""
        left = trials
        while left := self._taken(left, share, interrupted, board):
            interrupted.wait(PAUSE_SECONDS)

    def _taken(self, trials: Sequence[Trial], share: float, interrupted: Interruption, board: Board) -> list[Trial]:
        """Take trials as far as that, as many at once as there are cores: no number depends on it. Those that another
        process has in hand."""
        def taken(trial: Trial) -> bool:
            if not (interrupted.is_set() or trial.has_made(share)):
                try:
                    self._further(trial, share, interrupted, board)
                except BusyError:
                    if not self.is_shared:
                        raise
                    return False
            board.ended(trial, share)
            return True

        with ThreadPoolExecutor(usable_cores(), "descend.sweep") as pool:
            futures = [(trial, pool.submit(taken, trial)) for trial in trials]
            try:
                return [trial for trial, future in futures if not future.result()]
            except BaseException:
                # So that nobody waits for the other threads.
                interrupted.set()
                raise

    def _further(self, trial: Trial, share: float, interrupted: Interruption, board: Board) -> None:
        task = self.task.settled(trial.settings)
        prepared = task.again(self.prepared)
        candidate = task.tried(prepared)
        context = TrainingContext(trial.settings, interrupted, None, board.watches(trial),
                                  candidate.checkpoint_in(trial.folder.checkpoints), resume=True, share=share)
        trial.further(candidate, prepared, self.judge, share, context)

    def _facts(self, trial: Trial) -> dict[str, Any]:
        model = self.task.settled(trial.settings).tried(self.prepared).name
        return {"task": self.task.kind(self.prepared), "target": self.task.settings.target, "model": model,
                "metric": f"validation: {self.judge.what}", "rows": len(self.prepared.training)}


def begin_sweep(
    task: SweptTask[Any, Any], axes: tuple[Axis, ...], source: str, *, is_halved: bool, out: Path | None, resume: bool,
    is_shared: bool,
) -> Sweep:
    """The sweep of a task, whose settings are those of all trials but for what varies, in a folder that it is begun in,
    or gone on with.

    **Raises** `InputError` for settings that cannot be used, and for a folder that is taken; `BusyError` where another
    process has it to itself; `CheckpointError` for what is damaged.
    """
    over = {axis.name: list(axis.values) for axis in axes}
    asked = task.asked | {"source": place_of(source)}
    asked["settings"] |= {"over": over, "halving": is_halved}
    folder = claimed(out, f"{task.name}-sweep", asked, resume or is_shared, SweepFolder)
    # What cannot be learnt is refused before anything is written.
    sweep = _sweep_of(task, axes, is_halved, folder, is_shared)
    if is_shared:
        share(folder)
    else:
        folder.begin()
    try:
        for trial in sweep.trials:
            trial.begin()
    except BaseException:
        folder.release()
        raise
    return sweep


def _sweep_of(
    task: SweptTask[Any, Any], axes: tuple[Axis, ...], is_halved: bool, folder: RunFolder, is_shared: bool
) -> Sweep:
    # Where a seed varies, the examples that are held out stay the same.
    varies = SEED in (axis.name for axis in axes)
    base = replace(task.settings, split_seed=task.settings.dividing_seed) if varies else task.settings
    every = [(varied, replace(base, **varied)) for varied in grid(axes)]
    # All prepare the same. What was settled for all may need what varies: an optimizer, its rate.
    prepared = task.settled(every[0][1]).prepare()
    for _, settings in every:
        _refuse(task.settled(settings), prepared)
    count, judged = len(prepared.training), prepared.judged
    if judged is None:
        raise InputError(f"{count:,} {task.unit} to learn from are too few to compare trials on some of them: add more")
    trials = [Trial(_folder(folder, task.settled(settings), varied), settings, varied) for varied, settings in every]
    judge = Judge(prepared.target, judged, base)
    return Sweep(task.settled(base), prepared, judge, folder, axes, trials, is_halved, is_shared)


def share(folder: RunFolder) -> None:
    """Begin, or go on with, a sweep that other processes may go through as well.

    **Raises** `InputError` as `begin` does; `BusyError` where a process has the folder to itself.
    """
    if is_held(folder.path / ".lock"):
        raise BusyError(f"another process has {folder.path} to itself: wait for its end, or name another --out")
    folder.write_asked()


def _refuse(task: SweptTask[Any, Any], prepared: Prepared) -> None:
    task.tried(task.again(prepared))
    refuse_large_batch(task.settings, len(prepared.training), task.unit)


def _folder(sweep: RunFolder, task: SweptTask[Any, Any], varied: dict[str, Any]) -> RunFolder:
    """Of a trial: what `descend fit` with its settings would be asked for."""
    name = ",".join(f"{name}={value}" for name, value in varied.items())
    return RunFolder(sweep.path / name, task.asked | {"source": sweep.asked["source"]}, resume=True)


def _in_order(going: list[list[Trial]], share: float) -> list[list[Trial]]:
    """Settings, the one with the least mean loss of its seeds first; and so its trials."""
    loss = lambda trial: trial.at(share).loss
    order = ranked([fmean(map(loss, group)) for group in going])
    return [sorted(going[number], key=loss) for number in order]


def _flat(groups: Sequence[Sequence[Trial]]) -> list[Trial]:
    return [trial for group in groups for trial in group]


def _why(share: float, judged: int, kept: int, trial: Trial) -> str:
    return (f"after {share:g} of its training, {trial.last.steps:,} steps, others of the {judged} settings lost less "
            f"on what is validated on: the best {kept} went on")
