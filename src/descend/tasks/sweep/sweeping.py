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
from descend.tasks.common.examples import refuse_large_batch
from descend.tasks.common.folder import RunFolder
from descend.tasks.common.settings import AUTO, Settings
from descend.tasks.sweep.axes import Axis, grid
from descend.tasks.sweep.halving import going_on, ranked, shares
from descend.tasks.sweep.judging import Judge
from descend.tasks.sweep.trial import Trial
from descend.tasks.table.preparing import TablePrepared
from descend.tasks.table.registry import asked_for
from descend.tasks.table.task import TableTask

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
    """Trials of a table: all have the same rows held out, and are compared on the same others.

    `is_shared`: whether other processes go through the same sweep in the same folder. Each takes what no other does,
    and all know of all trials what came of them, from their folders; so all decide alike who goes on.
    `ranking`: the trials that were judged, the best first: those that went farther before those that did not.
    """

    task: TableTask
    prepared: TablePrepared
    axes: tuple[Axis, ...]
    trials: list[Trial]
    is_halved: bool
    is_shared: bool = False
    ranking: list[Trial] = field(default_factory=list)

    @property
    def judge(self) -> Judge:
        """By what trials are compared."""
        return Judge(self.prepared, self.task.settings)

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

    @property
    def winner_task(self) -> TableTask:
        """The task with its settings."""
        return replace(self.task, settings=self.winner.settings)

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
        (candidate,) = asked_for(trial.settings, self.prepared.target)
        context = TrainingContext(trial.settings, interrupted, None, board.watches(trial),
                                  candidate.checkpoint_in(trial.folder.checkpoints), resume=True, share=share)
        trial.further(candidate, self.prepared, self.judge, share, context)

    def _facts(self, trial: Trial) -> dict[str, Any]:
        return {"task": self.prepared.target.kind, "target": self.task.settings.target, "model": trial.settings.model,
                "metric": f"validation: {self.judge.what}", "rows": len(self.prepared.training)}


def sweep_of(task: TableTask, axes: tuple[Axis, ...], is_halved: bool, folder: RunFolder, is_shared: bool) -> Sweep:
    """The sweep of a table, whose settings are those of all trials but for what varies. Writes nothing.

    **Raises** `InputError` for settings that cannot be used.
    """
    # Where a seed varies, the rows that are held out stay the same.
    varies = SEED in (axis.name for axis in axes)
    base = replace(task.settings, split_seed=task.settings.dividing_seed) if varies else task.settings
    every = [(varied, replace(base, **varied)) for varied in grid(axes)]
    prepared = replace(task, settings=base).prepare()
    for _, settings in every:
        _refuse(settings, prepared)
    trials = [Trial(_folder(folder, task, settings, varied), settings, varied) for varied, settings in every]
    return Sweep(replace(task, settings=base), prepared, axes, trials, is_halved, is_shared)


def share(folder: RunFolder) -> None:
    """Begin, or go on with, a sweep that other processes may go through as well.

    **Raises** `InputError` as `begin` does; `BusyError` where a process has the folder to itself.
    """
    if is_held(folder.path / ".lock"):
        raise BusyError(f"another process has {folder.path} to itself: wait for its end, or name another --out")
    folder.write_asked()


def _refuse(settings: Settings, prepared: TablePrepared) -> None:
    if settings.model == AUTO:
        raise InputError("a sweep compares models itself: name one with --model, or several, as in --over "
                         "model=linear,mlp")
    asked_for(settings, prepared.target)
    refuse_large_batch(settings, len(prepared.training), "rows")


def _folder(sweep: RunFolder, task: TableTask, settings: Settings, varied: dict[str, Any]) -> RunFolder:
    """Of a trial: what `descend fit` with its settings would be asked for."""
    asked = replace(task, settings=settings).asked | {"source": sweep.asked["source"]}
    name = ",".join(f"{name}={value}" for name, value in varied.items())
    return RunFolder(sweep.path / name, asked, resume=True)


def winner_folder(sweep: Sweep, path: Path) -> RunFolder:
    """The run's folder of the winner, which is judged on the rows that were held out, and kept."""
    return RunFolder(path / WINNER, sweep.winner.folder.asked, resume=True)


def _in_order(going: list[list[Trial]], share: float) -> list[list[Trial]]:
    """Settings, the one with the least mean loss of its seeds first; and so its trials."""
    loss = lambda trial: trial.at(share).loss
    order = ranked([fmean(map(loss, group)) for group in going])
    return [sorted(going[number], key=loss) for number in order]


def _flat(groups: Sequence[Sequence[Trial]]) -> list[Trial]:
    return [trial for group in groups for trial in group]


def _why(share: float, judged: int, kept: int, trial: Trial) -> str:
    return (f"after {share:g} of its training, {trial.last.steps:,} steps, others of the {judged} settings lost less "
            f"on the rows that are validated on: the best {kept} went on")
