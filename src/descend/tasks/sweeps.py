"""`descend.sweep`: what `descend sweep` does, from Python."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from descend._flags import as_flag
from descend._locks import BusyError
from descend.errors import InputError
from descend.observers import Observer
from descend.tasks.common.asked import words_of
from descend.tasks.loading import load_model
from descend.tasks.sweep.axes import VARIED, exact, spanned_by
from descend.tasks.sweep.keeping import WINNER, kept
from descend.tasks.sweep.reading import task_to_sweep
from descend.tasks.sweep.sweeping import PAUSE_SECONDS, Sweep, begin_sweep
from descend.tasks.sweep.told import frame_of, honest_words
from descend.tasks.sweep.trial import Trial

if TYPE_CHECKING:
    import pandas

# What may be settled for all trials, besides lists, and what it is.
_SETTLED: dict[str, type] = {
    **VARIED, "hold_out": float, "split_seed": int,
    **dict.fromkeys(("task", "weights", "class_weights", "test", "group", "time", "metric"), str),
}
_LISTS = ("column", "drop", "missing")


@dataclass(frozen=True)
class SweepProgress:
    """How far a sweep has come: a trial has made its part of a round.

    `share`: how much of its training each trial of the round is to have made. `made`: how many of them have, of
    `trials`. `settings`: what varies, of the trial that has just made it; `loss`: its loss on what is validated on.
    """

    share: float
    made: int
    trials: int
    settings: Mapping[str, Any]
    loss: float


@dataclass(frozen=True)
class Swept:
    """What came of a sweep.

    `path`: its folder. `settings`: of the winner, as far as they vary. `facts`: what the winner's `metrics.json` says,
    the score on what was held out among it. `table`: a row for each trial, the best first. `told`: what these numbers
    are worth, in sentences. `winner`: the model, as `descend.load_model` loads it.
    """

    path: Path
    settings: Mapping[str, Any]
    facts: Mapping[str, Any] = field(repr=False)
    table: "pandas.DataFrame" = field(repr=False)
    told: tuple[str, ...] = field(repr=False)

    @cached_property
    def winner(self) -> Any:
        """The winner's model, with the face of scikit-learn."""
        return load_model(self.path / WINNER)


def sweep(
    source: str | Path,
    *,
    over: Mapping[str, Any],
    target: str | None = None,
    halving: bool = True,
    out: str | Path | None = None,
    resume: bool = False,
    shared: bool = False,
    skip_damaged: bool = False,
    observers: Sequence[Callable[[SweepProgress], Any]] = (),
    **settings: Any,
) -> Swept:
    """Train a model of a table, of pictures or of texts with many settings, and keep the best: `descend sweep`, from
    Python.

    All combinations of what is varied are tried. Of so many settings as there are, the worse half is stopped after each
    round, and the others go on from where they stand: none is begun twice.

    - `source`: what `descend sweep` takes: a table, a folder of pictures, a table of texts, "sample:NAME".
    - `over`: of each setting that varies its values, in a list, or as the command writes them, "0.001:1:log:9". These
      may vary: learning_rate, batch_size, epochs, hidden_layers, width, optimizer, model, seed.
    - `target`: the column to predict; pictures have their classes.
    - `halving`: whether the worse half is stopped after each round.
    - `out`: the sweep's folder, by default `runs/NAME-sweep`. `resume`: go on with the sweep in it. `shared`: divide
      the trials with other processes that call the same.
    - `skip_damaged`: of pictures, go on without those that cannot be read.
    - `observers`: each is called with a `SweepProgress` whenever a trial has made its part of a round.
    - `settings`: for all trials, by the names of `descend fit`'s options: epochs=20, test="new.csv", drop=["id"],
      column={"zip": "category"}.

    Ctrl-C saves all trials, and is a `KeyboardInterrupt` then; `resume=True` goes on.

    >>> import descend, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     swept = descend.sweep("sample:iris", target="target", over={"learning_rate": [0.0001, 0.1]},
    ...                           model="linear", epochs=8, out=f"{folder}/irises")
    >>> swept.settings, swept.table["steps"].tolist(), swept.table["reason"].tolist()
    ({'learning_rate': 0.1}, [15, 8], ['budget', 'halved'])

    **Raises** `InputError` for what cannot be read, learnt or varied, and for a folder that is taken; `CheckpointError`
    for what is damaged.

    Reference: Jamieson and Talwalkar, "Non-stochastic best arm identification and hyperparameter optimization", AISTATS
    2016.
    """
    is_shared = as_flag("shared", shared)
    if not isinstance(over, Mapping) or not over:
        raise InputError('over must say which settings vary, as in over={"learning_rate": [0.01, 0.1]}')
    if is_shared and out is None:
        raise InputError("say with out= which folder the processes share")
    axes = spanned_by(over)
    told = None if target is None else exact(target, str, "target")
    task = task_to_sweep(str(source), axes, target=told, skip_damaged=as_flag("skip_damaged", skip_damaged),
                         **_settled(settings))
    made = begin_sweep(
        task, axes, str(source), is_halved=as_flag("halving", halving), out=None if out is None else Path(out),
        resume=as_flag("resume", resume), is_shared=is_shared,
    )
    try:
        if asked := made.go_through(_Told(made, observers)):
            raise KeyboardInterrupt(f"{asked} ended the sweep: the same call with resume=True and "
                                    f"out={str(made.folder.path)!r} goes on")
        if is_shared:
            _hold_when_free(made)
        facts = kept(made)
    finally:
        made.folder.release()
    return Swept(made.folder.path, made.winner.varied, facts, frame_of(made), tuple(honest_words(made, facts)))


class _Told:
    """Tells the observers, one thread at a time."""

    def __init__(self, made: Sweep, observers: Sequence[Callable[[SweepProgress], Any]]):
        self._observers, self._lock = observers, threading.Lock()
        self._made, self._trials = 0, len(made.trials)

    def watches(self, trial: Trial) -> Sequence[Observer]:
        """Nobody looks on at single steps."""
        return ()

    def ended(self, trial: Trial, share: float) -> None:
        """A trial has made its part of a round, unless it was interrupted."""
        with self._lock:
            if not trial.has_made(share):
                return
            self._made += 1
            progress = SweepProgress(share, self._made, self._trials, trial.varied, trial.at(share).loss)
            for observer in self._observers:
                observer(progress)

    def round_over(self, share: float, judged: int, kept: int, best: Trial) -> None:
        """Fewer trials go on."""
        self._made, self._trials = 0, kept


def _settled(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What was settled for all trials, as the command has it.

    **Raises** `InputError` for a setting that there is none of, and for what is none of its values.
    """
    known = (*_SETTLED, *_LISTS, "fast")
    if unknown := settings.keys() - set(known):
        raise InputError(f"sweep has no setting {min(unknown)!r}: choose one of {', '.join(known)}")
    told: dict[str, Any] = {name: words_of(name, settings.get(name)) for name in _LISTS}
    told["fast"] = as_flag("fast", settings.get("fast", False))
    return told | {name: exact(settings[name], kind, name) for name, kind in _SETTLED.items()
                   if settings.get(name) is not None}


def _hold_when_free(made: Sweep) -> None:
    """Wait while another process keeps the best."""
    while True:
        try:
            return made.folder.hold()
        except BusyError:
            time.sleep(PAUSE_SECONDS)
